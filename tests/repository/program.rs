//! Programs that carry the protocol: ssh, and git itself.

use super::world::*;

#[tokio::test]
async fn a_hook_that_hangs_ends_in_time() {
    let world = world(Way::File).await;
    let options = Options { total_timeout: Duration::from_millis(400), ..options() };
    let mirror = open(&world.dir, world.mirror.location().clone(), options).await.unwrap();
    let commit = world.promoted().await;
    hook(&world.remote, "pre-receive", "exec sleep 3");
    let begun = Instant::now();
    let (name, text) = kind(&mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await);
    assert_eq!(name, "unavailable");
    assert!(text.contains("400ms") && begun.elapsed() < Duration::from_secs(2), "{text}");
}

#[tokio::test]
async fn ssh_is_the_same_through_a_program() {
    let world = world(Way::File).await;
    let remote = world.dir.path().join("it's $(env).git");
    std::fs::rename(&world.remote, &remote).unwrap();
    let program = world.dir.path().join("ssh");
    let log = world.dir.path().join("arguments");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {}\nfor last; do :; done\nexec sh -c \"$last\"\n",
        log.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let location = Location::parse(&format!("ssh://git@git.example.com:2222{}", remote.display())).unwrap();
    let credentials = Credentials {
        ssh_key_file: Some("/keys/id".into()),
        ssh_known_hosts_file: Some("/keys/known".into()),
        ..Credentials::default()
    };
    let options = Options { ssh_program: program.clone(), ..options() };
    let folder = world.dir.path().join("ssh-mirror");
    let mirror =
        Mirror::open_with(location.clone(), &folder, credentials.clone(), options.clone()).await.unwrap();
    assert_eq!(mirror.tip("main").await.unwrap(), Some(world.base));
    let commit = mirror.commit(world.base, vec![edit("a", None, "b")], "m", &author()).await.unwrap();
    mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await.unwrap();
    git(&remote, &["fsck", "--full", "--strict"]);
    let arguments = std::fs::read_to_string(log).unwrap();
    for wanted in
        ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/keys/known"]
    {
        assert!(arguments.contains(&format!("-o\n{wanted}\n")), "{arguments}");
    }
    let path = remote.display().to_string().replace('\'', "'\\''");
    assert!(arguments.contains("-i\n/keys/id\n-p\n2222\n-T\n--\ngit@git.example.com\n"), "{arguments}");
    assert!(arguments.ends_with(&format!("git-receive-pack '{path}'\n")), "{arguments}");
    for (words, want) in [("Permission denied (publickey).", "denied"), ("Connection refused", "unavailable")]
    {
        std::fs::write(&program, format!("#!/bin/sh\necho '{words}' >&2; exit 255\n")).unwrap();
        let (name, text) = kind(&mirror.tip("main").await);
        assert_eq!(name, want);
        assert!(text.contains(words), "{text}");
    }
    let hostile = Location::Ssh("ssh://-oProxyCommand=touch/x".into());
    assert!(Mirror::open_with(hostile, &folder, credentials, options).await.is_err());
}

/// A program in the place of git, that writes its process id first.
fn program(world: &World, script: &str) -> PathBuf {
    let path = world.dir.path().join("program");
    let id = world.dir.path().join("id");
    std::fs::write(&path, format!("#!/bin/sh\necho $$ > {}\n{script}\n", id.display())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The program has ended, whoever waits for it.
async fn ended(world: &World) {
    let id = std::fs::read_to_string(world.dir.path().join("id")).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", id.trim()));
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {} still runs", id.trim());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_program_that_hangs_or_floods_is_ended() {
    let world = world(Way::File).await;
    let commit = world.promoted().await;
    rival(&world.remote, "main", "100644", "x", "y");
    let bytes = "dd bs=1 count=";
    for (script, want) in [
        ("exec sleep 60".to_owned(), "nothing was sent"),
        (
            format!("git \"$@\" </dev/null 2>/dev/null | {bytes}10 2>/dev/null; exec sleep 60"),
            "nothing was sent",
        ),
        (
            format!("git \"$@\" </dev/null 2>/dev/null | {bytes}90 2>/dev/null; exec sleep 60"),
            "nothing was sent",
        ),
        ("exec yes".to_owned(), "hex"),
        ("exec yes 0009xxxx".to_owned(), ""),
        ("exec yes >&2".to_owned(), "nothing was sent"),
        ("exit 0".to_owned(), "ends before"),
        ("echo 'out of memory' >&2; exit 3".to_owned(), "out of memory"),
        ("kill -9 $$".to_owned(), "ended early"),
    ] {
        let git_program = program(&world, &script);
        let options = Options {
            idle_timeout: Duration::from_millis(300),
            total_timeout: Duration::from_secs(2),
            git_program,
            ..options()
        };
        let location = world.mirror.location().clone();
        let mirror = open(&world.dir, location, options).await.unwrap();
        let check = async |result: Result<(), RepositoryError>| {
            let (name, text) = kind(&result);
            assert_eq!(name, "unavailable", "{script}: {text}");
            assert!(text.contains(want), "{script}: {text}");
            ended(&world).await;
        };
        let begun = Instant::now();
        check(mirror.tip("main").await.map(drop)).await;
        check(mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{script}");
    }
    assert_eq!(world.tip("x"), "");
    world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await.unwrap();
    world.fsck();
}

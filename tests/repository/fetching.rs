//! What is brought from the remote.

use super::world::*;

#[tokio::test]
async fn a_history_is_cloned_and_fetched_by_its_difference() {
    for way in BOTH {
        let world = world(way).await;
        assert_eq!(world.mirror.tip("main").await.unwrap(), Some(world.base));
        assert_eq!(world.mirror.tip("none").await.unwrap(), None);
        for round in 0..5 {
            let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", &format!("image: {round}\n"));
            assert_eq!(world.mirror.tip("main").await.unwrap(), Some(tip));
            let read = world.mirror.read(tip, "apps/dev.yaml").await.unwrap().unwrap();
            assert_eq!(read, format!("image: {round}\n").into_bytes());
        }
        let tip = world.mirror.revision("main").await.unwrap();
        let history = world.mirror.first_parents(tip, 10).await.unwrap();
        assert_eq!(history.len(), 6);
        assert_eq!(world.mirror.first_parents(tip, 2).await.unwrap().len(), 2);
        assert_eq!(
            world.mirror.revision("HEAD~5").await.unwrap_err().to_string(),
            "revision `HEAD~5` is not in the repository"
        );
        assert_eq!(world.mirror.revision("main~5").await.unwrap(), world.base);
        assert_eq!(world.mirror.revision(&tip.short()).await.unwrap(), tip);
        assert_eq!(world.mirror.between("main~2", "main", 10).await.unwrap(), history[..2]);
        assert!(world.mirror.is_ancestor(world.base, tip).await.unwrap());
        assert!(!world.mirror.is_ancestor(tip, world.base).await.unwrap());
        assert_eq!(world.mirror.merge_base(tip, world.base).await.unwrap(), Some(world.base));
        let files = world.mirror.files(tip, "apps").await.unwrap();
        assert_eq!(files, [("apps/dev.yaml".to_owned(), 9), ("apps/prod.yaml".to_owned(), 9)]);
        assert_eq!(world.mirror.files(tip, "").await.unwrap().len(), 3);
        let changes = world.mirror.changes(world.base, tip, 10).await.unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].before.as_deref(), Some(&b"image: a\n"[..]));
    }
}

#[tokio::test]
async fn a_tip_that_did_not_move_costs_one_request() {
    let world = world(Way::Http).await;
    world.host.take_requests();
    world.mirror.tip("main").await.unwrap();
    assert_eq!(world.host.take_requests(), ["POST /env.git/git-upload-pack"]);
    rival(&world.remote, "main", "100644", "x", "y");
    world.mirror.tip("main").await.unwrap();
    assert_eq!(world.host.take_requests().len(), 2, "its refs and its objects");
}

#[tokio::test]
async fn a_host_of_the_old_protocol_is_understood() {
    let world = world(Way::Http).await;
    world.host.force_protocol("version=0");
    let location = world.mirror.location().clone();
    std::fs::remove_dir_all(world.dir.path().join("mirror")).unwrap();
    let mirror = open(&world.dir, location, options()).await.unwrap();
    let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: z\n");
    assert_eq!(mirror.tip("main").await.unwrap(), Some(tip));
    assert_eq!(mirror.read(tip, "apps/dev.yaml").await.unwrap().unwrap(), b"image: z\n");
    assert_eq!(
        mirror.refs("refs/heads/ma").await.unwrap(),
        BTreeMap::from([("refs/heads/main".to_owned(), tip)])
    );
}

#[tokio::test]
async fn all_branches_and_tags_are_brought() {
    let world = world(Way::File).await;
    git(&world.remote, &["tag", "-a", "-m", "one", "v1", "main"]);
    git(&world.remote, &["branch", "a", "main"]);
    world.mirror.fetch().await.unwrap();
    assert_eq!(world.mirror.revision("v1").await.unwrap(), world.base);
    git(&world.remote, &["branch", "-D", "a"]);
    git(&world.remote, &["branch", "a/b", "main"]);
    world.mirror.tip("a/b").await.expect("`a` is in the way of `a/b` no more");
    world.mirror.fetch().await.unwrap();
    assert_eq!(kind(&world.mirror.revision("a").await).0, "not found");
    assert_eq!(world.mirror.revision("a/b").await.unwrap(), world.base);
    git(&world.remote, &["branch", "-D", "a/b"]);
    git(&world.remote, &["branch", "a", "main"]);
    world.mirror.tip("a").await.expect("nor the other way round");
}

#[tokio::test]
async fn redirects_within_the_host_are_followed() {
    let world = world(Way::Http).await;
    let renamed = Location::parse(&world.host.url("old.git")).unwrap();
    world
        .host
        .fail("/old.git/", Fault::Redirect(world.host.url("env.git/info/refs?service=git-upload-pack")));
    std::fs::remove_dir_all(world.dir.path().join("mirror")).unwrap();
    let mirror = open(&world.dir, renamed, options()).await.unwrap();
    assert_eq!(mirror.tip("main").await.unwrap(), Some(world.base));
}

#[tokio::test]
async fn tokens_rotate_and_wrong_ones_are_denied() {
    let world = world(Way::Http).await;
    world.host.set_tokens(&[("token-2", "bot")]);
    assert_eq!(kind(&world.mirror.tip("main").await).0, "denied");
    let commit = world.promoted().await;
    assert_eq!(kind(&world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await).0, "denied");
    std::fs::write(world.dir.path().join("token"), "token-2").unwrap();
    assert!(world.mirror.tip("main").await.is_ok());
    for bad in ["", "a\nb", &"x".repeat(16 * 1_024 + 1)] {
        std::fs::write(world.dir.path().join("token"), bad).unwrap();
        let (name, text) = kind(&world.mirror.tip("main").await);
        assert_eq!(name, "denied");
        assert!(bad.is_empty() || !text.contains(bad), "{text}");
    }
    std::fs::remove_file(world.dir.path().join("token")).unwrap();
    assert_eq!(kind(&world.mirror.tip("main").await).0, "denied");
}

//! What is sent, and what becomes of it.

use super::world::*;

#[tokio::test]
async fn a_commit_is_pushed_to_a_new_branch_and_deleted() {
    for way in BOTH {
        let world = world(way).await;
        let name = "refs/heads/lockkeeper/normal/dev/shop/0123-1";
        let commit = world.promoted().await;
        assert_eq!(commit, world.promoted().await, "the same input gives the same commit");
        let push = vec![update(name, None, Some(commit))];
        world.mirror.push(push.clone()).await.unwrap();
        world.mirror.push(push).await.expect("a push that was done is done");
        world.fsck();
        let shown =
            git(&world.remote, &["log", "-1", "--format=%an %at %ct %(trailers:only)", &commit.to_string()]);
        assert_eq!(shown.trim(), "lockkeeper 1795248000 1795248000 Lockkeeper-Lane: normal");
        assert_eq!(git(&world.remote, &["diff", "--stat", "main", name]).lines().count(), 2, "one file");
        let refs = world.mirror.refs("refs/heads/lockkeeper/").await.unwrap();
        assert_eq!(refs, BTreeMap::from([(name.to_owned(), commit)]));
        world.mirror.push(vec![update(name, Some(commit), None)]).await.unwrap();
        world.mirror.push(vec![update(name, Some(commit), None)]).await.expect("gone is gone");
        assert!(world.mirror.refs("refs/heads/lockkeeper/").await.unwrap().is_empty());
        // Both kinds of pack: against a base that moved on meanwhile, too.
        rival(&world.remote, "main", "100644", "apps/prod.yaml", "image: x\n");
        world.mirror.push(vec![update(name, None, Some(commit))]).await.unwrap();
        world.fsck();
    }
}

#[tokio::test]
async fn a_ref_that_moved_is_told_before_anything_is_sent() {
    for way in BOTH {
        let world = world(way).await;
        let commit = world.promoted().await;
        let tip = rival(&world.remote, "main", "100644", "x", "y");
        world.host.take_requests();
        for old in [Some(world.base), None] {
            let (name, text) =
                kind(&world.mirror.push(vec![update("refs/heads/main", old, Some(commit))]).await);
            assert_eq!(name, "moved");
            assert!(text.contains(&tip.to_string()), "{text}");
        }
        assert!(world.host.take_requests().iter().all(|request| request.starts_with("GET")));
        assert_eq!(world.tip("main"), tip.to_string());
    }
}

#[tokio::test]
async fn a_race_lost_at_the_host_is_moved() {
    let race = "unset GIT_QUARANTINE_PATH; while read old new ref; do \
        git update-ref $ref $(git -c user.name=r -c user.email=r@x commit-tree -p $old -m rival $old^{tree}) $old; done";
    for way in BOTH {
        for also in [None, Some("refs/heads/records")] {
            let world = world(way).await;
            let commit = world.promoted().await;
            hook(
                &world.remote,
                "pre-receive",
                &format!("{}; exit 0", race.replace("while read", "head -1 | while read")),
            );
            let mut push = vec![update("refs/heads/main", Some(world.base), Some(commit))];
            push.extend(also.map(|name| update(name, None, Some(commit))));
            let (name, text) = kind(&world.mirror.push(push).await);
            assert_eq!(name, "moved", "{way:?} {also:?}: {text}");
            assert_eq!(world.tip("records"), "");
        }
    }
}

#[tokio::test]
async fn a_hook_refuses_in_its_own_words() {
    for way in BOTH {
        let world = world(way).await;
        let commit = world.promoted().await;
        hook(
            &world.remote,
            "pre-receive",
            "printf 'freeze until \\033[31mmonday\\033[0m\\nask #sre\\n' >&2; exit 1",
        );
        let (name, text) = kind(&world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await);
        assert_eq!(name, "refused");
        assert!(text.contains("pre-receive hook declined: freeze until monday; ask #sre"), "{text}");
    }
}

#[tokio::test]
async fn several_refs_go_together_or_not_at_all() {
    for way in BOTH {
        let world = world(way).await;
        let commit = world.promoted().await;
        let push =
            vec![update("refs/heads/one", None, Some(commit)), update("refs/heads/two", None, Some(commit))];
        hook(&world.remote, "update", "case $1 in */two) echo not two >&2; exit 1;; esac");
        let (name, text) = kind(&world.mirror.push(push.clone()).await);
        assert_eq!(name, "refused");
        assert!(text.contains("refs/heads/two") && text.contains("not two"), "{text}");
        assert_eq!((world.tip("one"), world.tip("two")), (String::new(), String::new()));
        hook(&world.remote, "update", "exit 0");
        world.mirror.push(push.clone()).await.unwrap();
        assert_eq!((world.tip("one"), world.tip("two")), (commit.to_string(), commit.to_string()));
        git(&world.remote, &["config", "receive.advertiseAtomic", "false"]);
        world.mirror.push(push.clone()).await.expect("nothing is left to do");
        git(&world.remote, &["update-ref", "-d", "refs/heads/one"]);
        git(&world.remote, &["update-ref", "-d", "refs/heads/two"]);
        let (name, text) = kind(&world.mirror.push(push).await);
        assert_eq!(name, "refused");
        assert!(text.contains("atomic"), "{text}");
        assert_eq!(world.tip("one"), "");
    }
}

#[tokio::test]
async fn updates_that_make_no_sense_are_not_sent() {
    let world = world(Way::File).await;
    let new = Some(world.base);
    let many: Vec<_> = (0..101).map(|number| update(&format!("refs/heads/b{number}"), None, new)).collect();
    for updates in [vec![], many, vec![update("main", None, new)], vec![update("refs/heads/a", None, new); 2]]
    {
        assert_eq!(kind(&world.mirror.push(updates).await).0, "refused");
    }
    let absent = "1111111111111111111111111111111111111111".parse().unwrap();
    assert_eq!(
        kind(&world.mirror.push(vec![update("refs/heads/a", None, Some(absent))]).await).0,
        "not found"
    );
}

#[tokio::test]
async fn a_push_sends_just_the_new_objects() {
    let world = world(Way::Http).await;
    let number = |number: usize| edit(&format!("all/app-{number}.yaml"), None, &format!("image: {number}\n"));
    let many =
        world.mirror.commit(world.base, (0..1_000).map(number).collect(), "many", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/main", Some(world.base), Some(many))]).await.unwrap();
    world.host.take_received_bytes();
    let edits = vec![edit("all/app-500.yaml", Some("image: 500\n"), "image: new\n")];
    let commit = world.mirror.commit(many, edits, "promote", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await.unwrap();
    let bytes = world.host.take_received_bytes();
    assert!(bytes < 900, "the folder's tree alone has 38 kB, sent were {bytes} bytes");
    let back = vec![edit("all/app-500.yaml", Some("image: new\n"), "image: 500\n")];
    let back = world.mirror.commit(commit, back, "back", &author()).await.unwrap();
    let again = vec![edit("all/app-1.yaml", Some("image: 1\n"), "image: 2\n")];
    let again = world.mirror.commit(back, again, "again", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/y", None, Some(again))]).await.unwrap();
    world.fsck();
}

//! The base is pushed by force: set back, or with another history. What is read is what stands there now.

use super::world::*;

fn force(world: &World, to: &str) -> CommitId {
    git(&world.remote, &["update-ref", "refs/heads/main", to]);
    git(&world.remote, &["rev-parse", "main"]).parse().unwrap()
}

#[tokio::test]
async fn a_base_that_was_set_back_is_followed() {
    for way in BOTH {
        let world = world(way).await;
        for number in 0..5 {
            rival(&world.remote, "main", "100644", "apps/dev.yaml", &format!("image: {number}\n"));
        }
        let tip = world.mirror.tip("main").await.unwrap().unwrap();
        let head = world
            .mirror
            .commit(tip, vec![edit("apps/dev.yaml", Some("image: 4\n"), "image: 5\n")], "m", &author())
            .await
            .unwrap();
        let back = force(&world, "main~3");
        git(&world.remote, &["reflog", "expire", "--expire=now", "--all"]);
        git(&world.remote, &["gc", "-q", "--prune=now"]);
        assert_eq!(world.mirror.tip("main").await.unwrap(), Some(back));
        assert_eq!(world.mirror.read(back, "apps/dev.yaml").await.unwrap().unwrap(), b"image: 1\n");
        assert!(!world.mirror.is_ancestor(tip, back).await.unwrap());
        assert_eq!(world.mirror.merge_base(tip, back).await.unwrap(), Some(back));
        // What was planned on the old base does not reach the new one.
        let merge = vec![update("refs/heads/main", Some(tip), Some(head))];
        assert_eq!(kind(&world.mirror.push(merge).await).0, "moved");
        assert_eq!(world.tip("main"), back.to_string());
        // Its branch does, with the history that the host no longer has.
        world.mirror.push(vec![update("refs/heads/x", None, Some(head))]).await.unwrap();
        world.fsck();
        let next = world
            .mirror
            .commit(back, vec![edit("apps/dev.yaml", Some("image: 1\n"), "image: 2\n")], "m", &author())
            .await
            .unwrap();
        world.mirror.push(vec![update("refs/heads/main", Some(back), Some(next))]).await.unwrap();
        world.fsck();
    }
}

#[tokio::test]
async fn a_history_that_was_rewritten_is_read_anew() {
    for way in BOTH {
        let world = world(way).await;
        let old = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: old\n");
        world.mirror.tip("main").await.unwrap();
        let tree = git(&world.remote, &["rev-parse", "main^{tree}"]);
        let orphan = git(&world.remote, &["commit-tree", "-m", "all of it anew", &tree]);
        let new = force(&world, &orphan);
        git(&world.remote, &["gc", "-q", "--prune=now"]);
        assert_eq!(world.mirror.tip("main").await.unwrap(), Some(new));
        assert_eq!(world.mirror.merge_base(old, new).await.unwrap(), None);
        assert_eq!(world.mirror.first_parents(new, 10).await.unwrap().len(), 1);
        assert!(world.mirror.changes(old, new, 10).await.unwrap().is_empty());
        let edits = vec![edit("apps/dev.yaml", Some("image: old\n"), "image: new\n")];
        let head = world.mirror.commit(new, edits, "m", &author()).await.unwrap();
        world.mirror.push(vec![update("refs/heads/x", None, Some(head))]).await.unwrap();
        let count = git(&world.remote, &["rev-list", "--count", "x"]);
        assert_eq!(count, "2", "nothing of the old history came back");
        world.fsck();
    }
}

#[tokio::test]
async fn a_base_that_is_gone_is_gone_until_it_is_back() {
    let world = world(Way::Http).await;
    git(&world.remote, &["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(world.mirror.tip("main").await.unwrap(), None);
    assert_eq!(kind(&world.mirror.revision("main").await).0, "not found");
    assert_eq!(force(&world, &world.base.to_string()), world.base);
    assert_eq!(world.mirror.tip("main").await.unwrap(), Some(world.base));
}

use lockkeeper::forge::local::Activity;
use lockkeeper::forge::{Forge, ForgeError, MergeMethod, Priority, PullRequestState};
use serde_json::Value;

use crate::support::*;

#[tokio::test]
async fn merges_exactly_the_head_behind_its_check() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    let merge =
        async |head, method| world.forge.merge(1, head, "promote\n\nA: b\n", method, Priority::Act).await;
    let early = merge(pull.head, MergeMethod::Merge).await;
    assert!(matches!(early, Err(ForgeError::Refused { .. })), "{early:?}");
    world.forge.report_check(&ci(), pull.head, passed("lockkeeper")).await.unwrap();
    assert!(
        merge(pull.head, MergeMethod::Merge).await.is_err(),
        "another app's check of that name does not count"
    );
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    let other = merge(world.main, MergeMethod::Merge).await;
    assert!(matches!(other, Err(ForgeError::Moved { .. })), "{other:?}");
    let commit = merge(pull.head, MergeMethod::Merge).await.unwrap();
    assert_eq!(world.mirror.tip("main").await.unwrap(), Some(commit));
    let shown = world.mirror.first_parents(commit, 1).await.unwrap().remove(0);
    assert_eq!((shown.parents, shown.message.as_str()), (vec![world.main, pull.head], "promote\n\nA: b\n"));
    assert_eq!(merge(pull.head, MergeMethod::Merge).await.unwrap(), commit, "again is the same");
    assert!(matches!(world.forge.close(1).await, Err(ForgeError::Moved { .. })));
    let merged = world.forge.pull_request(1).await.unwrap();
    assert!(matches!(merged.state, PullRequestState::Merged { by, .. } if by.name == "lockkeeper"));
    assert!(world.take_told().contains(&Activity::Merged(1)));
}

#[tokio::test]
async fn squashes_into_one_commit() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    let commit = world.forge.merge(1, pull.head, "one", MergeMethod::Squash, Priority::Act).await.unwrap();
    let shown = world.mirror.first_parents(commit, 1).await.unwrap().remove(0);
    assert_eq!(shown.parents, [world.main]);
    assert_eq!(
        world.forge.merge(1, pull.head, "one", MergeMethod::Squash, Priority::Act).await.unwrap(),
        commit
    );
}

#[tokio::test]
async fn a_person_merges_by_the_same_rules() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    let refused = world.forge.merge_by(&li(), 1, pull.head).await;
    assert!(matches!(refused, Err(ForgeError::Refused { .. })));
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    assert!(world.forge.merge_by(&rob(), 1, pull.head).await.is_err(), "read does not merge");
    let commit = world.forge.merge_by(&li(), 1, pull.head).await.unwrap();
    let shown = world.mirror.first_parents(commit, 1).await.unwrap().remove(0);
    assert_eq!(shown.author_name, "li");
    assert!(shown.message.starts_with("Merge pull request #1 from b\n\npromote(prod)"));
}

#[tokio::test]
async fn does_not_merge_what_is_closed_or_conflicts() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    world.push("main", world.main, "image: theirs\n", "theirs").await;
    let conflict = world.forge.merge(1, pull.head, "m", MergeMethod::Merge, Priority::Act).await;
    assert!(matches!(conflict, Err(ForgeError::Moved { .. })), "{conflict:?}");
    world.forge.close_by(&sam(), 1).await.unwrap();
    world.forge.close_by(&sam(), 1).await.unwrap();
    let closed = world.forge.merge(1, pull.head, "m", MergeMethod::Merge, Priority::Act).await;
    assert!(matches!(closed, Err(ForgeError::Moved { .. })), "{closed:?}");
}

#[tokio::test]
async fn two_handles_merge_once() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    let other = world.again().await;
    let merge = |forge| async move {
        Forge::merge(forge, 1, pull.head, "m", MergeMethod::Merge, Priority::Act).await
    };
    let (one, two) = tokio::join!(merge(&*world.forge), merge(&other));
    let merged: Vec<_> = [&one, &two].into_iter().flatten().collect();
    assert!(!merged.is_empty(), "{one:?} {two:?}");
    let commit = world.mirror.tip("main").await.unwrap().unwrap();
    assert!(merged.iter().all(|found| **found == commit));
    assert_eq!(world.mirror.first_parents(commit, 10).await.unwrap().len(), 2);
    assert_eq!(merge(&other).await.unwrap(), commit);
}

/// Puts the thread back to open, as it was between the intent and the note of the merge.
fn forget_merge(world: &World) {
    let path = world.thread_file(1);
    let mut thread: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(thread["kind"]["pull"]["intents"].as_array().unwrap().len(), 1);
    thread["state"] = "open".into();
    thread["events"] = Value::Array(Vec::new());
    std::fs::write(&path, serde_json::to_vec(&thread).unwrap()).unwrap();
    std::fs::write(world.folder.path().join("forge/open/1"), "").unwrap();
}

#[tokio::test]
async fn a_crash_after_the_push_is_found_in_git() {
    for method in [MergeMethod::Merge, MergeMethod::Squash] {
        let world = World::new().await;
        let pull = world.pull("b").await;
        world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
        let commit = world.forge.merge(1, pull.head, "m", method, Priority::Act).await.unwrap();
        forget_merge(&world);
        world.push("main", commit, "image: later\n", "later").await;
        // The branch is gone by now: still merged, not closed.
        world.set_branch("b", None).await;
        assert_eq!(world.forge.merge(1, pull.head, "m", method, Priority::Act).await.unwrap(), commit);
        let state = world.forge.pull_request(1).await.unwrap().state;
        assert!(
            matches!(state, PullRequestState::Merged { commit: found, .. } if found == commit),
            "{state:?}"
        );
    }
}

#[tokio::test]
async fn a_crash_before_the_push_left_nothing() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    world.forge.merge(1, pull.head, "m", MergeMethod::Squash, Priority::Act).await.unwrap();
    forget_merge(&world);
    world.set_branch("main", Some(world.main)).await;
    assert_eq!(world.forge.pull_request(1).await.unwrap().state, PullRequestState::Open);
    world.tick(60);
    let commit = world.forge.merge(1, pull.head, "m", MergeMethod::Squash, Priority::Act).await.unwrap();
    assert_eq!(world.mirror.tip("main").await.unwrap(), Some(commit));
}

#[tokio::test]
async fn a_merge_past_the_forge_is_noticed() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    let merge = world.mirror.merge(world.main, pull.head, false, "by hand", &signature()).await.unwrap();
    let lockkeeper::repository::Merge::Clean(commit) = merge else { panic!("{merge:?}") };
    world.set_branch("main", Some(commit)).await;
    let state = world.forge.pull_request(1).await.unwrap().state;
    assert!(matches!(state, PullRequestState::Merged { commit: found, .. } if found == commit), "{state:?}");

    let world = World::new().await;
    world.pull("b").await;
    world.set_branch("b", Some(world.main)).await;
    let state = world.forge.pull_request(1).await.unwrap().state;
    assert!(matches!(state, PullRequestState::Closed { .. }), "moved back is closed, not merged: {state:?}");
}

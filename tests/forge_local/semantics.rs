use std::collections::BTreeSet;

use lockkeeper::forge::local::Activity;
use lockkeeper::forge::{
    Authors, Forge, ForgeError, Permission, Priority, PullRequestState, Reaction, Verdict,
};

use crate::support::*;

#[tokio::test]
async fn opens_once_per_branch_and_follows_its_tip() {
    let world = World::new().await;
    let first = world.pull("lockkeeper/normal/prod/checkout/aa-1").await;
    assert_eq!((first.number, first.state.clone(), first.mergeable), (1, PullRequestState::Open, Some(true)));
    assert_eq!(first.url, "http://127.0.0.1/forge/env/pulls/1");
    let again = world.forge.open(&new_pull("lockkeeper/normal/prod/checkout/aa-1")).await.unwrap();
    assert_eq!(again, first);
    let head = world.push(&first.branch, first.head, "image: other\n", "more").await;
    assert_eq!(world.forge.pull_request(1).await.unwrap().head, head);
    assert_eq!(world.forge.open_pull_requests("main").await.unwrap().len(), 1);
    assert_eq!(world.forge.open_pull_requests("other").await.unwrap().len(), 0);
    // The base changes the same line: a conflict now.
    world.push("main", world.main, "image: theirs\n", "conflict").await;
    assert_eq!(world.forge.pull_request(1).await.unwrap().mergeable, Some(false));
    world.set_branch(&first.branch, None).await;
    let gone = world.forge.pull_request(1).await.unwrap();
    assert!(matches!(gone.state, PullRequestState::Closed { by, .. } if by.name == "forge"));
    assert_eq!(world.forge.open_pull_requests("main").await.unwrap().len(), 0);
    assert_eq!(world.take_told(), [Activity::Opened(1), Activity::Closed(1)]);
}

#[tokio::test]
async fn refuses_to_open_what_is_no_pull_request() {
    let world = World::new().await;
    let missing = world.forge.open(&new_pull("nowhere")).await;
    assert!(matches!(missing, Err(ForgeError::NotFound { .. })), "{missing:?}");
    world.set_branch("same", Some(world.main)).await;
    let same = world.forge.open(&new_pull("same")).await;
    assert!(matches!(same, Err(ForgeError::Refused { .. })), "{same:?}");
    world.push("good", world.main, AFTER, "good").await;
    let mut new = new_pull("good");
    for (title, is_kept) in [("a".repeat(512), true), ("a".repeat(513), false), ("a\nb".to_owned(), false)] {
        new.title = title;
        assert_eq!(world.forge.open(&new).await.is_ok(), is_kept, "{}", new.title);
        if is_kept {
            world.forge.close(1).await.unwrap();
        }
    }
    let by_reader = world.forge.open_by(&rob(), new_pull("good")).await;
    assert!(matches!(by_reader, Err(ForgeError::Refused { .. })));
    assert_eq!(world.forge.open_by(&li(), new_pull("good")).await.unwrap().author, li());
}

#[tokio::test]
async fn a_review_counts_for_the_head_it_saw() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    let id = world.forge.review(&li(), 1, pull.head, Verdict::Approved).await.unwrap();
    assert_eq!(
        world.forge.review(&li(), 1, pull.head, Verdict::Approved).await.unwrap(),
        id,
        "no second one"
    );
    let newer = world.push("b", pull.head, "image: x\n", "more").await;
    let old = world.forge.review(&sam(), 1, pull.head, Verdict::Approved).await;
    assert!(matches!(old, Err(ForgeError::Moved { .. })), "{old:?}");
    world.forge.review(&sam(), 1, newer, Verdict::ChangesRequested).await.unwrap();
    let reviews = world.forge.pull_request(1).await.unwrap().reviews;
    let found: Vec<_> = reviews.iter().map(|review| (review.person.name.as_str(), review.head)).collect();
    assert_eq!(found, [("li", pull.head), ("sam", newer)]);
    for nobody in [rob(), ci(), person(99, "ghost")] {
        let refused = world.forge.review(&nobody, 1, newer, Verdict::Approved).await;
        assert!(matches!(refused, Err(ForgeError::Refused { .. })), "{nobody:?} {refused:?}");
    }
    let own = world.push("own", world.main, AFTER, "own").await;
    world.forge.open_by(&li(), new_pull("own")).await.unwrap();
    let refused = world.forge.review(&li(), 2, own, Verdict::Approved).await;
    assert!(matches!(refused, Err(ForgeError::Refused { .. })), "the author does not review");
    let told = world.take_told();
    assert_eq!(told, [Activity::Opened(1), Activity::Review(1), Activity::Review(1), Activity::Opened(2)]);
}

#[tokio::test]
async fn comments_are_read_in_order_and_edits_are_seen() {
    let world = World::new().await;
    world.pull("b").await;
    let issue = world.forge.upsert_issue("operations", "Operations", "write commands here").await.unwrap();
    let first = world.forge.write_comment(&rob(), 1, "/status").await.unwrap();
    let review = world.forge.pull_request(1).await.unwrap().head;
    world.forge.review(&li(), 1, review, Verdict::Approved).await.unwrap();
    let second = world.forge.write_comment(&sam(), issue, "/rollback prod\r\n").await.unwrap();
    assert!(second > first);
    let after = world.forge.comments_after(0, 10).await.unwrap();
    assert_eq!(after.iter().map(|comment| comment.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(after[1].body, "/rollback prod\n");
    assert_eq!(world.forge.comments_after(first, 10).await.unwrap().len(), 1);
    assert_eq!(world.forge.comments_after(0, 1).await.unwrap().len(), 1);
    assert_eq!(world.forge.comments_after(second, 10).await.unwrap(), []);
    world.tick(60);
    assert!(world.forge.edit_comment(&li(), first, "/promote").await.is_err(), "only the author edits");
    world.forge.edit_comment(&rob(), first, "/promote").await.unwrap();
    let edited = world.forge.comment(first).await.unwrap();
    assert!(edited.updated_at > edited.created_at);
    for (comment, error) in [(review_id(first), "not found"), (99, "not found"), (0, "not found")] {
        let found = world.forge.comment(comment).await;
        assert!(matches!(found, Err(ForgeError::NotFound { .. })), "{comment} {error} {found:?}");
    }
    let stranger = world.forge.write_comment(&person(4714, "eve"), 1, "hi").await;
    assert!(matches!(stranger, Err(ForgeError::Refused { .. })));
}

/// The review took the id after the first comment's.
fn review_id(first: u64) -> u64 {
    first + 1
}

#[tokio::test]
async fn keeps_one_comment_and_one_issue_by_marker() {
    let world = World::new().await;
    world.pull("b").await;
    // Somebody else's marker is not ours.
    world.forge.write_comment(&rob(), 1, "<!-- status -->\nfake").await.unwrap();
    let id = world.forge.upsert_comment(1, "status", "waiting", None).await.unwrap();
    assert_eq!(world.forge.comment(id).await.unwrap().body, "<!-- status -->\nwaiting");
    let told = world.take_told().len();
    world.tick(5);
    assert_eq!(world.forge.upsert_comment(1, "status", "<!-- status -->\nwaiting", None).await.unwrap(), id);
    let same = world.forge.comment(id).await.unwrap();
    assert_eq!(same.created_at, same.updated_at, "the same text is not written again");
    assert_eq!(world.forge.upsert_comment(1, "status", "live", None).await.unwrap(), id);
    assert_eq!(world.forge.comment(id).await.unwrap().body, "<!-- status -->\nlive");
    assert!(world.forge.upsert_comment(1, "a --> b", "x", None).await.is_err());
    assert_eq!((told, world.take_told().len()), (2, 0), "our own comments are not told");
    world.forge.react(id, Reaction::Eyes).await.unwrap();
    world.forge.react(id, Reaction::Rocket).await.unwrap();
    assert!(world.forge.react(99, Reaction::Rocket).await.is_err());

    let issue = world.forge.upsert_issue("ops", "Operations", "one").await.unwrap();
    assert_eq!(world.forge.upsert_issue("ops", "Operations", "two").await.unwrap(), issue);
    assert_ne!(world.forge.upsert_issue("other", "Operations", "two").await.unwrap(), issue);
    assert!(matches!(world.forge.pull_request(issue).await, Err(ForgeError::NotFound { .. })));
    world.forge.close_by(&li(), issue).await.unwrap();
    assert_ne!(
        world.forge.upsert_issue("ops", "Operations", "two").await.unwrap(),
        issue,
        "the closed one stays"
    );
}

#[tokio::test]
async fn two_handles_write_at_once_and_lose_nothing() {
    let world = World::new().await;
    world.pull("b").await;
    let other = world.again().await;
    let mut writes = Vec::new();
    for at in 0..20 {
        let forge = if at % 2 == 0 { &*world.forge } else { &other };
        writes.push(async move { forge.write_comment(&rob(), 1, &format!("comment {at}")).await.unwrap() });
    }
    let mut ids = futures::future::join_all(writes).await;
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    assert_eq!(other.comments_after(0, 100).await.unwrap().len(), 20);
    let status = |forge| async move { Forge::upsert_comment(forge, 1, "status", "x", None).await.unwrap() };
    let (one, two) = tokio::join!(status(&*world.forge), status(&other));
    assert_eq!(one, two, "one sticky comment among two processes");
    let branch = "c";
    world.push(branch, world.main, AFTER, "c").await;
    let new = new_pull(branch);
    let (one, two) = tokio::join!(world.forge.open(&new), other.open(&new));
    assert_eq!(one.unwrap().number, two.unwrap().number);
}

#[tokio::test]
async fn knows_standing_and_tokens() {
    let world = World::new().await;
    let teams = BTreeSet::from(["acme/sre".to_owned(), "acme/oncall".to_owned()]);
    for (id, permission, count) in [
        (4711, Permission::Write, 1),
        (4713, Permission::Read, 0),
        (9001, Permission::Read, 0),
        (5, Permission::None, 0),
        (1, Permission::None, 0),
    ] {
        let standing = world.forge.standing(id, &teams).await.unwrap();
        assert_eq!((standing.permission, standing.teams.len()), (permission, count), "{id}");
    }
    assert_eq!(world.forge.authenticate("li-token").await.unwrap(), Some(li()));
    assert_eq!(world.forge.authenticate("ci-token").await.unwrap(), Some(ci()));
    assert_eq!(world.forge.authenticate("li-tokeN").await.unwrap(), None);
    assert_eq!(world.forge.me().await.unwrap().name, "lockkeeper");
}

#[tokio::test]
async fn checks_carry_the_name_of_their_reporter() {
    let world = World::new().await;
    let pull = world.pull("b").await;
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    world.forge.report_check(&ci(), pull.head, passed("lockkeeper")).await.unwrap();
    world.forge.report_check(&ci(), pull.head, passed("lockkeeper")).await.unwrap();
    let checks = world.forge.pull_request(1).await.unwrap().checks;
    let apps: Vec<_> = checks.iter().map(|check| check.app.as_str()).collect();
    assert_eq!(apps, ["lockkeeper", "ci"], "an app cannot speak for lockkeeper");
    assert!(
        world.forge.report_check(&li(), pull.head, passed("e2e")).await.is_err(),
        "people report no checks"
    );
    let nowhere = "1".repeat(40).parse().unwrap();
    let missing = world.forge.report_check(&ci(), nowhere, passed("e2e")).await;
    assert!(matches!(missing, Err(ForgeError::NotFound { .. })), "{missing:?}");
    assert_eq!(world.take_told(), [Activity::Opened(1), Activity::Checked(pull.head)]);
}

#[tokio::test]
async fn authors_are_known_by_address_or_not_at_all() {
    let world = World::new().await;
    let second = world.push("main", world.main, "x\n", "second").await;
    let sources = [("https://git.example/checkout".to_owned(), world.folder.path().join("env.git"))].into();
    let forge = world.again().await.with_sources(sources);
    let (from, to) = (world.main.to_string(), second.to_string());
    let ask = async |source: &str, from: &str, to: &str| forge.authors(source, from, to).await.unwrap();
    assert_eq!(ask("https://git.example/checkout", &from, &to).await, Authors::Known(vec![li()]));
    assert_eq!(ask("https://git.example/checkout", &to, &to).await, Authors::Known(vec![]));
    let third = world.push("main", second, "y\n", "third").await.to_string();
    assert_eq!(ask("https://git.example/checkout", &to, &third).await, Authors::Known(vec![li()]), "fetched");
    let reason = |authors| match authors {
        Authors::Unknown(reason) => reason,
        Authors::Known(people) => panic!("{people:?}"),
    };
    assert!(reason(ask("https://git.example/other", &from, &to).await).contains("not in the settings"));
    let nowhere = "2".repeat(40);
    assert!(reason(ask("https://git.example/checkout", &nowhere, &to).await).contains("not in the source"));
}

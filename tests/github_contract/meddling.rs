//! What people do at GitHub that is no review and no command: it is waited for, or left alone.

use lockkeeper::forge::{Check, CheckStatus, Forge as _, Priority};
use lockkeeper::promotion::{Event, HoldKind};
use lockkeeper::store::Key;

use crate::commands::{At, Shop, Want};
use crate::github::{Fault, Verdict};

const COMMENT: &str = "GET /repos/{owner}/{repo}/issues/comments/{comment_id}";
const MEMBERSHIP: &str = "/orgs/acme/teams/sre/memberships/ines";

impl Shop {
    /// What our check on the open pull request says.
    fn check(&self) -> String {
        let head = self.engine.place.fake.thread(self.thread(At::Open)).pull.unwrap().head;
        let checks = self.engine.place.fake.check_runs(&head);
        let ours = checks.iter().filter(|check| check.app == "lockkeeper").max_by_key(|check| check.id);
        ours.map(|check| format!("{} {}", check.status, check.text.clone().unwrap_or_default())).unwrap()
    }

    fn is_merged(&self, number: u64) -> bool {
        self.engine.place.fake.thread(number).pull.unwrap().merged.is_some()
    }
}

#[tokio::test]
async fn what_people_do_beside_reviews_and_commands() {
    let Some(mut shop) = Shop::new().await else { return };
    drafts_and_auto_merge(&mut shop).await;
    merged_by_somebody_else(&mut shop).await;
    unreadable_teams(&mut shop).await;
    a_fork(&mut shop).await;
    a_comment_that_is_told_before_it_can_be_read(&mut shop).await;
    a_comment_that_is_edited_within_its_second(&mut shop).await;
    another_base_and_our_head(&mut shop).await;
    shop.engine.place.no_violations();
}

async fn drafts_and_auto_merge(shop: &mut Shop) {
    for (word, is_draft) in [("it is a draft: mark it as ready", true), ("auto-merge is on", false)] {
        shop.restore(false).await;
        let (fake, number) = (shop.engine.place.fake.clone(), shop.thread(At::Open));
        if is_draft {
            fake.make_draft("will", number);
        } else {
            fake.turn_auto_merge_on("will", number);
        }
        fake.review("ines", number, Verdict::Approved);
        shop.engine.settle().await;
        assert!(shop.check().starts_with("in_progress ") && shop.check().contains(word), "{}", shop.check());
        assert_eq!((shop.is_merged(number), fake.thread(number).state()), (false, "open"), "{word}");
        if is_draft {
            fake.ready("will", number);
        } else {
            fake.turn_auto_merge_off("will", number);
        }
        shop.engine.settle().await;
        assert!(shop.is_merged(number), "{}", shop.check());
    }
}

/// An administrator may go past the rules: it is not taken for our merge, and nobody's approval is recorded with it.
async fn merged_by_somebody_else(shop: &mut Shop) {
    shop.restore(false).await;
    let (fake, number) = (shop.engine.place.fake.clone(), shop.thread(At::Open));
    let before = shop.engine.count().await;
    fake.require_check(None);
    fake.merge_by("ada", number);
    shop.engine.settle().await;
    let key = Key::pipeline("env", "web".parse().unwrap());
    let entries = shop.engine.world.store.entries(&key, before, 100).await.unwrap();
    let events: Vec<Event> = entries.into_iter().map(|(_, entry)| entry.event).collect();
    let is_without_approval =
        |event: &Event| matches!(event, Event::Merged { approvals, .. } if approvals.is_empty());
    let is_hold = |event: &Event| matches!(event, Event::Held { kind: HoldKind::OutOfBand, .. });
    assert!(events.iter().any(is_without_approval) && events.iter().any(is_hold), "{events:?}");
    fake.require_check(Some("lockkeeper"));
}

/// Without the permission to read members nobody is in a team: the approval does not count, and all else goes on.
async fn unreadable_teams(shop: &mut Shop) {
    shop.restore(false).await;
    let (fake, number) = (shop.engine.place.fake.clone(), shop.thread(At::Open));
    for _ in 0..4 {
        fake.next(MEMBERSHIP, Fault::Before(403));
    }
    fake.review("ines", number, Verdict::Approved);
    shop.engine.settle().await;
    assert!(!shop.is_merged(number) && shop.check().contains("approval 0 of 1"), "{}", shop.check());
    while fake.has_fault(MEMBERSHIP) {
        shop.engine.look().await;
    }
    shop.engine.look().await;
    assert!(shop.is_merged(number), "{}", shop.check());
}

/// A branch of a fork may have any name, that of the base or one of ours: it is looked at by the ref that GitHub keeps.
async fn a_fork(shop: &mut Shop) {
    shop.restore(false).await;
    let (place, own) = (&shop.engine.place, shop.thread(At::Open));
    let ours = place.fake.thread(own).pull.unwrap().head_branch;
    for (file, text, as_name, wanted) in [
        ("readme.md", "hello".to_owned(), "main", "success"),
        ("prod/web.yaml", "image: other@sha256:1\n".to_owned(), ours.as_str(), "failure"),
    ] {
        place.push("theirs", file, &text);
        let number = place.fake.open_from_fork("stranger", "theirs", as_name);
        shop.engine.settle().await;
        let head = place.fake.thread(number).pull.unwrap().head;
        let checks = place.fake.check_runs(&head);
        let found: Vec<_> =
            checks.iter().map(|check| check.conclusion.as_deref().unwrap_or("none")).collect();
        assert_eq!(found, [wanted], "{as_name}: {checks:?}");
        assert!(place.fake.comments(number).is_empty());
    }
    assert_eq!(place.fake.thread(own).state(), "open");
}

async fn a_comment_that_is_told_before_it_can_be_read(shop: &mut Shop) {
    shop.restore(false).await;
    let (fake, number) = (shop.engine.place.fake.clone(), shop.thread(At::Open));
    fake.next(COMMENT, Fault::Before(404));
    let comment = fake.comment("sam", number, "/rollback prod INC-1");
    shop.engine.deliver().await;
    shop.engine.work().await;
    assert_eq!(shop.answered(number, comment, Want::Nothing), Ok(()), "not yet");
    shop.engine.place.pass(30);
    shop.engine.settle().await;
    assert_eq!(shop.answered(number, comment, Want::Done), Ok(()));
}

async fn a_comment_that_is_edited_within_its_second(shop: &mut Shop) {
    shop.restore(false).await;
    let (fake, number) = (shop.engine.place.fake.clone(), shop.thread(At::Open));
    let before = shop.engine.count().await;
    let comment = fake.comment("sam", number, "/status");
    fake.edit_comment("will", comment, "/rollback prod INC-1");
    shop.engine.settle().await;
    assert_eq!(shop.answered(number, comment, Want::Refused), Ok(()));
    assert!(!shop.engine.events(before).await.contains(&"requested".to_owned()));
}

/// Somebody leads an approved promotion to another branch, and somebody opens a pull request of the head that is ours.
async fn another_base_and_our_head(shop: &mut Shop) {
    shop.restore(false).await;
    let (place, number) = (&shop.engine.place, shop.thread(At::Open));
    let pull = place.fake.thread(number).pull.unwrap();
    place.git.update("refs/heads/mirror", &pull.head, "").unwrap();
    let theirs = place.fake.open_from_fork("stranger", "mirror", "theirs");
    shop.engine.settle().await;
    let runs = place.fake.check_runs(&pull.head);
    assert!(runs.iter().all(|run| run.conclusion.is_none()), "nothing is said of it: {runs:?}");
    assert!(place.fake.comments(theirs).is_empty());
    place.push("scratch", "notes.md", "hello");
    place.fake.retarget("will", number, "scratch");
    place.fake.review("ines", number, Verdict::Approved);
    shop.engine.settle().await;
    assert!(!shop.is_merged(number) && place.fake.thread(number).state() == "closed");
    let again = place.fake.thread(shop.thread(At::Open));
    assert_eq!((again.state(), again.pull.unwrap().base_branch.as_str()), ("open", "main"));
}

/// A token has no check: its gate is a status, and whoever may push can report the same one.
#[tokio::test]
async fn with_a_token_the_gate_is_a_status() {
    let world = crate::forge::with_token("grace").await;
    let (place, number) = (&world.place, world.place.pull("a", "a.yaml"));
    let (forge, head) = (&world.forge, world.head("a"));
    let gate = |status, summary: &str| Check {
        name: "lockkeeper".to_owned(),
        app: "lockkeeper".to_owned(),
        status,
        summary: summary.to_owned(),
        text: "every gate, at length".to_owned(),
    };
    let statuses = || world.calls("POST /repos/{owner}/{repo}/statuses/{sha}");
    let long = gate(CheckStatus::Pending, &"waits for an approval ".repeat(20));
    for written in [1, 1] {
        forge.set_check(head, &long, Priority::Gate).await.unwrap();
        assert_eq!(forge.pull_request(number).await.unwrap().checks, std::slice::from_ref(&long));
        assert_eq!(statuses(), written);
    }
    // Somebody else's is not ours, and ours is reported again.
    place.fake.set_status("ada", &head.to_string(), "lockkeeper", "success");
    let found = forge.pull_request(number).await.unwrap().checks;
    assert_eq!((found[0].app.as_str(), found[0].status), ("", CheckStatus::Passed));
    forge.set_check(head, &long, Priority::Gate).await.unwrap();
    assert_eq!((statuses(), forge.pull_request(number).await.unwrap().checks), (2, vec![long]));
    let open = gate(CheckStatus::Passed, "all gates are open");
    forge.set_check(head, &open, Priority::Act).await.unwrap();
    assert_eq!(forge.pull_request(number).await.unwrap().checks, [open]);
    place.no_violations();
}

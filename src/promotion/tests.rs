use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::command::Target;
use crate::image::{Digest, Pinned, Release};
use crate::pipeline::{Pipeline, Principal, StageName, parse};

const RULES: &str = "version: 1\npipelines:\n  - name: web\n    images: [{ repository: shop/web, follow: { semver: '*' } }]\n    stages:\n      - { name: dev, pins: [dev.yaml] }\n      - { name: prod, pins: [prod.yaml] }\n";

fn pipeline() -> Pipeline {
    parse(RULES.as_bytes()).unwrap().pipelines.remove(0)
}

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

fn stage(name: &str) -> StageName {
    name.parse().unwrap()
}

fn release(version: &str) -> Release {
    let pinned = Pinned { tag: Some(version.parse().unwrap()), digest: Digest::of(version.as_bytes()) };
    [("shop/web".parse().unwrap(), pinned)].into_iter().collect()
}

fn sam() -> Actor {
    Actor { id: 7, name: "sam".to_owned(), via: "comment 1".to_owned() }
}

/// `minute version lane`, in the order of time; the first is adopted.
fn history(name: &str, merges: &[(i64, &str, Lane)]) -> State {
    let mut state = State::default();
    for (index, (minute, version, lane)) in merges.iter().enumerate() {
        let event = if index == 0 {
            Event::Adopted { stage: stage(name), release: release(version) }
        } else {
            Event::Merged {
                stage: stage(name),
                lane: *lane,
                release: release(version),
                was: None,
                number: None,
                commit: "0".repeat(40),
                approvals: Vec::new(),
                signatures: Vec::new(),
                exceptions: Vec::new(),
                requested_by: None,
                reason: None,
            }
        };
        state.apply(&Entry { at: at(*minute), event }).unwrap();
    }
    state
}

#[test]
fn soak_is_the_longest_unbroken_stretch_by_promotion() {
    use Lane::{Normal, Rollback};
    let check = |merges: &[(i64, &str, Lane)], version: &str, now: i64, want: Option<u64>| {
        let state = history("dev", merges);
        let found = state.stints(&stage("dev")).unwrap().longest(&release(version), at(now));
        assert_eq!(found.map(|length| length.as_secs() / 60), want, "{merges:?} {version} at {now}");
    };
    let twice = [(0, "1", Normal), (10, "2", Normal), (15, "3", Normal), (20, "2", Normal)];
    check(&twice, "1", 99, None);
    check(&twice, "2", 22, Some(5));
    check(&twice, "2", 26, Some(6));
    check(&twice, "3", 99, Some(5));
    check(&twice, "9", 99, None);
    let rolled_back = [(0, "1", Normal), (10, "2", Normal), (50, "1", Rollback)];
    check(&rolled_back, "2", 99, None);
    check(&rolled_back, "1", 60, None);
    let restored = [(0, "0", Normal), (5, "1", Normal), (10, "2", Normal), (50, "1", Rollback)];
    check(&restored, "1", 60, Some(10));
    let again = [(0, "1", Normal), (10, "2", Normal), (50, "1", Rollback), (60, "2", Normal)];
    check(&again, "2", 63, Some(3));
}

#[test]
fn a_rollback_goes_to_the_latest_good_release() {
    use Lane::{Normal, Rollback};
    let check =
        |merges: &[(i64, &str, Lane)], wanted: Option<&str>, absent: &[&str], want: Result<&str, &str>| {
            let mut state = history("prod", merges);
            let veto = Event::Vetoed {
                stage: stage("dev"),
                digests: release("vetoed").digests(),
                version: "vetoed".to_owned(),
                by: sam(),
                reason: None,
            };
            state.apply(&Entry { at: at(0), event: veto }).unwrap();
            let wanted = wanted.map(|version| Target::Version(version.to_owned()));
            let absent: Vec<Digest> = absent.iter().map(|version| Digest::of(version.as_bytes())).collect();
            let found = target(&state, &pipeline(), &stage("prod"), wanted.as_ref(), &absent);
            match (found, want) {
                (Ok(stint), Ok(version)) => assert_eq!(stint.release.version(), version, "{merges:?}"),
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
                (found, want) => panic!("{found:?}, wanted {want:?}"),
            }
        };
    let three = [(0, "1", Normal), (10, "2", Normal), (20, "3", Normal)];
    check(&three, None, &[], Ok("2"));
    check(&three, None, &["2"], Ok("1"));
    check(&three, None, &["1", "2"], Err("2 is not in the registry; 1 is not in the registry"));
    check(&three, Some("1"), &[], Ok("1"));
    check(&three, Some("3"), &[], Err("is live here already"));
    check(&three, Some("9"), &[], Err("no release `9` was live in this stage; seen here: 2; 1"));
    let after = [(0, "1", Normal), (10, "2", Normal), (20, "3", Normal), (30, "2", Rollback)];
    check(&after, None, &[], Ok("1"));
    let vetoed = [(0, "1", Normal), (10, "vetoed", Normal), (20, "3", Normal)];
    check(&vetoed, None, &[], Ok("1"));
    check(&vetoed, Some("vetoed"), &[], Err("is vetoed here by sam"));
    check(&[(0, "1", Normal)], None, &[], Err("no earlier release"));
}

#[test]
fn an_approval_counts_for_one_head_from_those_who_may() {
    let team = || Principal::Team("acme/sre".to_owned());
    let ballot = || Ballot {
        review: 1,
        person: 7,
        name: "sam".to_owned(),
        approves: true,
        head: "a".to_owned(),
        at: at(10),
        is: BTreeSet::from([team()]),
        may_write: true,
        bot: false,
    };
    let check = |ballot: Ballot,
                 from: &[Principal],
                 requester: Option<u64>,
                 void: Option<i64>,
                 want: Option<Discount>| {
        let authors = BTreeSet::from([8]);
        let (counted, discounted) = count(&[ballot], "a", from, requester, &authors, void.map(at));
        assert_eq!(discounted.into_values().next(), want);
        assert_eq!(counted.len(), usize::from(want.is_none()));
    };
    check(ballot(), &[team()], None, None, None);
    check(ballot(), &[], None, None, None);
    check(Ballot { head: "b".to_owned(), ..ballot() }, &[team()], None, None, Some(Discount::OlderHead));
    check(ballot(), &[team()], Some(7), None, Some(Discount::Requester));
    check(ballot(), &[team()], Some(9), None, None);
    check(Ballot { person: 8, ..ballot() }, &[team()], None, None, Some(Discount::Author));
    check(Ballot { is: BTreeSet::new(), ..ballot() }, &[team()], None, None, Some(Discount::NotAllowed));
    check(Ballot { may_write: false, ..ballot() }, &[], None, None, Some(Discount::NotAllowed));
    check(Ballot { bot: true, ..ballot() }, &[team()], None, None, Some(Discount::Bot));
    check(ballot(), &[team()], None, Some(10), Some(Discount::Void));
    check(ballot(), &[team()], None, Some(9), None);
    let (none, _) =
        count(&[Ballot { approves: false, ..ballot() }], "a", &[team()], None, &BTreeSet::new(), None);
    assert_eq!(none, []);
}

#[test]
fn a_veto_counts_from_its_stage_on_by_digest() {
    let check = |from: &str, at_stage: &str, version: &str, want: bool| {
        let mut state = State::default();
        let event = Event::Vetoed {
            stage: stage(from),
            digests: release("2").digests(),
            version: "2".to_owned(),
            by: sam(),
            reason: None,
        };
        state.apply(&Entry { at: at(0), event }).unwrap();
        assert_eq!(state.veto(&pipeline(), &stage(at_stage), &release(version)).is_some(), want);
    };
    check("dev", "dev", "2", true);
    check("dev", "prod", "2", true);
    check("prod", "dev", "2", false);
    check("dev", "prod", "3", false);
}

#[test]
fn an_event_that_cannot_follow_is_an_error() {
    let mut state = State::default();
    let event = Event::Proposed { stage: stage("dev"), number: 1, head: "0".repeat(40), waits_for: None };
    let error = state.apply(&Entry { at: at(0), event }).unwrap_err();
    assert!(error.to_string().contains("event `proposed` of stage dev"), "{error}");
}

#[test]
fn events_are_stored_and_read_back() {
    let entry = Entry {
        at: at(1),
        event: Event::Closed { stage: stage("dev"), number: 3, why: Why::Superseded { by: "2".to_owned() } },
    };
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(
        text,
        r#"{"at":"1970-01-01T00:01:00Z","event":"closed","stage":"dev","number":3,"why":"superseded","by":"2"}"#
    );
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
}

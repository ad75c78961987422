use super::collect::List;
use super::print::{document, patterns, purges, warnings};
use crate::image::{Digest, Pinned, Release, Repository};
use crate::pipeline::StageName;
use crate::promotion::{Actor, Entry, Event, Lane, State};
use crate::store::Key;

fn release(repository: &str, tag: &str, n: u8) -> Release {
    let repository: Repository = repository.parse().unwrap();
    let pinned = Pinned { tag: Some(tag.parse().unwrap()), digest: Digest::of(&[n]) };
    [(repository, pinned)].into_iter().collect()
}

fn merged(stage: &StageName, lane: Lane, release: Release) -> Event {
    Event::Merged {
        stage: stage.clone(),
        lane,
        release,
        was: None,
        number: Some(1),
        commit: "0".repeat(40),
        approvals: Vec::new(),
        signatures: Vec::new(),
        exceptions: Vec::new(),
        requested_by: None,
        reason: None,
    }
}

/// A list of what these merges into one stage leave behind.
fn list(merges: &[(Lane, Release)], bad: Option<Release>, earlier: usize) -> List {
    of(&state(merges, bad), earlier)
}

fn of(state: &State, earlier: usize) -> List {
    let mut list = List::default();
    list.add_state(&Key::pipeline("env", "web".parse().unwrap()), state, earlier);
    list
}

fn state(merges: &[(Lane, Release)], bad: Option<Release>) -> State {
    let stage: StageName = "prod".parse().unwrap();
    let mut state = State::default();
    let at = |n: usize| format!("2026-03-02T09:{n:02}:00Z").parse().unwrap();
    for (n, (lane, release)) in merges.iter().enumerate() {
        state.apply(&Entry { at: at(n), event: merged(&stage, *lane, release.clone()) }).unwrap();
    }
    if let Some(bad) = bad {
        let event = Event::Vetoed {
            stage: stage.clone(),
            digests: bad.images().map(|(_, pinned)| pinned.digest).collect(),
            version: "bad".to_owned(),
            by: Actor { id: 1, name: "sam".to_owned(), via: "cli".to_owned() },
            reason: None,
        };
        state.apply(&Entry { at: at(50), event }).unwrap();
    }
    state
}

/// The kept tags and why, a line each.
fn lines(list: &List) -> Vec<String> {
    let line = |((_, _), kept): (&(Repository, Digest), &super::collect::Kept)| {
        let tags: Vec<&str> = kept.tags.iter().map(crate::image::Tag::as_str).collect();
        let whys: Vec<&str> = kept.whys.iter().map(|why| why.rsplit(' ').next().unwrap()).collect();
        format!("{} {}", tags.join(","), whys.join(","))
    };
    let mut lines: Vec<String> = list.images.iter().map(line).collect();
    lines.sort();
    lines
}

fn web(tag: &str, n: u8) -> Release {
    release("acme.azurecr.io/shop/web.api", tag, n)
}

#[test]
fn earlier_releases_count_only_if_they_are_good_and_not_live() {
    let merges: Vec<(Lane, Release)> = (0..5).map(|n| (Lane::Normal, web(&format!("1.{n}"), n))).collect();
    assert_eq!(lines(&list(&merges, None, 2)), ["1.2 earlier", "1.3 earlier", "1.4 live"]);
    assert_eq!(lines(&list(&merges, Some(web("1.3", 3)), 2)), ["1.1 earlier", "1.2 earlier", "1.4 live"]);
    assert_eq!(lines(&list(&merges, None, 0)), ["1.4 live"]);
}

#[test]
fn a_pattern_keeps_anchors_and_signatures_too() {
    let list = list(&[(Lane::Normal, web("1.4.2", 1))], None, 0);
    let hex = Digest::of(&[1]).hex();
    let tags = format!(r"1\.4\.2|lockkeeper-{}|sha256-{hex}(\.(sig|att|sbom))?", &hex[..16]);
    assert_eq!(patterns(&list), format!("acme.azurecr.io/shop/web.api: ^({tags})$\n"));
    let filter = format!(r"shop/web\.api:^(?!({tags})$).*");
    let command = format!("acr purge --registry acme.azurecr.io --filter '{filter}' --ago 30d --dry-run\n");
    assert_eq!(purges(&list), command);
    let json = document(&list);
    assert_eq!(json["images"][0]["signatures"], format!("sha256-{hex}"));
    assert_eq!(json["complete"], true);
}

#[test]
fn channels_are_kept_too() {
    let mut list = list(&[(Lane::Normal, web("1.4.2", 1))], None, 0);
    let (repository, _) = list.images.keys().next().unwrap().clone();
    list.channels.entry(repository).or_default().insert("prod-1.x".parse().unwrap());
    assert!(purges(&list).contains(r"|prod-1\.x|"), "{}", purges(&list));
    assert_eq!(document(&list)["channels"][0]["tags"], serde_json::json!(["prod-1.x"]));
}

#[test]
fn what_may_still_be_promoted_is_kept() {
    let merges: Vec<(Lane, Release)> = (0..9).map(|n| (Lane::Normal, web(&format!("1.{n}"), n))).collect();
    let mut state = state(&merges, None);
    // Another stage has what never came through here: any of them may be next there.
    let canary: StageName = "canary".parse().unwrap();
    let at = "2026-03-02T10:00:00Z".parse().unwrap();
    state.apply(&Entry { at, event: Event::Adopted { stage: canary, release: web("0.9", 99) } }).unwrap();
    for n in 100..110 {
        let release = web(&format!("2.{n}"), n);
        state.apply(&Entry { at, event: Event::Seen { release } }).unwrap();
    }
    let lines = lines(&of(&state, 0));
    for kept in ["1.0 passed", "1.7 passed", "1.8 live", "0.9 live", "2.100 candidate", "2.109 candidate"] {
        assert!(lines.iter().any(|line| line == kept), "{kept}: {lines:?}");
    }
}

#[test]
fn what_a_pattern_cannot_keep_is_said() {
    let main = |n: u8| (Lane::Normal, release("nginx", "main", n));
    let list = list(&[main(1), main(2)], None, 5);
    let warnings = warnings(&list, true);
    assert_eq!(
        warnings,
        [
            "docker.io/library/nginx:main moved: it names one of 2 digests that have to stay, the others need their anchors",
            "not at Azure, and left out: docker.io/library/nginx",
        ]
    );
    assert_eq!(purges(&list), "");
}

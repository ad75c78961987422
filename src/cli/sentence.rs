//! Events as sentences.

use jiff::Timestamp;

use super::show::{minute, plain};
use crate::image::{Digest, Release};
use crate::pipeline::StageName;
use crate::promotion::{
    Actor, Event, Followed, HoldKind, Lane, Outcome, Signer, WatchBegan, WatchEnded, Why,
};
use crate::pull_request::DeploymentStanding;

/// An event, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The stage it is about; none: the pipeline.
    pub(super) stage: Option<StageName>,
    /// One line.
    pub(super) text: String,
    /// Whether it tells what became of a stage, or only how lockkeeper got there.
    pub(super) weight: Weight,
}

/// How much an event matters to those who ask what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Somebody decided, or something moved.
    History,
    /// A step on the way.
    Detail,
}

/// Says what happened.
pub(super) fn event(event: &Event) -> Told {
    Told { stage: stage_of(event).cloned(), text: plain(&text_of(event)), weight: weight_of(event) }
}

fn stage_of(event: &Event) -> Option<&StageName> {
    match event {
        Event::Started { .. }
        | Event::Seen { .. }
        | Event::Unvetoed { .. }
        | Event::IssueOpened { .. }
        | Event::Answered { .. }
        | Event::Announced { .. }
        | Event::FileBroken { .. }
        | Event::FileMended
        | Event::Untagged { .. }
        | Event::Replied { .. } => None,
        Event::Adopted { stage, .. }
        | Event::Requested { stage, .. }
        | Event::Proposing { stage, .. }
        | Event::Proposed { stage, .. }
        | Event::Abandoned { stage, .. }
        | Event::MergeFailed { stage }
        | Event::Interrupted { stage, .. }
        | Event::RetryAsked { stage, .. }
        | Event::Merging { stage, .. }
        | Event::Merged { stage, .. }
        | Event::Closing { stage, .. }
        | Event::Closed { stage, .. }
        | Event::OutOfBand { stage, .. }
        | Event::Held { stage, .. }
        | Event::Resumed { stage, .. }
        | Event::Frozen { stage, .. }
        | Event::Unfrozen { stage, .. }
        | Event::Vetoed { stage, .. }
        | Event::Loosened { stage, .. }
        | Event::Missing { stage, .. }
        | Event::Observed { stage, .. }
        | Event::Found { stage, .. }
        | Event::Tagged { stage, .. }
        | Event::Drifted { stage, .. }
        | Event::WatchBegan(WatchBegan { stage, .. })
        | Event::WatchEnded(WatchEnded { stage, .. })
        | Event::Mirrored { stage, .. } => Some(stage),
    }
}

fn weight_of(event: &Event) -> Weight {
    match event {
        Event::Seen { .. }
        | Event::IssueOpened { .. }
        | Event::Answered { .. }
        | Event::Announced { .. }
        | Event::Mirrored { .. }
        | Event::Replied { .. }
        | Event::Proposing { .. }
        | Event::Abandoned { .. }
        | Event::MergeFailed { .. }
        | Event::Closing { .. }
        | Event::Tagged { was: None, .. }
        | Event::Untagged { .. }
        | Event::Observed { until: Some(_), .. }
        | Event::WatchBegan(_)
        | Event::Merging { .. } => Weight::Detail,
        Event::Started { .. }
        | Event::Unvetoed { .. }
        | Event::FileBroken { .. }
        | Event::FileMended
        | Event::Missing { .. }
        | Event::Observed { until: None, .. }
        | Event::WatchEnded(_)
        | Event::Found { .. }
        | Event::Tagged { was: Some(_), .. }
        | Event::Drifted { .. }
        | Event::Adopted { .. }
        | Event::Requested { .. }
        | Event::Proposed { .. }
        | Event::Interrupted { .. }
        | Event::RetryAsked { .. }
        | Event::Merged { .. }
        | Event::Closed { .. }
        | Event::OutOfBand { .. }
        | Event::Held { .. }
        | Event::Resumed { .. }
        | Event::Frozen { .. }
        | Event::Unfrozen { .. }
        | Event::Vetoed { .. }
        | Event::Loosened { .. } => Weight::History,
    }
}

fn loosened(what: &[String]) -> String {
    if what.is_empty() {
        return "gates are no looser than they were any more".to_owned();
    }
    format!("gates got looser, approvals are void: {}", what.join("; "))
}

fn text_of(event: &Event) -> String {
    match event {
        Event::Started { by } => format!("started by {}", actor(by)),
        Event::Adopted { release, .. } => format!("{} was there", version(release)),
        Event::Seen { release } => format!("{} is seen in the registry", version(release)),
        Event::Requested { lane, release, by, reason, .. } => {
            let (lane, why) = (lane_noun(*lane), why(reason.as_deref()));
            format!("{lane} to {} asked for by {}{why}", version(release), actor(by))
        }
        Event::Proposing { lane, release, was, .. } => {
            format!("{}: {} → {}", lane_noun(*lane), version_or_none(was.as_ref()), version(release))
        }
        Event::Proposed { number, .. } => format!("pull request {number} is open"),
        Event::Abandoned { attempt, .. } => format!("attempt {attempt} is given up before it was open"),
        Event::MergeFailed { .. } => "the forge did not merge".to_owned(),
        Event::Interrupted { number, .. } => {
            format!("somebody pushed to pull request {number}: it is stopped")
        }
        Event::RetryAsked { by, .. } => format!("another attempt asked for by {}", actor(by)),
        Event::Merging { number, .. } => format!("pull request {number} is being merged"),
        Event::Merged { .. } => merged(event),
        Event::Closing { number, why, .. } => {
            format!("pull request {number} is being closed: {}", closed_word(why))
        }
        Event::Closed { number, why, .. } => {
            format!("pull request {number} is closed: {}", closed_word(why))
        }
        Event::OutOfBand { found, replaced, .. } => {
            let (old, new) = (version_or_none(replaced.as_ref()), version_or_none(found.as_ref()));
            format!("changed by somebody else: {old} → {new}")
        }
        Event::Held { kind, by, reason, until, .. } => {
            format!("{}{}, by {}{}", hold_word(*kind), end(*until), actor(by), why(reason.as_deref()))
        }
        Event::Resumed { by, reason, .. } => {
            format!("resumed by {}{}", actor(by), why(reason.as_deref()))
        }
        Event::Frozen { by, reason, until, .. } => {
            format!("frozen{}, by {}{}", end(*until), actor(by), why(reason.as_deref()))
        }
        Event::Unfrozen { by, reason, .. } => {
            format!("no longer frozen, by {}{}", actor(by), why(reason.as_deref()))
        }
        Event::Vetoed { version, by, reason, .. } => {
            format!("{version} vetoed from here on by {}{}", actor(by), why(reason.as_deref()))
        }
        Event::Unvetoed { by, reason, digests } => {
            let digests: Vec<String> = digests.iter().map(Digest::short).collect();
            let why = why(reason.as_deref());
            format!("veto on {} taken back by {}{why}", digests.join(", "), actor(by))
        }
        Event::Loosened { what, .. } => loosened(what),
        Event::IssueOpened { .. } => "the operations issue is open".to_owned(),
        Event::Answered { command, outcome, .. } => {
            format!("command {command} is answered: {}", outcome_word(*outcome))
        }
        Event::Announced { number } => format!("pull request {number} tells how it went on"),
        Event::Mirrored { commit, standing, .. } => {
            format!("the forge shows {} as {}", short(commit), standing_word(*standing))
        }
        Event::Observed { .. } | Event::WatchBegan(_) | Event::WatchEnded(_) => of_what_runs(event),
        Event::Missing { .. }
        | Event::Found { .. }
        | Event::Tagged { .. }
        | Event::Drifted { .. }
        | Event::Untagged { .. } => of_registry(event),
        Event::FileBroken { text } => format!("lockkeeper.yaml cannot be used: {text}"),
        Event::FileMended => "lockkeeper.yaml can be used again".to_owned(),
        Event::Replied { command } => format!("the reply to {command} is written"),
    }
}

/// What was seen of what runs; nothing for another event.
fn of_what_runs(event: &Event) -> String {
    if let Event::Observed { release, seen, .. } = event {
        format!("{} is live by the record; {} says: {seen}", version(release), seen.source)
    } else if let Event::WatchBegan(WatchBegan { release, until, .. }) = event {
        format!("{} is watched until {}", version(release), minute(*until))
    } else if let Event::WatchEnded(ended) = event {
        watched(ended)
    } else {
        String::new()
    }
}

fn watched(ended: &WatchEnded) -> String {
    let followed = match ended.followed {
        Followed::Nothing => "",
        Followed::Told => "; nothing was done by itself",
        Followed::Held => "; the stage is held",
        Followed::RollingBack => "; the stage goes back by itself",
    };
    format!("watch of {} {}: {}{followed}", version(&ended.release), ended.end, ended.why)
}

/// What happened in a registry; nothing for another event.
fn of_registry(event: &Event) -> String {
    if let Event::Missing { what, .. } = event {
        format!("the registry does not have {what} any more")
    } else if let Event::Found { repository, digest, .. } = event {
        format!("the registry has {repository}@{} again", digest.short())
    } else if let Event::Tagged { repository, tag, digest, was, .. } = event {
        let was = was.filter(|was| was != digest);
        let was = was.map_or_else(String::new, |was| format!(", and named {} before", was.short()));
        format!("{repository}:{tag} names {}{was}", digest.short())
    } else if let Event::Drifted { repository, tag, wanted, found, .. } = event {
        let (wanted, name) = (wanted.short(), format!("{repository}:{tag}"));
        match found {
            Some(found) if found.short() == wanted => format!("{name} names {wanted} again"),
            Some(found) => {
                format!("somebody else moved {name} to {}, it was to name {wanted}", found.short())
            }
            None => format!("somebody else removed {name}, it was to name {wanted}"),
        }
    } else if let Event::Untagged { repository, tag, kept } = event {
        let kept = kept.as_ref().map_or_else(String::new, |why| format!(", and stays: {why}"));
        format!("{repository}:{tag} is needed no more{kept}")
    } else {
        String::new()
    }
}

/// A merge, with who let it through; nothing for another event.
fn merged(event: &Event) -> String {
    let Event::Merged {
        lane,
        release,
        was,
        number,
        approvals,
        signatures,
        exceptions,
        requested_by,
        reason,
        ..
    } = event
    else {
        return String::new();
    };
    let lane = match lane {
        Lane::Normal => "promoted",
        Lane::Hotfix => "hotfix",
        Lane::Rollback => "rolled back",
    };
    let mut text = format!("{lane}: {} → {}", version_or_none(was.as_ref()), version(release));
    text.extend(number.map(|number| format!(", pull request {number}")));
    text.extend(requested_by.as_ref().map(|by| format!(", asked for by {}", actor(by))));
    let names: Vec<&str> = approvals.iter().map(|approval| approval.person.name.as_str()).collect();
    text.extend((!names.is_empty()).then(|| format!(", approved by {}", names.join(", "))));
    let signers: Vec<String> = signatures.iter().map(|signature| signer(&signature.by)).collect();
    text.extend((!signers.is_empty()).then(|| format!(", signed by {}", signers.join(", "))));
    text.extend(exceptions.iter().map(|exception| format!(", past {exception}")));
    text + &why(reason.as_deref())
}

fn signer(by: &Signer) -> String {
    match by {
        Signer::Key { key, .. } => format!("key {key}"),
        Signer::Keyless(keyless) => keyless.identity().to_owned(),
    }
}

pub(super) fn standing_word(standing: DeploymentStanding) -> &'static str {
    match standing {
        DeploymentStanding::Live => "live",
        DeploymentStanding::RolledBack => "rolled back",
        DeploymentStanding::Replaced => "replaced",
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// How a command ended, in a word.
pub(super) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Denied => "denied",
        Outcome::Unknown => "not understood",
    }
}

pub(super) fn version(release: &Release) -> String {
    format!("{} ({})", release.version(), release.short())
}

fn version_or_none(release: Option<&Release>) -> String {
    release.map_or_else(|| "no digest".to_owned(), version)
}

fn actor(actor: &Actor) -> String {
    format!("{} ({})", actor.name, actor.via)
}

fn end(until: Option<Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!(" until {}", minute(until)))
}

fn why(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

fn lane_noun(lane: Lane) -> &'static str {
    match lane {
        Lane::Normal => "promotion",
        Lane::Hotfix => "hotfix",
        Lane::Rollback => "rollback",
    }
}

fn hold_word(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::Person => "held",
        HoldKind::Rollback => "held after the rollback",
        HoldKind::OutOfBand => "held, as it was changed by somebody else",
        HoldKind::Watch => "held after the watch",
    }
}

fn closed_word(why: &Why) -> String {
    match why {
        Why::Superseded { by } => format!("{by} takes its place"),
        Why::Refused { by, .. } => format!("refused by {}", actor(by)),
        Why::Preempted => "a rollback overtook it".to_owned(),
        Why::Vetoed => "its release is vetoed".to_owned(),
        Why::Stale => "it was made from pins that are no longer there".to_owned(),
        Why::Retried => "another attempt was asked for".to_owned(),
        Why::Withdrawn => "a person acted, so lockkeeper does not go back by itself".to_owned(),
        Why::Removed => "its stage is gone from lockkeeper.yaml".to_owned(),
    }
}

//! Commit messages, and reading them back: the merge commit carries the record.

use jiff::Timestamp;

use super::super::gates::MergeGates;
use super::super::snapshot::Snapshot;
use super::{promotion_id, title};
use crate::image::{Digest, Pinned, Release, Repository};
use crate::pipeline::{PipelineName, Stage, StageName};
use crate::promotion::{Actor, Approval, Entry, Event, HoldKind, Lane, Proposal, Signature, Signer};
use crate::signature::{Keyless, Scheme};

/// The message of the commit on the branch. It names the promotion, so that a branch of ours is known again.
pub(in super::super) fn branch_commit(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> String {
    let mut message = title(snapshot, stage, proposal);
    message.push_str("\n\n");
    message.push_str(&trailer("Promotion", promotion_id(proposal)));
    for change in changes(&proposal.release, proposal.was.as_ref()) {
        message.push_str(&trailer("Change", &change));
    }
    message
}

/// The message of the merge commit: what `git log` answers when the bot is down, and what an empty store is rebuilt
/// from.
pub(in super::super) fn merge_commit(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    gates: &MergeGates,
) -> String {
    let mut message = title(snapshot, stage, proposal);
    message.push_str("\n\n");
    message.push_str(&trailer("Promotion", promotion_id(proposal)));
    message.push_str(&trailer("Lane", &proposal.lane.to_string()));
    message.push_str(&trailer("Pipeline", snapshot.pipeline.name.as_str()));
    message.push_str(&trailer("Stage", stage.name.as_str()));
    if let Some(group) = &stage.group {
        message.push_str(&trailer("Group", group.as_str()));
    }
    for change in changes(&proposal.release, proposal.was.as_ref()) {
        message.push_str(&trailer("Change", &change));
    }
    if let Some(reason) = &gates.unknown_authors {
        message.push_str(&trailer("Unknown-Authors", &format!("allowed: {reason}")));
    }
    for Approval { person, review, head } in &gates.approvals {
        let value = format!("{} {} review-{review} {head}", person.name, person.id);
        message.push_str(&trailer("Approved-By", &value));
    }
    for exception in &gates.exceptions {
        message.push_str(&trailer("Exception", exception));
    }
    for signature in &gates.signatures {
        message.push_str(&trailer("Signed", &signed(signature)));
    }
    if let Some(by) = &proposal.requested_by {
        message.push_str(&trailer("Requested-By", &format!("{} {} {}", by.name, by.id, by.via)));
    }
    if let Some(reason) = &proposal.reason {
        message.push_str(&trailer("Reason", reason));
        if let Some(incident) = super::incident(reason) {
            message.push_str(&trailer("Incident", &incident));
        }
    }
    message
}

/// One line of the trailer block; the value stays on its line.
pub(super) fn trailer(key: &str, value: &str) -> String {
    format!("Lockkeeper-{key}: {}\n", one_line_untruncated(value))
}

/// A trailer holds full digests and heads, so it is cleaned and not shortened: references are bounded by their types,
/// reasons by the comment grammar.
fn one_line_untruncated(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// `repository tag@digest was tag@digest`, one line an image that changes.
pub(super) fn changes(release: &Release, was: Option<&Release>) -> Vec<String> {
    let changed = release.images().filter(|(repository, pinned)| {
        let before = was.and_then(|was| was.get(repository));
        before.is_none_or(|before| before.digest != pinned.digest)
    });
    changed
        .map(|(repository, pinned)| {
            let before = was.and_then(|was| was.get(repository));
            let before = before.map_or_else(|| "-".to_owned(), ToString::to_string);
            format!("{repository} {pinned} was {before}")
        })
        .collect()
}

/// What the trailers of one merge commit say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The lane.
    pub lane: Lane,
    /// The stage.
    pub stage: StageName,
    /// Each image that changed: what it became and what it was.
    pub changes: Vec<(Repository, Pinned, Option<Pinned>)>,
    /// The approvals.
    pub approvals: Vec<Approval>,
    /// The signatures.
    pub signatures: Vec<Signature>,
    /// The exceptions.
    pub exceptions: Vec<String>,
    /// Who asked.
    pub requested_by: Option<Actor>,
    /// Why.
    pub reason: Option<String>,
    /// When it was merged.
    pub at: Timestamp,
    /// The commit on the base branch, 40 hex digits.
    pub commit: String,
}

/// Reads the trailers of a merge commit of `pipeline`; none if it is not one.
///
/// Source: our own [`merge_commit`]; lines that say something else are passed over.
#[must_use]
pub fn recorded(
    pipeline: &PipelineName,
    trailers: &[(String, String)],
    at: Timestamp,
    commit: &str,
) -> Option<Recorded> {
    let get = |key: &str| {
        let wanted = format!("Lockkeeper-{key}");
        trailers.iter().find(|(found, _)| found == &wanted).map(|(_, value)| value.as_str())
    };
    let all = |key: &str| {
        let wanted = format!("Lockkeeper-{key}");
        trailers.iter().filter(move |(found, _)| found == &wanted).map(|(_, value)| value.as_str())
    };
    if get("Pipeline")? != pipeline.as_str() {
        return None;
    }
    let lane = match get("Lane")? {
        "normal" => Lane::Normal,
        "hotfix" => Lane::Hotfix,
        "rollback" => Lane::Rollback,
        _ => return None,
    };
    let changes: Vec<_> = all("Change").filter_map(change).collect();
    if changes.is_empty() {
        return None;
    }
    Some(Recorded {
        lane,
        stage: get("Stage")?.parse().ok()?,
        changes,
        approvals: all("Approved-By").filter_map(approval).collect(),
        signatures: all("Signed").filter_map(signature).collect(),
        exceptions: all("Exception").map(str::to_owned).collect(),
        requested_by: get("Requested-By").and_then(requester),
        reason: get("Reason").map(str::to_owned),
        at,
        commit: commit.to_owned(),
    })
}

impl Recorded {
    /// The events that this commit stands for, after `before` was live there: the merge, and what a rollback brings.
    #[must_use]
    pub fn entries(self, before: Option<&Release>) -> (Release, Vec<Entry>) {
        let was: Release = match before {
            Some(before) => before.clone(),
            None => {
                self.changes.iter().filter_map(|(name, _, was)| Some((name.clone(), was.clone()?))).collect()
            }
        };
        let mut release = was.clone();
        for (repository, pinned, _) in &self.changes {
            release.insert(repository.clone(), pinned.clone());
        }
        let by = self.requested_by.clone().unwrap_or_else(Actor::lockkeeper);
        let mut events = Vec::new();
        if before.is_none() && !was.is_empty() {
            events.push(Event::Adopted { stage: self.stage.clone(), release: was.clone() });
        }
        if self.lane == Lane::Rollback {
            let digests: std::collections::BTreeSet<Digest> =
                was.digests().difference(&release.digests()).copied().collect();
            events.push(Event::Held {
                stage: self.stage.clone(),
                kind: HoldKind::Rollback,
                by: by.clone(),
                reason: self.reason.clone(),
                until: None,
            });
            events.push(Event::Vetoed {
                stage: self.stage.clone(),
                digests,
                version: was.version(),
                by,
                reason: self.reason.clone(),
            });
        } else {
            // A promotion after a rollback means that a person had lifted the hold.
            events.push(Event::Resumed { stage: self.stage.clone(), by: by.clone(), reason: None });
        }
        events.push(Event::Merged {
            stage: self.stage,
            lane: self.lane,
            release: release.clone(),
            was: (!was.is_empty()).then_some(was),
            number: None,
            commit: self.commit,
            approvals: self.approvals,
            signatures: self.signatures,
            exceptions: self.exceptions,
            requested_by: self.requested_by,
            reason: self.reason,
        });
        let entries = events.into_iter().map(|event| Entry { at: self.at, event }).collect();
        (release, entries)
    }
}

fn change(value: &str) -> Option<(Repository, Pinned, Option<Pinned>)> {
    let mut words = value.split(' ');
    let repository = words.next()?.parse().ok()?;
    let now = pinned(words.next()?)?;
    let was = (words.next()? == "was").then(|| words.next()).flatten().and_then(pinned);
    Some((repository, now, was))
}

fn pinned(text: &str) -> Option<Pinned> {
    match text.split_once('@') {
        Some((tag, digest)) => Some(Pinned { tag: Some(tag.parse().ok()?), digest: digest.parse().ok()? }),
        None => Some(Pinned { tag: None, digest: text.parse().ok()? }),
    }
}

fn approval(value: &str) -> Option<Approval> {
    let words: Vec<&str> = value.split(' ').collect();
    let [name, id, review, head] = words.as_slice() else { return None };
    let review = review.strip_prefix("review-")?.parse().ok()?;
    let person = Actor { id: id.parse().ok()?, name: (*name).to_owned(), via: format!("review {review}") };
    Some(Approval { person, review, head: (*head).to_owned() })
}

/// `repository digest by key key-id kept as scheme`, or `repository digest by identity of issuer said by cosign`.
fn signed(signature: &Signature) -> String {
    let Signature { repository, digest, by } = signature;
    match by {
        Signer::Key { key, key_id, scheme } => {
            format!("{repository} {digest} by {key} {key_id} kept as {scheme}")
        }
        Signer::Keyless(keyless) => {
            let (identity, issuer) = (keyless.identity(), keyless.issuer());
            format!("{repository} {digest} by {identity} of {issuer} said by cosign")
        }
    }
}

fn signature(value: &str) -> Option<Signature> {
    let words: Vec<&str> = value.split(' ').collect();
    let [repository, digest, "by", by @ ..] = words.as_slice() else { return None };
    let by = match by {
        [key, key_id, "kept", "as", scheme] => Signer::Key {
            key: key.parse().ok()?,
            key_id: key_id.parse().ok()?,
            scheme: [Scheme::Tag, Scheme::Bundle].into_iter().find(|known| known.to_string() == *scheme)?,
        },
        [identity, "of", issuer, "said", "by", "cosign"] => {
            Signer::Keyless(Keyless::new(identity, issuer).ok()?)
        }
        _ => return None,
    };
    Some(Signature { repository: repository.parse().ok()?, digest: digest.parse().ok()?, by })
}

fn requester(value: &str) -> Option<Actor> {
    let mut words = value.splitn(3, ' ');
    let name = words.next()?.to_owned();
    let id = words.next()?.parse().ok()?;
    Some(Actor { id, name, via: words.next().unwrap_or("git history").to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_of_an_older_record_is_read() {
        let (digest, key_id) = (Digest::of(b"image"), Digest::of(b"key"));
        let stored = format!(
            r#"{{"repository":"r.example/web","digest":"{digest}","key":"release","key_id":"{key_id}","scheme":"tag"}}"#
        );
        let read: Signature = serde_json::from_str(&stored).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    }

    #[test]
    fn a_signature_is_read_back_from_its_trailer() {
        let key = |scheme| {
            let (key, key_id) = ("release".parse().unwrap(), Digest::of(b"key"));
            Signer::Key { key, key_id, scheme }
        };
        let workflow = "https://git.example/acme/web/.ci/release.yml@refs/tags/*";
        let keyless = Keyless::new(workflow, "https://issuer.example").unwrap();
        for by in [key(Scheme::Tag), key(Scheme::Bundle), Signer::Keyless(keyless)] {
            let made = Signature {
                repository: "registry.example:5000/shop/web".parse().unwrap(),
                digest: Digest::of(b"image"),
                by,
            };
            let line = signed(&made);
            assert_eq!(signature(&line), Some(made.clone()));
            let stored = serde_json::to_string(&made).unwrap();
            assert_eq!(serde_json::from_str::<Signature>(&stored).unwrap(), made, "{stored}");
            for other in [
                line.replacen(" by ", " ", 1),
                line.replace("kept as ", "kept as x").replace("said by cosign", "said by nobody"),
                format!("{line} x"),
            ] {
                assert_eq!(signature(&other), None, "{other}");
            }
        }
    }
}

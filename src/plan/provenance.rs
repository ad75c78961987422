//! Whether it is known of each image what it was built from: a source, and a commit by its whole id. Both are said by labels
//! or annotations, so whoever builds an image says them; a signature says who that is.

use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::messages::code;
use super::snapshot::Snapshot;
use crate::image::{Image, LABEL_PREFIX, Pinned, Release, is_commit_id};
use crate::pipeline::{ImageRule, Stage, is_hidden};
use crate::promotion::Proposal;

/// Who can say it.
const BUILDERS: &str = "whoever builds the image";
/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 12;

/// Why a release does not go in, as far as its images tell where they come from.
pub(super) fn hold(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    if !stage.gates.provenance {
        return None;
    }
    let images = snapshot.pipeline.images.iter();
    let text = images.filter_map(|rule| Some((rule, release.get(&rule.repository)?))).find_map(
        |(rule, pinned)| {
            let lack = origin(snapshot, rule, pinned).err()?;
            Some(format!("{} {} {lack}", rule.repository, pinned.version()))
        },
    )?;
    Some(HoldReason::new(&stage.name, Gate::Provenance, text).who(BUILDERS))
}

/// The merge gate.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if !stage.gates.provenance {
        return;
    }
    if let Some(hold) = hold(snapshot, stage, &proposal.release) {
        gates.shut(hold);
        return;
    }
    let known = |rule: &ImageRule| {
        let (source, revision) = origin(snapshot, rule, proposal.release.get(&rule.repository)?).ok()?;
        let name = code(rule.repository.short_name());
        let commit = code(revision.get(..COMMIT_DIGITS).unwrap_or(revision));
        Some(format!("{name} was built from {} at {commit}", code(source)))
    };
    for line in snapshot.pipeline.images.iter().filter_map(known) {
        gates.open(Gate::Provenance, line);
    }
}

/// The source and the commit that an image names, or what is wrong with that, after its name.
fn origin<'a>(
    snapshot: &'a Snapshot,
    rule: &ImageRule,
    pinned: &Pinned,
) -> Result<(&'a str, &'a str), String> {
    let image: &Image = match snapshot.images.get(&pinned.digest) {
        Some(Ok(image)) => image,
        Some(Err(reason)) => return Err(format!("does not tell what it was built from: {reason}")),
        None => return Err("was not read yet: what it was built from is not known".to_owned()),
    };
    let is_address = |text: &&str| !text.chars().any(|c| c.is_whitespace() || is_hidden(c));
    let source = image.label("source").filter(is_address);
    let revision = image.label("revision");
    let commit = revision.filter(|text| is_commit_id(text));
    let name = |label: &str| format!("`{LABEL_PREFIX}{label}`");
    let lack = match (source, commit, revision) {
        (Some(source), Some(commit), _) => match &rule.source {
            Some(wanted) if !wanted.is(source) => {
                let (found, label) = (code(source), name("source"));
                return Err(format!("names {found} as its source ({label}), and not {wanted}"));
            }
            Some(_) | None => return Ok((source, commit)),
        },
        (None, None, None) => {
            format!("names neither its source ({}) nor its commit ({})", name("source"), name("revision"))
        }
        (None, _, _) => format!("does not name its source ({})", name("source")),
        (Some(_), None, None) => format!("does not name its commit ({})", name("revision")),
        (Some(_), None, Some(revision)) => {
            format!("names {} as its commit ({}), which is no whole id", code(revision), name("revision"))
        }
    };
    Err(format!("{lack}: build it with these labels; `lockkeeper tags` prints them"))
}

//! Where a rollback goes.

use crate::command::Target;
use crate::image::{Digest, Release};

use super::{State, Stint, Stints};
use crate::pipeline::{Pipeline, StageName};

/// Why there is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing is live here that could be rolled back.
    #[error("no release is live in this stage")]
    NothingLive,
    /// No earlier release is good.
    #[error("no earlier release of this stage can be restored; seen here: {}", seen.join("; "))]
    NoneGood {
        /// Each earlier release and why it is no target.
        seen: Vec<String>,
    },
    /// The named release never was here.
    #[error("no release `{wanted}` was live in this stage; seen here: {}", seen.join("; "))]
    NotHere {
        /// What was asked for.
        wanted: String,
        /// The earlier releases.
        seen: Vec<String>,
    },
    /// The named release is vetoed here.
    #[error("release {version} is vetoed here by {by}")]
    Vetoed {
        /// Its version.
        version: String,
        /// Who vetoed it.
        by: String,
    },
    /// The named release is live.
    #[error("release {version} is live here already")]
    Live {
        /// Its version.
        version: String,
    },
}

/// The stint to restore in `stage`: the named one, or the latest before the live one that was not rolled back or
/// vetoed there, nor seen to be degraded last; one that was never seen running only where there is no other. `absent` are digests
/// that the registry says it does not have.
///
/// # Errors
/// [`TargetError`] if there is none, with what was seen.
pub fn target<'a>(
    state: &'a State,
    pipeline: &Pipeline,
    stage: &StageName,
    wanted: Option<&Target>,
    absent: &[Digest],
) -> Result<&'a Stint, TargetError> {
    let stints = state.stints(stage).ok_or(TargetError::NothingLive)?;
    let live = stints.live().ok_or(TargetError::NothingLive)?;
    let earlier: Vec<&Stint> = earlier(stints, &live.release);
    match wanted {
        Some(wanted) => named(state, pipeline, stage, wanted, live, &earlier),
        None => latest_good(state, pipeline, stage, stints, &earlier, absent).map(|(stint, _)| stint),
    }
}

/// What comes before the target that nobody named, and why each of it is none: the choice, explained.
#[must_use]
pub fn passed_over(state: &State, pipeline: &Pipeline, stage: &StageName, absent: &[Digest]) -> Vec<String> {
    let Some(stints) = state.stints(stage) else { return Vec::new() };
    let Some(live) = stints.live() else { return Vec::new() };
    let found = latest_good(state, pipeline, stage, stints, &earlier(stints, &live.release), absent);
    found.map(|(_, passed_over)| passed_over).unwrap_or_default()
}

/// Where a rollback would go once this release has come into the stage. None: nothing else ever was there.
///
/// # Errors
/// [`TargetError::NoneGood`] if something was, and nothing of it can be restored.
pub fn target_after<'a>(
    state: &'a State,
    pipeline: &Pipeline,
    stage: &StageName,
    release: &Release,
) -> Result<Option<&'a Stint>, TargetError> {
    let Some(stints) = state.stints(stage) else { return Ok(None) };
    let earlier = earlier(stints, release);
    if earlier.is_empty() {
        return Ok(None);
    }
    latest_good(state, pipeline, stage, stints, &earlier, &[]).map(|(stint, _)| Some(stint))
}

/// The earlier releases, newest first, each once.
fn earlier<'a>(stints: &'a Stints, live: &Release) -> Vec<&'a Stint> {
    let mut found: Vec<&Stint> = Vec::new();
    for stint in stints.newest_first() {
        if !stint.release.is_same(live) && !found.iter().any(|known| known.release.is_same(&stint.release)) {
            found.push(stint);
        }
    }
    found
}

fn latest_good<'a>(
    state: &State,
    pipeline: &Pipeline,
    stage: &StageName,
    stints: &Stints,
    earlier: &[&'a Stint],
    absent: &[Digest],
) -> Result<(&'a Stint, Vec<String>), TargetError> {
    let (mut seen, mut unseen) = (Vec::new(), None);
    for &stint in earlier {
        let version = stint.release.version();
        if stints.was_rolled_back(&stint.release) {
            seen.push(format!("{version} was rolled back"));
        } else if stints.was_reverted(&stint.release) {
            seen.push(format!("{version} was reverted by somebody"));
        } else if let Some(veto) = state.veto(pipeline, stage, &stint.release) {
            seen.push(format!("{version} is vetoed by {}", veto.by.name));
        } else if stint.release.digests().iter().any(|digest| absent.contains(digest)) {
            seen.push(format!("{version} is not in the registry"));
        } else if let Some(evidence) = stint.evidence.as_ref().filter(|known| known.seen.health.is_degraded())
        {
            seen.push(format!("{version} was seen last as {}", evidence.seen));
        } else if stint.was_never_seen() {
            unseen = unseen.or(Some((stint, seen.clone())));
            seen.push(format!("{version} was never seen running"));
        } else {
            return Ok((stint, seen));
        }
    }
    if let Some(found) = unseen {
        return Ok(found);
    }
    if seen.is_empty() {
        seen.push("none".to_owned());
    }
    Err(TargetError::NoneGood { seen })
}

fn named<'a>(
    state: &State,
    pipeline: &Pipeline,
    stage: &StageName,
    wanted: &Target,
    live: &Stint,
    earlier: &[&'a Stint],
) -> Result<&'a Stint, TargetError> {
    if names(wanted, &live.release) {
        return Err(TargetError::Live { version: live.release.version() });
    }
    let Some(&stint) = earlier.iter().find(|stint| names(wanted, &stint.release)) else {
        let seen = earlier.iter().map(|stint| stint.release.version()).collect();
        return Err(TargetError::NotHere { wanted: wanted.to_string(), seen });
    };
    match state.veto(pipeline, stage, &stint.release) {
        Some(veto) => Err(TargetError::Vetoed { version: stint.release.version(), by: veto.by.name.clone() }),
        None => Ok(stint),
    }
}

/// Whether a person means this release: the version or digest of any of its images.
#[must_use]
pub fn names(target: &Target, release: &Release) -> bool {
    release.images().any(|(_, pinned)| target.matches(pinned))
}

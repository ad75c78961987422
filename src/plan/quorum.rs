//! How many approvals a change needs: where the rules say so, by how much changes.
//!
//! Each image is judged by itself, against what the stage pins, and the largest number counts. What goes back, and what
//! nothing tells, needs the most that are configured: a smaller number has to be earned by what is known.

use super::change::{ImageChange, changes};
use super::messages::code;
use super::snapshot::Snapshot;
use crate::image::Release;
use crate::pipeline::{Approvals, ChangeClass};

/// How many approvals, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quorum {
    /// How many.
    pub(super) count: u32,
    /// What of the change asks for so many, where the rules make a difference.
    pub(super) why: Option<String>,
}

/// How many approvals going from one release to another needs.
pub(super) fn quorum(
    snapshot: &Snapshot,
    rule: &Approvals,
    was: Option<&Release>,
    release: &Release,
) -> Quorum {
    if rule.by_class.is_empty() {
        return Quorum { count: rule.min, why: None };
    }
    let changes = changes(snapshot, was, release);
    let judged = changes.iter().map(|change| judge(snapshot, rule, change));
    // The first of those that ask for most: images stand in the order of the file.
    let heaviest = judged.reduce(|most, next| if next.0 > most.0 { next } else { most });
    let (count, what) = heaviest.unwrap_or_else(|| (rule.most(), UNTOLD.to_owned()));
    Quorum { count, why: Some(format!("{what}: {count} needed")) }
}

/// Of what nothing is known.
const UNTOLD: &str = "nothing tells how much changes";

fn judge(snapshot: &Snapshot, rule: &Approvals, change: &ImageChange<'_>) -> (u32, String) {
    let of = match snapshot.pipeline.images.len() {
        1 => String::new(),
        _ => format!(" of {}", code(change.repository.short_name())),
    };
    if change.is_back {
        return (rule.most(), format!("going back to an older version{of}"));
    }
    // That it is the same built again is said by labels; of those that were not read nothing is known.
    let is_told = change.is_read || change.class >= ChangeClass::Patch;
    if change.class == ChangeClass::Unknown || !is_told {
        return (rule.most(), format!("{UNTOLD}{of}"));
    }
    (rule.needed(change.class), format!("{} change{of}", change.class.word()))
}

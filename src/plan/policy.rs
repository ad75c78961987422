//! Whether the files of a stage are as they should be, once they have what is proposed. What lint finds in them comes with the
//! snapshot.

use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::snapshot::{Linted, Snapshot};
use crate::pipeline::{Policy, Stage};
use crate::promotion::Proposal;

/// The merge gate.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    let Some(Policy::Lint) = stage.gates.policy else { return };
    let shut = |text: String| HoldReason::new(&stage.name, Gate::Policy, text).who("write");
    let unknown = |why: &str| shut(format!("whether lint finds errors in the files is not known: {why}"));
    let linted = match snapshot.linted.get(&stage.name) {
        Some(Ok(linted)) if linted.release == proposal.release.id() => linted,
        Some(Ok(_)) | None => return gates.shut(unknown("they were not read yet")),
        Some(Err(why)) => return gates.shut(unknown(why)),
    };
    let Linted { files, errors, first, .. } = linted;
    match first {
        None => {
            let files = if *files == 1 { "the file".to_owned() } else { format!("the {files} files") };
            gates.open(Gate::Policy, format!("lint finds no error in {files} of this stage"));
        }
        Some(first) => {
            let more = if *errors > 1 { format!(" (and {} more)", errors - 1) } else { String::new() };
            gates.shut(shut(format!("lint finds an error: {first}{more}")));
        }
    }
}

//! The merge gate of the windows.

use super::candidate::minute;
use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::snapshot::Snapshot;
use crate::pipeline::{self, Stage, Window};

/// Shut outside of all windows of the stage; where it has none there is no such gate.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, gates: &mut MergeGates) {
    let windows = &stage.gates.windows;
    let Some(first) = windows.first() else { return };
    let all = windows.iter().map(Window::to_string).collect::<Vec<_>>().join("; ");
    if pipeline::is_open(windows, snapshot.now) {
        let shuts = pipeline::shuts_at(windows, snapshot.now);
        let until = shuts.map_or_else(String::new, |at| format!(", until {}", minute(at)));
        gates.open(Gate::Window, format!("window {all} is open{until}"));
        return;
    }
    gates.shut(match pipeline::opens_at(windows, snapshot.now) {
        Some(at) => {
            let text = format!("window {all} opens {} ({})", first.zone.text(at), minute(at));
            HoldReason::new(&stage.name, Gate::Window, text).opens_at(at)
        }
        None => HoldReason::new(&stage.name, Gate::Window, format!("window {all} does not open for weeks")),
    });
}

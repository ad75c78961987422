//! What is said of a watch.

use super::super::candidate::{later, minute};
use super::super::snapshot::Snapshot;
use super::{code, escape};
use crate::pipeline::{OnFailure, Stage};
use crate::promotion::{Act, Did, Followed, Lane, Origin, Stint, WatchEnd, WatchEnded};

/// The word under the pull request whose release was watched; nothing where it just passed.
pub(in super::super) fn watch_ended(
    snapshot: &Snapshot,
    ended: &WatchEnded,
    back: Option<&Stint>,
    kept: Option<&str>,
) -> String {
    let (stage, version) = (&ended.stage, code(&ended.release.version()));
    let was_unproven = snapshot.state.live(stage).and_then(|live| live.watch.as_ref()?.end()).is_some();
    let (head, what) = match ended.end {
        WatchEnd::Passed if was_unproven => {
            return format!(
                "● **Watch passed**, later than it ended: {version} is seen healthy in {} ({}).",
                code(stage.as_str()),
                escape(&ended.why)
            );
        }
        WatchEnd::Passed | WatchEnd::CutShort => return String::new(),
        WatchEnd::Failed => ("✖ **Watch failed**", " is vetoed here and downstream until `/unveto`"),
        WatchEnd::Unproven => ("◔ **Watch unproven**", " goes to no later stage until it is seen healthy"),
    };
    let mut lines = vec![
        format!("{head} of {version} in {}: {}.", code(stage.as_str()), escape(&ended.why)),
        String::new(),
    ];
    let is_held = ended.followed == Followed::Held;
    if let Some(back) = back {
        lines.push(format!(
            "lockkeeper takes {} back to {} **by itself**, once for this release. The stage is held until `/resume {stage}`. To stop \
             that, act in the stage: `/hold {stage}`, say.",
            code(stage.as_str()),
            code(&back.release.version())
        ));
    } else if is_held {
        lines.push(format!("⏸ **Held** by lockkeeper until `/resume {stage}`."));
    } else {
        let why = kept.map_or_else(String::new, |kept| format!(": {kept}"));
        lines.push(format!(
            "Nothing else is done{why}. To go back: `/rollback {stage}` here, with a reason if you like."
        ));
    }
    lines.extend([String::new(), format!("{version}{what}.")]);
    lines.join("\n")
}

/// What a person did in a stage since the merge.
pub(in super::super) fn acted(act: &Act) -> String {
    let at = minute(act.at);
    match act.what {
        Did::Merge => format!("a person merged it, not lockkeeper, at {at}"),
        what @ (Did::Hold | Did::Resume | Did::Promote | Did::Rollback | Did::Unveto) => {
            format!("{} said {} here since the merge, at {at}", code(&act.by.name), code(&what.to_string()))
        }
    }
}

/// What a merge is followed by, for the comment under its pull request.
pub(in super::super) fn watch_begins(stage: &Stage, stint: &Stint) -> Option<String> {
    let rule = stage.watch.as_ref()?;
    if !matches!(stint.origin, Origin::Promoted(Lane::Normal | Lane::Hotfix)) {
        return None;
    }
    let follows = match rule.on_failure {
        OnFailure::Tell => "people are told",
        OnFailure::Hold => "the stage is held",
        OnFailure::Rollback => "lockkeeper rolls it back by itself, once, unless a person acts here before",
    };
    let until = minute(later(stint.from, rule.length));
    Some(format!("Watched until {until}. Where that fails, {follows}."))
}

//! Stops by calendar: nothing is merged into the stages concerned while one is in force.

mod names;

pub use names::unknown_names;

use jiff::Timestamp;
use serde::Serialize;

use super::{FreezeName, Pipeline, PipelineName, Principal, Stage, StageName};

/// Where the freezes of a pipeline stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Calendar {
    /// In the rules themselves, or read from their file.
    Known(Vec<Freeze>),
    /// In a file of the environment repository, by its path; it was not read yet.
    File(String),
    /// In a file that cannot be used: whatever it says is not known, so everything counts as frozen.
    Unusable {
        /// The path.
        file: String,
        /// Why.
        reason: String,
    },
}

/// A stop from one time until another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freeze {
    /// The name, unique in its list.
    pub name: FreezeName,
    /// From when.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub until: Timestamp,
    /// The stages or groups concerned; empty: all.
    pub stages: Vec<StageName>,
    /// The pipelines concerned; empty: all.
    pub pipelines: Vec<PipelineName>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: Principal,
    /// What may pass.
    pub exceptions: Vec<Exception>,
}

/// What may pass a freeze, until when, and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The stage or group; none: all of the pipeline.
    pub stage: Option<StageName>,
    /// The lane.
    pub lane: ExceptionLane,
    /// Who answers for it.
    pub owner: Principal,
    /// Why.
    pub reason: String,
    /// Until when, exclusive.
    pub until: Timestamp,
}

/// The lane that an exception lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExceptionLane {
    /// Hotfixes alone.
    Hotfix,
    /// Promotions that went through all stages, alone.
    Normal,
}

impl Calendar {
    /// What concerns this pipeline.
    #[must_use]
    pub fn of(&self, pipeline: &PipelineName) -> Self {
        match self {
            Self::Known(freezes) => {
                let concerned = freezes.iter().filter(|freeze| freeze.has_pipeline(pipeline));
                Self::Known(concerned.cloned().collect())
            }
            Self::File(_) | Self::Unusable { .. } => self.clone(),
        }
    }
}

impl Freeze {
    /// Whether it stops this stage of this pipeline, while it is in force.
    #[must_use]
    pub fn concerns(&self, pipeline: &PipelineName, stage: &Stage) -> bool {
        self.has_pipeline(pipeline)
            && (self.stages.is_empty() || self.stages.iter().any(|name| addresses(name, stage)))
    }

    /// Whether it is in force: from its first second until the one before its end.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// The exception by which this lane of this stage may pass now.
    #[must_use]
    pub fn exception(
        &self,
        pipeline: &PipelineName,
        stage: &Stage,
        lane: ExceptionLane,
        now: Timestamp,
    ) -> Option<&Exception> {
        self.exceptions.iter().find(|exception| {
            exception.lane == lane && now < exception.until && exception.concerns(pipeline, stage)
        })
    }

    fn has_pipeline(&self, pipeline: &PipelineName) -> bool {
        self.pipelines.is_empty() || self.pipelines.contains(pipeline)
    }
}

impl Exception {
    fn concerns(&self, pipeline: &PipelineName, stage: &Stage) -> bool {
        self.pipeline == *pipeline && self.stage.as_ref().is_none_or(|name| addresses(name, stage))
    }
}

/// Whether this is the name of the stage or of its group.
fn addresses(name: &StageName, stage: &Stage) -> bool {
    *name == stage.name || stage.group.as_ref() == Some(name)
}

/// Names what the calendar of `after` stops less of in this stage than that of `before`, from `now` on, as fragments for
/// people. What is over by then is no loss.
#[must_use]
pub fn loosened_freezes(before: &Pipeline, after: &Pipeline, stage: &Stage, now: Timestamp) -> Vec<String> {
    let (old, new) = match (&before.freezes, &after.freezes) {
        (Calendar::Known(old), Calendar::Known(new)) => (old, new),
        // What it stopped was everything.
        (Calendar::Unusable { file, .. }, Calendar::Known(new)) => {
            let left = left(new, &after.name, stage);
            return vec![format!("calendar `{file}` could not be used and stops less now{left}")];
        }
        // Everything is stopped now.
        (_, Calendar::Unusable { .. } | Calendar::File(_)) | (Calendar::File(_), _) => return Vec::new(),
    };
    let name = &after.name;
    let mut found = Vec::new();
    for freeze in old.iter().filter(|freeze| freeze.until > now && freeze.concerns(name, stage)) {
        match new.iter().find(|other| other.name == freeze.name && other.concerns(name, stage)) {
            None => found.push(format!("freeze `{}` removed", freeze.name)),
            Some(other) if other.until < freeze.until || other.from > freeze.from.max(now) => {
                let (from, until) = (shown(other.from), shown(other.until));
                found.push(format!("freeze `{}` shortened to {from} until {until}", freeze.name));
            }
            Some(other) => found.extend(added(freeze, other, name, stage, now)),
        }
    }
    found
}

/// What a calendar stops in a stage, whatever the time: one that stops less again reads differently, and so counts anew.
fn left(freezes: &[Freeze], pipeline: &PipelineName, stage: &Stage) -> String {
    let here = freezes.iter().filter(|freeze| freeze.concerns(pipeline, stage));
    let text = |freeze: &Freeze| {
        let but = freeze.exceptions.iter().filter(|exception| exception.concerns(pipeline, stage));
        let but = but.map(|exception| {
            let (lane, owner) = (exception.lane.name(), &exception.owner);
            format!(", but `{lane}` by `{owner}` until {}", shown(exception.until))
        });
        let (name, from, until) = (&freeze.name, shown(freeze.from), shown(freeze.until));
        format!("; `{name}` from {from} until {until}{}", but.collect::<String>())
    };
    here.map(text).collect()
}

/// The exceptions that let more through than those before, each with its end: one that is added later reads differently, and
/// so counts anew.
fn added(
    before: &Freeze,
    after: &Freeze,
    pipeline: &PipelineName,
    stage: &Stage,
    now: Timestamp,
) -> Vec<String> {
    let lets_more = |new: &Exception| {
        let is_covered =
            |old: &Exception| old.lane == new.lane && old.until >= new.until && old.concerns(pipeline, stage);
        new.until > now && new.concerns(pipeline, stage) && !before.exceptions.iter().any(is_covered)
    };
    let new = after.exceptions.iter().filter(|exception| lets_more(exception));
    let text = |new: &Exception| {
        let (lane, owner, until) = (new.lane.name(), &new.owner, shown(new.until));
        format!("exception of `{lane}` to freeze `{}` by `{owner}` until {until}", after.name)
    };
    new.map(text).collect()
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl ExceptionLane {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hotfix => "hotfix",
            Self::Normal => "normal",
        }
    }
}

#[cfg(test)]
mod tests;

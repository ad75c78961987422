//! What people see of a pipeline: made from the same snapshot and plan as everything else, stored with each record.
//!
//! Everything in it is text for people, in the words of the plan; the pages escape it and decide nothing.

mod make;

pub(super) use make::stage;
pub use make::view;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A pipeline, or with no pipeline the repository itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineView {
    /// The environment repository, as named in the settings.
    pub repository: String,
    /// The pipeline; none: the repository itself, of which only `error` and `issue_url` are shown.
    pub pipeline: Option<String>,
    /// Who owns it: `team:acme/checkout`.
    #[serde(default)]
    pub owner: Option<String>,
    /// The operations issue, where commands are given.
    #[serde(default)]
    pub issue_url: Option<String>,
    /// The stages, upstream before downstream.
    #[serde(default)]
    pub stages: Vec<StageView>,
    /// What keeps the pipeline from being worked on: a broken `lockkeeper.yaml`, say.
    #[serde(default)]
    pub error: Option<String>,
    /// What happened, newest first; as much as the page should show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryLine>,
    /// When the pipeline was last looked at.
    pub updated_at: Timestamp,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    /// The name.
    pub name: String,
    /// The group it is addressed with.
    #[serde(default)]
    pub group: Option<String>,
    /// The version of the release that is pinned; none: nothing is.
    #[serde(default)]
    pub version: Option<String>,
    /// The first 12 hex digits of its digest.
    #[serde(default)]
    pub short: Option<String>,
    /// Since when.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How it came: `normal`, `hotfix`, `rollback`, `adopted`, `out-of-band`.
    #[serde(default)]
    pub lane: Option<String>,
    /// How the stage stands; gives symbol and colour.
    pub state: StageState,
    /// The same for people, a word or two: `live`, `soak 6h`, `held (INC-2041)`.
    pub word: String,
    /// What says that a release is live: `merged`, `observed`, `cluster …`.
    #[serde(default)]
    pub source: String,
    /// What is known of what runs, in words; none: nobody observes it.
    #[serde(default)]
    pub running: Option<RunningView>,
    /// How the watch after its merge stands, in words; none: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<String>,
    /// What it waits for, who can act, and when it may open: one line each.
    #[serde(default)]
    pub holds: Vec<String>,
    /// Where tag, pin, record and what runs disagree, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<String>,
    /// The promotion in flight.
    #[serde(default)]
    pub pull_request: Option<PullRequestView>,
    /// Where `/rollback` would go.
    #[serde(default)]
    pub rollback_target: Option<RollbackView>,
    /// The pins, in full.
    #[serde(default)]
    pub pins: Vec<PinView>,
}

/// How a stage stands. Where several hold, the first in this order that a person should see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// ✖: something failed.
    Failed,
    /// ≠: the pins are not what our last record put there, or disagree.
    Drift,
    /// ▲: a person must act.
    Person,
    /// ⏸: held or frozen.
    Held,
    /// ◔: a gate waits for time, or for a machine.
    Waiting,
    /// ●: live, and nothing to do.
    Live,
    /// –: nothing there yet.
    Empty,
}

/// What is known of what runs in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningView {
    /// In words: `12/12 run`.
    pub words: String,
    /// Whether what runs is what is pinned, and healthy, by an observation that counts.
    pub is_good: bool,
    /// Whether the observation still counts; it says nothing of now where it does not.
    #[serde(default)]
    pub is_fresh: bool,
    /// When it was seen last.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Who says so.
    #[serde(default)]
    pub by: Option<String>,
    /// Where more is to be seen.
    #[serde(default)]
    pub url: Option<String>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullRequestView {
    /// The number.
    pub number: u64,
    /// The page.
    pub url: String,
    /// The title.
    pub title: String,
    /// How much it changes: `major`, `minor`, `patch`, `rebuild`, `base-only`, `unknown`.
    #[serde(default)]
    pub change: Option<String>,
}

/// The rollback target of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollbackView {
    /// The version.
    pub version: String,
    /// The first 12 hex digits of its digest.
    pub short: String,
    /// Whether the registry has it, on all platforms.
    pub present: Presence,
    /// What the probes said of it, in words; empty: it was not asked for yet.
    #[serde(default)]
    pub ready: String,
}

/// Whether something is in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is.
    Yes,
    /// The registry says that it is not.
    No,
    /// The registry could not be asked.
    Unknown,
}

/// A pin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PinView {
    /// The file, from the root of the repository.
    pub file: String,
    /// The place in it.
    pub path: String,
    /// What is pinned: `repository:tag@sha256:…`.
    pub reference: String,
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// When.
    pub at: Timestamp,
    /// What, in one line.
    pub text: String,
    /// The pull request or comment.
    #[serde(default)]
    pub url: Option<String>,
}

impl StageState {
    /// All states, in the order of the legend.
    pub const ALL: [Self; 7] =
        [Self::Person, Self::Failed, Self::Drift, Self::Held, Self::Waiting, Self::Live, Self::Empty];

    /// The class in the style sheet, which also draws the symbol; one letter, for there are thousands of cells.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Failed => "f",
            Self::Drift => "d",
            Self::Person => "p",
            Self::Held => "h",
            Self::Waiting => "w",
            Self::Live => "l",
            Self::Empty => "e",
        }
    }

    /// The symbol that goes before the word.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Failed => "✖",
            Self::Drift => "≠",
            Self::Person => "▲",
            Self::Held => "⏸",
            Self::Waiting => "◔",
            Self::Live => "●",
            Self::Empty => "–",
        }
    }

    /// The word in addresses and the legend.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Drift => "drift",
            Self::Person => "needs a person",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Empty => "empty",
        }
    }
}

impl RollbackView {
    /// Whether it is there, in words.
    #[must_use]
    pub fn words(&self) -> &str {
        if self.ready.is_empty() { self.present.word() } else { &self.ready }
    }
}

impl Presence {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "ok",
            Self::No => "missing in registry",
            Self::Unknown => "not checked",
        }
    }
}

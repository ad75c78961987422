//! `lockkeeper.yaml`: what is promoted, and by which rules.

mod duration;
mod hidden;
mod nearest;
mod range;
mod follow;
mod principal;
mod zone;
mod window;
mod change;
mod source;
mod approvals;
mod freeze;
mod live;
mod watch;
mod loosened;
mod lint;
mod file;

pub use approvals::Approvals;
pub use change::ChangeClass;
pub use duration::{DurationError, duration_text, parse_duration};
pub use file::{FILE_NAME, FileError, Pipelines, parse, parse_calendar};
pub use follow::{
    CREATED_MAX, CalverError, CalverFormat, Extract, Filter, Follow, Order, Pattern, PatternError, Picked,
    Rule, TIED_MAX, Together, Told, disagreement,
};
pub use freeze::{Calendar, Exception, ExceptionLane, Freeze, loosened_freezes, unknown_names};
pub use lint::{Exemption, LintRule, LintRules, Severity, loosened_lint};
pub use live::{COUNTS_FOR, Live, LiveSource};
pub use loosened::{loosened, loosened_images, loosened_live};
pub use principal::PrincipalError;
pub use range::{Prereleases, RangeError, VersionRange, version_of};
pub use source::{SourceError, SourceRepository};
pub use watch::{OnFailure, Watch};
pub use window::{Days, Hours, Window, WindowError, is_open, is_wider, opens_at, shuts_at};
pub use zone::{Zone, ZoneError};

pub(crate) use follow::is_commit;
pub(crate) use hidden::is_hidden;
pub(crate) use nearest::nearest;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::image::{Platform, Repository, Tag};
use crate::signature::{Keyless, PublicKey, Signers};

/// The name of a pipeline: 1 to 63 of `[a-z0-9-]`, a letter or digit at both ends (it becomes part of branch names).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PipelineName(pub(crate) String);

/// The name of a stage, by the same grammar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StageName(pub(crate) String);

/// The name of a key in `keys`, by the same grammar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyName(pub(crate) String);

/// The name of a freeze, by the same grammar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FreezeName(pub(crate) String);

/// A validated pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pipeline {
    /// The name, unique in the file.
    pub name: PipelineName,
    /// Who owns it.
    pub owner: Option<Principal>,
    /// The images promoted together, at least one, in the order of the file; the first gives the version in titles.
    pub images: Vec<ImageRule>,
    /// The stages, upstream before downstream.
    pub stages: Vec<Stage>,
    /// When a release of several images is complete: by tag.
    pub together: Together,
    /// When a release of several images is complete: by time without a change.
    pub settle: Duration,
    /// Whether proposals begin without a first `/promote`.
    pub start_now: bool,
    /// When nothing is merged into some of its stages.
    pub freezes: Calendar,
    /// How `lockkeeper lint` judges the files, where a gate of one of the stages asks for that; else nothing.
    #[serde(skip)]
    pub lint: Arc<LintRules>,
}

/// One image of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageRule {
    /// The repository, as the manifests name it.
    pub repository: Repository,
    /// How new digests are picked.
    pub follow: Follow,
    /// Platforms that the image must have.
    pub platforms: Vec<Platform>,
    /// How long ago a digest must have been picked first before it counts.
    pub minimum_age: Duration,
    /// Of whom one must have signed the digest that is pinned; empty: no signature is needed.
    pub signed_by: SignedBy,
    /// Which labels tell of the build.
    pub build_labels: BuildLabels,
    /// The source repository that it has to name, where provenance is asked for.
    pub source: Option<SourceRepository>,
    /// Paths of its source repository: a rollback names the commits that touched them.
    pub attention: Vec<String>,
}

/// The labels of an image that tell of its build. The image specification names none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BuildLabels {
    /// The one that names the build: a number, say.
    pub build: Option<String>,
    /// The one that has the address of its run.
    pub run: Option<String>,
}

/// Who may sign an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SignedBy {
    /// Keys of the file.
    pub keys: Vec<SigningKey>,
    /// Identities in certificates.
    pub keyless: Vec<Keyless>,
}

/// A key of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SigningKey {
    /// What the file calls it.
    pub name: KeyName,
    /// The key.
    pub key: PublicKey,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// The name, unique in the pipeline.
    pub name: StageName,
    /// The group it is addressed with.
    pub group: Option<StageName>,
    /// The upstream stages: `after`, or the stage before it in the file; none for a first stage.
    pub after: Vec<StageName>,
    /// Of how many of them a release must have come.
    pub join: Join,
    /// Where its pins are.
    pub pins: Vec<PinTarget>,
    /// What must hold before a promotion is opened or merged.
    pub gates: Gates,
    /// What says that a release is live here.
    pub live: Live,
    /// What is looked at after a merge; none: nothing is.
    pub watch: Option<Watch>,
    /// Whether a merge needs an approval.
    pub merge: MergePolicy,
    /// Whether an open pull request gives way to a newer release that has passed.
    pub supersede: bool,
    /// Who may roll back; empty: owner and write.
    pub rollback_by: Vec<Principal>,
    /// Whose approvals a rollback waits for; none: it is merged at once.
    pub rollback_approvals: Option<Approvals>,
    /// Who may send a release here past the stages before it; empty: nobody.
    pub hotfix_by: Vec<Principal>,
    /// Whether a person's own pull request may change the pins.
    pub out_of_band: OutOfBand,
    /// The tag that names, in each image's repository, what is live here.
    pub channel: Option<Tag>,
    /// The tag that names what a rollback would go to.
    pub rollback_channel: Option<Tag>,
}

/// Where a release must have passed, of several upstream stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// In each of them: `after: [a, b]`.
    All,
    /// In one of them: `after: { any: [a, b] }`.
    Any,
}

/// A file of the environment repository, and perhaps the one place in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PinTarget {
    /// The path from the root of the repository, `/` between parts, no `.` or `..`.
    pub file: String,
    /// The only place that counts, in the spelling of `lockkeeper pins`; none: every pin of the pipeline's images.
    pub path: Option<String>,
}

/// The gates of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gates {
    /// How long a release must have been live in each upstream stage, unbroken.
    pub soak: Duration,
    /// Whether each upstream stage has to be seen healthy.
    pub healthy: bool,
    /// Who must approve the head; none with `merge: automatic` and no `approvals`.
    pub approvals: Option<Approvals>,
    /// Checks that must have passed on the head.
    pub checks: Vec<RequiredCheck>,
    /// When it is merged: while one of these is open; empty: at any time.
    pub windows: Vec<Window>,
    /// Whether the source and the commit of each image have to be known.
    pub provenance: bool,
    /// What the files of the stage have to keep to.
    pub policy: Option<Policy>,
    /// Whether what a rollback would go to afterwards has to be in the registry, and protected where we can.
    pub rollback_ready: bool,
}

/// What the files of a stage have to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// `lockkeeper lint` finds no error in them.
    Lint,
}

/// A check by name, and the app that must have reported it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RequiredCheck {
    /// The name of the check.
    pub name: String,
    /// The app; none: any app but lockkeeper.
    pub app: Option<String>,
}

/// Who merges, and on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergePolicy {
    /// When the gates open, approvals among them.
    Approved,
    /// When the gates open; no approval unless `approvals` asks for one.
    Automatic,
}

/// What a pull request of a person that changes a pin meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutOfBand {
    /// Our check fails there and names the command to use.
    Refused,
    /// Our check passes there, and the merge is recorded as out-of-band.
    Allowed,
}

/// Somebody in a rule: `team:acme/sre`, `user:sam`, `role:write`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Principal {
    /// The active members of a team, named as the forge does.
    Team(String),
    /// One login.
    User(String),
    /// Everyone with at least this permission.
    Role(RoleName),
}

/// The permissions that a rule can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RoleName {
    /// Write permission or more.
    Write,
    /// Administrators of the repository.
    Admin,
}

impl Pipeline {
    /// The stage of this name.
    #[must_use]
    pub fn stage(&self, name: &StageName) -> Option<&Stage> {
        self.stages.iter().find(|stage| &stage.name == name)
    }

    /// The stages that this word addresses: the stage of that name, or all of the group.
    #[must_use]
    pub fn addressed(&self, word: &str) -> Vec<&Stage> {
        let is_meant = |stage: &&Stage| {
            stage.name.as_str() == word || stage.group.as_ref().is_some_and(|group| group.as_str() == word)
        };
        self.stages.iter().filter(is_meant).collect()
    }

    /// This stage and all that come after it, directly or not.
    #[must_use]
    pub fn downstream(&self, name: &StageName) -> BTreeSet<StageName> {
        let mut found = BTreeSet::from([name.clone()]);
        for stage in &self.stages {
            if stage.after.iter().any(|upstream| found.contains(upstream)) {
                found.insert(stage.name.clone());
            }
        }
        found
    }

    /// The names of all teams that any rule of the pipeline mentions: what has to be asked of the forge.
    #[must_use]
    pub fn teams(&self) -> BTreeSet<String> {
        let approvers =
            self.stages.iter().filter_map(|stage| stage.gates.approvals.as_ref()).flat_map(|a| &a.from);
        let on_call = self.stages.iter().flat_map(|stage| stage.rollback_by.iter().chain(&stage.hotfix_by));
        let all = self.owner.iter().chain(approvers).chain(on_call);
        all.filter_map(|principal| match principal {
            Principal::Team(team) => Some(team.clone()),
            Principal::User(_) | Principal::Role(_) => None,
        })
        .collect()
    }
}

impl SignedBy {
    /// Whether nobody has to sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.keyless.is_empty()
    }

    /// Whose signatures are looked for.
    #[must_use]
    pub fn signers(&self) -> Signers {
        Signers {
            keys: self.keys.iter().map(|signer| signer.key.clone()).collect(),
            keyless: self.keyless.clone(),
        }
    }
}

impl Stage {
    /// The channels of the stage, that of the way back first.
    pub fn channels(&self) -> impl Iterator<Item = &Tag> {
        self.rollback_channel.iter().chain(&self.channel)
    }
}

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                let ends_in_words =
                    text.bytes().next().is_some_and(is_word) && text.bytes().last().is_some_and(is_word);
                if !ends_in_words
                    || text.len() > 63
                    || !text.bytes().all(|byte| is_word(byte) || byte == b'-')
                {
                    return Err(NameError { found: text.chars().take(100).collect() });
                }
                Ok(Self(text.to_owned()))
            }
        }
    };
}

/// The text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("name `{found}` is not 1 to 63 of `a-z`, `0-9`, `-`, with a letter or digit at both ends")]
pub struct NameError {
    found: String,
}

name_type!(PipelineName);
name_type!(StageName);
name_type!(KeyName);
name_type!(FreezeName);

//! Who, why and how: what events are told with.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::{Digest, Repository};
use crate::pipeline::KeyName;
use crate::signature::{Keyless, Scheme};

/// The way a release takes into a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Through all gates.
    Normal,
    /// Past the stages before, their time and the window; through all other gates.
    Hotfix,
    /// Back to an earlier release, at once.
    Rollback,
}

/// Who did something, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The forge's numeric id; 0 for lockkeeper itself.
    pub id: u64,
    /// The login, for people.
    pub name: String,
    /// How the person was identified: `comment 12`, `cli`, `pull request 7`, `git history`.
    pub via: String,
}

/// An approval that counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who approved.
    pub person: Actor,
    /// The forge's id of the review.
    pub review: u64,
    /// The head commit that was approved, 40 hex digits.
    pub head: String,
}

/// An image's signature that let it through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The repository.
    pub repository: Repository,
    /// The digest that is signed.
    pub digest: Digest,
    /// Who made it.
    #[serde(flatten)]
    pub by: Signer,
}

/// Who made a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Signer {
    /// The holder of a key; verified here.
    Key {
        /// What `lockkeeper.yaml` called the key then.
        key: KeyName,
        /// The id of the key: the SHA-256 of its DER bytes.
        key_id: Digest,
        /// The form in which the registry keeps it.
        scheme: Scheme,
    },
    /// The holder of a certificate with this identity; cosign said so.
    Keyless(Keyless),
}

/// Why a pull request was closed without a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// A newer release has passed.
    Superseded {
        /// The version that takes its place.
        by: String,
    },
    /// A person closed it, and so refused the release for this stage.
    Refused {
        /// Who.
        by: Actor,
        /// When, as the forge says; older records do not have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed_at: Option<Timestamp>,
    },
    /// A rollback overtook it.
    Preempted,
    /// A veto hit its release.
    Vetoed,
    /// The pins on the base are not those it was made from, or its base is in conflict.
    Stale,
    /// A person asked for another attempt.
    Retried,
    /// A person acted in the stage: lockkeeper does not go back by itself.
    Withdrawn,
    /// The pipeline or stage is gone from `lockkeeper.yaml`.
    Removed,
}

/// What kind of stop a hold is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// A person said so.
    Person,
    /// A rollback put it.
    Rollback,
    /// The pin was changed by somebody else.
    OutOfBand,
    /// A watch failed.
    Watch,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out, or answered.
    Done,
    /// It is not possible as things stand.
    Refused,
    /// The person may not.
    Denied,
    /// It was not understood.
    Unknown,
}

impl Actor {
    /// lockkeeper itself.
    #[must_use]
    pub fn lockkeeper() -> Self {
        Self { id: 0, name: "lockkeeper".to_owned(), via: "policy".to_owned() }
    }

    /// The forge's id of the comment by which this was said, where it was one.
    #[must_use]
    pub fn comment(&self) -> Option<u64> {
        self.via.strip_prefix("comment ")?.parse().ok()
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Normal => "normal",
            Self::Hotfix => "hotfix",
            Self::Rollback => "rollback",
        })
    }
}

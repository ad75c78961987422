//! How many have to approve, and who.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ChangeClass, Principal};

/// How many approvals, from whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approvals {
    /// How many people, at least 1.
    pub min: u32,
    /// How many in place of that, by how much changes; nothing of [`ChangeClass::Unknown`].
    pub by_class: BTreeMap<ChangeClass, u32>,
    /// Whose approval counts; empty: anyone with write permission.
    pub from: Vec<Principal>,
    /// Whether authors of the commits behind the digest are left out.
    pub independent: bool,
    /// Whether the gate opens where those authors cannot be known.
    pub unknown_authors_allowed: bool,
}

impl Approvals {
    /// How many people for a change of this class: the most that are configured for one of which nothing tells.
    #[must_use]
    pub fn needed(&self, class: ChangeClass) -> u32 {
        match class {
            ChangeClass::Unknown => self.most(),
            ChangeClass::BaseOnly
            | ChangeClass::Rebuild
            | ChangeClass::Patch
            | ChangeClass::Minor
            | ChangeClass::Major => self.by_class.get(&class).copied().unwrap_or(self.min),
        }
    }

    /// The most people that any change needs.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.by_class.values().copied().fold(self.min, u32::max)
    }
}

//! How a head stands to a base: computed by a merge in memory, and kept, as commits never change.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;

use super::{LocalForge, of_git};
use crate::forge::{ForgeError, Person};
use crate::repository::{CommitId, Merge, RepositoryError, Signature};

/// How many relations are kept: every open pull request of a large repository, at 50 bytes each.
const RELATIONS_MAX: usize = 2_000;

/// How a head stands to a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// It merges without conflict.
    Clean,
    /// It does not.
    Conflict,
    /// The base has it already.
    Contained,
}

/// The relations computed so far.
pub(super) type Relations = BTreeMap<(CommitId, CommitId), Relation>;

impl LocalForge {
    /// How `head` stands to `base`; the objects of both are in the mirror.
    pub(super) async fn relation(&self, base: CommitId, head: CommitId) -> Result<Relation, ForgeError> {
        if let Some(relation) = self.kept_relation(base, head) {
            return Ok(relation);
        }
        let relation = self.computed_relation(base, head).await?;
        let mut relations = self.relations.lock().unwrap_or_else(PoisonError::into_inner);
        if relations.len() >= RELATIONS_MAX {
            relations.clear();
        }
        relations.insert((base, head), relation);
        Ok(relation)
    }

    /// The same, if it was computed before.
    pub(super) fn kept_relation(&self, base: CommitId, head: CommitId) -> Option<Relation> {
        self.relations.lock().unwrap_or_else(PoisonError::into_inner).get(&(base, head)).copied()
    }

    async fn computed_relation(&self, base: CommitId, head: CommitId) -> Result<Relation, ForgeError> {
        match self.mirror.merge_base(base, head).await.map_err(of_git)? {
            Some(common) if common == head => return Ok(Relation::Contained),
            Some(_) => {}
            // Histories that never met.
            None => return Ok(Relation::Conflict),
        }
        // A fixed time, so that the same trial merge is the same object however often it is made.
        let author = signature(&Self::bot(), Timestamp::UNIX_EPOCH);
        match self.mirror.merge(base, head, false, "trial merge", &author).await {
            Ok(Merge::Clean(_)) => Ok(Relation::Clean),
            // What cannot be merged here, as for the size of a file, must not keep the others from being listed.
            Ok(Merge::Conflict(_)) | Err(RepositoryError::Edit { .. }) => Ok(Relation::Conflict),
            Err(error) => Err(of_git(error)),
        }
    }
}

/// Who a commit of the forge is by.
pub(super) fn signature(person: &Person, at: Timestamp) -> Signature {
    let email = format!("{}+{}@users.forge.invalid", person.id, person.name);
    Signature { name: person.name.clone(), email, at }
}

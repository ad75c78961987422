//! Commit ids between the protocol, libgit2 and ours.

use crate::commit::CommitId;

impl CommitId {
    /// How the protocol writes "this ref does not exist": 40 zeros.
    pub(super) const ABSENT: &str = "0000000000000000000000000000000000000000";

    /// The id as libgit2 holds it.
    pub(super) fn oid(self) -> Result<git2::Oid, git2::Error> {
        git2::Oid::from_bytes(self.as_bytes())
    }
}

impl From<git2::Oid> for CommitId {
    /// Repositories of SHA-256 are refused when they are opened, so every id has 20 bytes.
    fn from(oid: git2::Oid) -> Self {
        Self::from_bytes(oid.as_bytes().try_into().unwrap_or_default())
    }
}

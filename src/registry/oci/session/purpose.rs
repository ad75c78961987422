//! What a session is for.

/// What token servers are asked leave for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Purpose {
    /// To read, by the identity that reads.
    Read,
    /// To set a tag, by the identity that writes.
    Tag,
    /// To remove a tag, by the same.
    Untag,
    /// To lock or unlock a manifest at Azure, by the same.
    Lock,
}

impl Purpose {
    /// What the token specification calls it.
    pub(super) fn actions(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Tag => "pull,push",
            Self::Untag => "delete",
            Self::Lock => "metadata_read,metadata_write",
        }
    }
}

//! Images as the OCI specifications name them: repository, tag, digest, platform, and the release of several.

mod digest;
mod expected;
mod facts;
mod likeness;
mod platform;
mod reference;
mod release;

pub use digest::{Digest, DigestError};
pub use expected::expected_tags;
pub use facts::{Content, Growth, Image, LABEL_PREFIX, Layer, Part, credibly_created, is_commit_id};
pub use likeness::Likeness;
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError, Repository, Tag};
pub use release::{Pinned, Release, ReleaseId};

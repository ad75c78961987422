//! Images as the OCI specifications name them: repository, tag, digest, platform, and the release of several.

mod digest;
mod facts;
mod platform;
mod reference;
mod release;

pub use digest::{Digest, DigestError};
pub use facts::Image;
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError, Repository, Tag};
pub use release::{Pinned, Release, ReleaseId};

//! Image references: `[host[:port]/]path[:tag][@digest]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Digest, DigestError};

/// A repository as it is written in a file, host included where there is one: `registry.example.com/shop/web`, `nginx`.
///
/// Two spellings of one repository (`nginx`, `docker.io/library/nginx`) are equal in [`Repository::canonical`] only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

/// A tag: at most 128 characters of `[A-Za-z0-9_.-]`, the first not `.` or `-`.
///
/// Source: OCI distribution specification 1.1, section "Pulling manifests".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A reference as written: a repository, perhaps a tag, perhaps a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The repository, as written.
    pub repository: Repository,
    /// The tag, for people.
    pub tag: Option<Tag>,
    /// The digest, for machines; a reference that has one is pinned.
    pub digest: Option<Digest>,
}

/// The text is no reference, repository or tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The part before tag and digest does not follow the grammar.
    #[error("repository `{found}` does not follow `[host[:port]/]path` in lower case")]
    Repository {
        /// The text found.
        found: String,
    },
    /// The part after `:` does not follow the grammar.
    #[error("tag `{found}` is not 1 to 128 characters of letters, digits, `_`, `.`, `-`")]
    Tag {
        /// The text found.
        found: String,
    },
    /// The part after `@` is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// Longest repository accepted, host and port included: 253 for a host, 6 for a port, 255 for the path.
const REPOSITORY_BYTES_MAX: usize = 515;
/// Longest tag, by the specification.
const TAG_BYTES_MAX: usize = 128;
/// Hex digits of a digest in its anchor: 64 bits, which two digests share once in 2^32 of them.
const ANCHOR_HEX_DIGITS: usize = 16;
/// As many digits of a digest as its referrers' tag has.
const REFERRER_HEX_DIGITS: usize = 64;
/// What anchors begin with.
const ANCHOR_PREFIX: &str = "lockkeeper-";
/// The host that a reference without one means, and the folder of its one-word repositories.
const DEFAULT_HOST: &str = "docker.io";
/// What the default host was called once.
const DEFAULT_HOST_ONCE: &str = "index.docker.io";

impl Repository {
    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component of the path, for titles.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The host (and port), where the text names one.
    ///
    /// The first component is a host where it has a dot or a colon or is `localhost`, as container tools have it.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let (first, _) = self.0.split_once('/')?;
        (first.contains(['.', ':']) || first == "localhost").then_some(first)
    }

    /// What stands behind the host; all of it where no host is named.
    #[must_use]
    pub fn path(&self) -> &str {
        self.host().map_or(&self.0, |host| &self.0[host.len() + 1..])
    }

    /// The spelling in which two names of one repository are equal: host and `library/` written out.
    #[must_use]
    pub fn canonical(&self) -> String {
        match self.host() {
            Some(DEFAULT_HOST_ONCE) => self.0.replacen(DEFAULT_HOST_ONCE, DEFAULT_HOST, 1),
            Some(_) => self.0.clone(),
            None if self.0.contains('/') => format!("{DEFAULT_HOST}/{}", self.0),
            None => format!("{DEFAULT_HOST}/library/{}", self.0),
        }
    }

    /// The end that all spellings of the name share: `nginx` of `docker.io/library/nginx`.
    #[must_use]
    pub fn stem(&self) -> &str {
        let path = match self.host() {
            Some(DEFAULT_HOST | DEFAULT_HOST_ONCE) | None => self.path(),
            Some(_) => return &self.0,
        };
        path.strip_prefix("library/").unwrap_or(path)
    }

    /// Whether both texts name one repository.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self == other || self.canonical() == other.canonical()
    }
}

impl Tag {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The anchor of a digest, `lockkeeper-<16 hex>`: the tag by which we keep clean-ups away from it.
    #[must_use]
    pub fn anchor(digest: Digest) -> Self {
        Self(format!("{ANCHOR_PREFIX}{:.ANCHOR_HEX_DIGITS$}", digest.hex()))
    }

    /// Whether this is the anchor of some digest: never a version of an image.
    #[must_use]
    pub fn is_anchor(&self) -> bool {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let hex = self.0.strip_prefix(ANCHOR_PREFIX);
        hex.is_some_and(|hex| hex.len() == ANCHOR_HEX_DIGITS && hex.bytes().all(is_hex))
    }

    /// Whether this names what belongs to a digest, in place of an image of its own: an anchor, or the name under which
    /// registries keep its signatures, attestations and other referrers, whatever stands behind a dot.
    ///
    /// Source: OCI distribution specification 1.1, section "Referrers Tag Schema": `<algorithm>-<hex>`, cut to 64 digits;
    /// cosign adds `.sig`, `.att`, `.sbom`.
    #[must_use]
    pub fn is_of_digest(&self) -> bool {
        let hex = self.0.strip_prefix("sha256-").or_else(|| self.0.strip_prefix("sha512-"));
        let hex = hex.map(|rest| rest.split_once('.').map_or(rest, |(hex, _)| hex));
        let is_referrer =
            |hex: &str| hex.len() == REFERRER_HEX_DIGITS && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.is_anchor() || hex.is_some_and(is_referrer)
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let repository = Self(text.to_owned());
        let path = match repository.host() {
            Some(host) if is_host(host) => &text[host.len() + 1..],
            Some(_) => "",
            None => text,
        };
        // Written out with its host it has to fit as well: a name that is kept is read again.
        let is_long = repository.canonical().len().max(text.len()) > REPOSITORY_BYTES_MAX;
        if is_long || path.is_empty() || !path.split('/').all(is_path_component) {
            return Err(ReferenceError::Repository { found: text.chars().take(100).collect() });
        }
        Ok(repository)
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let first_is_word = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let all_are_tag = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !first_is_word || !all_are_tag || text.len() > TAG_BYTES_MAX {
            return Err(ReferenceError::Tag { found: text.chars().take(150).collect() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.parse()?)),
            _ => (name, None),
        };
        Ok(Self { repository: repository.parse()?, tag, digest })
    }
}

/// A host name or address with an optional port.
fn is_host(text: &str) -> bool {
    let (name, port) = text.rsplit_once(':').filter(|_| !text.ends_with(']')).unwrap_or((text, "0"));
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_bracketed = address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
    };
    let is_name = name.split('.').all(is_label);
    // A number alone would be read with a sign before it.
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (is_name || is_bracketed) && is_port
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
///
/// Source: OCI distribution specification 1.1, section "Pulling manifests", grammar of `<name>`.
fn is_path_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_in_words = text.bytes().next().is_some_and(is_word) && text.bytes().last().is_some_and(is_word);
    let separators =
        text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|s| !s.is_empty());
    ends_in_words
        && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_type!(Repository);
text_type!(Tag);

#[cfg(test)]
mod tests;

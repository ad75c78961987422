//! The source repository that an image has to name.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::is_hidden;

/// Longest address.
const ADDRESS_BYTES_MAX: usize = 400;
/// Ways to name a host; the address means the same by each.
const SCHEMES: [&str; 4] = ["https", "http", "ssh", "git"];

/// A repository of sources, by its address: `https://git.example.com/acme/web`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SourceRepository(String);

/// The text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "wanted the address of a source repository such as `https://git.example.com/acme/web`, found `{found}`"
)]
pub struct SourceError {
    found: String,
}

impl SourceRepository {
    /// Whether an address means this repository: by whatever scheme, with or without a user and the `.git` at its end.
    #[must_use]
    pub fn is(&self, address: &str) -> bool {
        canonical(address).is_some_and(|address| Some(address) == canonical(&self.0))
    }
}

impl FromStr for SourceRepository {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let is_web = text.starts_with("https://") && canonical(text).is_some();
        let found = || text.chars().take(100).collect();
        if is_web { Ok(Self(text.to_owned())) } else { Err(SourceError { found: found() }) }
    }
}

impl fmt::Display for SourceRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `host/path` of an address; nothing where it is none, or says more than where a repository is.
fn canonical(address: &str) -> Option<String> {
    let is_plain =
        |c: char| !c.is_whitespace() && !is_hidden(c) && !matches!(c, '?' | '#' | '\\' | '%' | '`');
    if address.len() > ADDRESS_BYTES_MAX || !address.chars().all(is_plain) {
        return None;
    }
    let (place, path) = match address.split_once("://") {
        Some((scheme, rest)) if SCHEMES.contains(&scheme) => rest.split_once('/')?,
        Some(_) => return None,
        // As git's own `user@host:path`.
        None => address.split_once(':').filter(|(place, _)| place.contains('@') && !place.contains('/'))?,
    };
    let host = place.rsplit('@').next().unwrap_or(place).to_ascii_lowercase();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let is_sound = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (!host.is_empty() && is_sound).then(|| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_means_the_repository_by_whatever_way() {
        let source: SourceRepository = "https://git.example.com/acme/web".parse().unwrap();
        for (address, want) in [
            ("https://git.example.com/acme/web", true),
            ("https://git.example.com/acme/web.git", true),
            ("https://Git.Example.com/acme/web/", true),
            ("http://git.example.com/acme/web", true),
            ("https://bot@git.example.com/acme/web.git", true),
            ("ssh://git@git.example.com/acme/web.git", true),
            ("git@git.example.com:acme/web.git", true),
            ("https://git.example.com/acme/web2", false),
            ("https://git.example.com/acme/Web", false),
            ("https://git.example.com/acme", false),
            ("https://git.example.com/acme/web/tree/main", false),
            ("https://git.example.com/other/../acme/web", false),
            ("https://git.example.com/acme/web?x=1", false),
            ("https://git.example.com/acme/web#x", false),
            ("https://evil.example.com/git.example.com/acme/web", false),
            ("https://git.example.com@evil.example.com/acme/web", false),
            ("https://git.example.com:8443/acme/web", false),
            ("file:///git.example.com/acme/web", false),
            ("git.example.com/acme/web", false),
            ("acme/web", false),
            ("", false),
        ] {
            assert_eq!(source.is(address), want, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "acme/web",
            "git@git.example.com:acme/web",
            "https://",
            "https://host",
            "https://host/",
            "https://h/a b",
        ] {
            assert!(text.parse::<SourceRepository>().is_err(), "{text}");
        }
    }
}

//! What a git host says first: the protocol's version, its capabilities and, before version 2, its refs.
//!
//! Source: git documentation, gitprotocol-pack ("Reference Discovery"), gitprotocol-http ("Discovering
//! References") and gitprotocol-v2 ("Capability Advertisement").

use std::collections::BTreeMap;

use super::CommitId;
use super::error::ProtocolError;
use super::pktline;

/// Refs at one remote: 100,000 lines of about 100 bytes are 10 MB, above any environment repository.
pub const REFS_MAX: usize = 100_000;
/// Capabilities of one host; git itself has about thirty.
pub const CAPABILITIES_MAX: usize = 500;

/// The protocol that the host speaks. Version 1 differs from 0 by its first line only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// Refs come with the advertisement.
    #[default]
    V0,
    /// Refs are asked for.
    V2,
}

/// The advertisement, read line by line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advertisement {
    /// The protocol.
    pub version: Version,
    /// What the host can do, each perhaps with `=` and a value.
    pub capabilities: Vec<String>,
    /// The refs that can be asked for; none in version 2, where they are asked for.
    pub refs: BTreeMap<String, CommitId>,
    begun: bool,
}

impl Advertisement {
    /// Takes one line, its end included.
    ///
    /// # Errors
    /// [`ProtocolError`] if it is none of an advertisement, or one too many.
    pub fn add(&mut self, data: &[u8]) -> Result<(), ProtocolError> {
        let line = pktline::line(data);
        match line {
            b"version 2" if !self.begun => {
                self.version = Version::V2;
                self.begun = true;
                return Ok(());
            }
            b"version 1" if !self.begun => return Ok(()),
            _ => {}
        }
        match self.version {
            Version::V2 => self.add_capability(line),
            Version::V0 => self.add_ref(line),
        }
    }

    /// The host has this capability, perhaps with a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of a capability, empty where it has none.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.capabilities.iter().find_map(|capability| {
            let rest = capability.strip_prefix(name)?;
            if rest.is_empty() { Some("") } else { rest.strip_prefix('=') }
        })
    }

    fn add_capability(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        if self.capabilities.len() >= CAPABILITIES_MAX {
            return Err(ProtocolError("more than 500 capabilities"));
        }
        self.capabilities.push(String::from_utf8_lossy(line).into_owned());
        Ok(())
    }

    fn add_ref(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        let mut line = line;
        if !self.begun {
            self.begun = true;
            if let Some(at) = line.iter().position(|byte| *byte == 0) {
                let (before, after) = line.split_at(at);
                line = before;
                let words = after.strip_prefix(b"\0").unwrap_or(after).split(|byte| *byte == b' ');
                for word in words.filter(|word| !word.is_empty()) {
                    self.add_capability(word)?;
                }
            }
        }
        if line.starts_with(b"shallow ") {
            return Ok(());
        }
        let (id, name) =
            id_and_name(line).ok_or(ProtocolError("line of the advertisement is no `id name`"))?;
        if !is_plain(name) {
            return Ok(());
        }
        if self.refs.len() >= REFS_MAX {
            return Err(ProtocolError("more than 100,000 refs"));
        }
        self.refs.insert(name.to_owned(), id);
        Ok(())
    }
}

/// A line `id name`, whatever follows after another blank. A name that is no UTF-8 reads as the empty name.
pub(super) fn id_and_name(line: &[u8]) -> Option<(CommitId, &str)> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let id = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    Some((id, std::str::from_utf8(words.next()?).unwrap_or("")))
}

/// Not `.have`, not a peeled tag, not `capabilities^{}`: a name that can be asked for.
fn is_plain(name: &str) -> bool {
    let is_text = !name.bytes().any(|byte| byte.is_ascii_control());
    name == "HEAD" || (name.starts_with("refs/") && !name.ends_with("^{}") && is_text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    fn read(lines: &[String]) -> Result<Advertisement, ProtocolError> {
        let mut advertisement = Advertisement::default();
        for line in lines {
            advertisement.add(line.as_bytes())?;
        }
        Ok(advertisement)
    }

    #[test]
    fn version_0_brings_refs_and_capabilities() {
        let lines = [
            format!("{ID} refs/heads/main\0report-status atomic agent=git/2.47.3\n"),
            format!("{ID} refs/tags/v1\n"),
            format!("{ID} refs/tags/v1^{{}}\n"),
            format!("{ID} .have\n"),
        ];
        let read = read(&lines).unwrap();
        assert_eq!(read.version, Version::V0);
        assert!(read.has("atomic") && !read.has("atom") && !read.has("delete-refs"));
        assert_eq!(read.value("agent"), Some("git/2.47.3"));
        assert_eq!(read.refs.keys().collect::<Vec<_>>(), ["refs/heads/main", "refs/tags/v1"]);
    }

    #[test]
    fn an_empty_repository_has_capabilities_only() {
        let zero = CommitId::ABSENT;
        let read = read(&[format!("{zero} capabilities^{{}}\0report-status\n")]).unwrap();
        assert!(read.refs.is_empty() && read.has("report-status"));
    }

    #[test]
    fn version_2_brings_capabilities() {
        let lines = ["version 2\n", "agent=x\n", "ls-refs=unborn\n", "fetch=shallow\n"].map(str::to_owned);
        let read = read(&lines).unwrap();
        assert_eq!(read.version, Version::V2);
        assert_eq!(read.value("fetch"), Some("shallow"));
    }

    #[test]
    fn other_lines_are_refused() {
        for bad in ["", "<html>", "0123 refs/heads/main", ID] {
            assert!(read(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let mut advertisement = Advertisement::default();
            for line in lines { let _ = advertisement.add(&line); }
        }
    }
}

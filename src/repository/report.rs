//! What a git host reports on a push, and what that means to the caller.
//!
//! Source: git documentation, gitprotocol-pack ("Report Status"); the words of the reasons from git's
//! builtin/receive-pack.c and refs/ (2.47).

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::error::{ProtocolError, unavailable};
use super::pktline::{self, Packet};
use super::{RefUpdate, RepositoryError, text};

/// Words of a lost race, in a reason or in the text beside it.
const RACE_WORDS: [&str; 9] = [
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "non-fast-forward",
    "fetch first",
    "stale info",
    "reference already exists",
    "but expected",
    "missing necessary objects",
];

/// The report: the fate of the pack, and of each ref.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Why the pack was not taken.
    unpack_error: Option<String>,
    /// Each ref reported: none where it was updated, else the reason.
    refs: BTreeMap<String, Option<String>>,
}

impl Report {
    /// Reads the packets of the report up to its flush.
    ///
    /// # Errors
    /// [`ProtocolError`] if it is no report.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut buffer = BytesMut::from(bytes);
        let mut report = Self::default();
        let mut unpacked = false;
        while let Some(Packet::Data(data)) = pktline::take(&mut buffer)? {
            let line = text::line(pktline::line(&data));
            if let Some(result) = line.strip_prefix("unpack ") {
                unpacked = true;
                report.unpack_error = (result != "ok").then(|| result.to_owned());
            } else if let Some(name) = line.strip_prefix("ok ") {
                report.refs.insert(name.to_owned(), None);
            } else if let Some(rest) = line.strip_prefix("ng ") {
                let (name, reason) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
                report.refs.insert(name.to_owned(), Some(reason.to_owned()));
            } else if !line.starts_with("option ") {
                return Err(ProtocolError("line of the report is none of unpack, ok, ng, option"));
            }
        }
        if unpacked { Ok(report) } else { Err(ProtocolError("report does not begin with unpack")) }
    }

    /// The fate of these updates; `words` is the side-band text, already harmless.
    ///
    /// # Errors
    /// [`RepositoryError`] of the refusal that tells most; an update that is not reported was not made.
    pub fn fate(&self, updates: &[RefUpdate], words: &str) -> Result<(), RepositoryError> {
        if let Some(reason) = self.first_refusal(updates) {
            return Err(reason.error(words));
        }
        if let Some(error) = &self.unpack_error {
            return Err(unavailable(joined(&format!("pack was not taken: {error}"), words)));
        }
        match updates.iter().find(|update| self.refs.get(&update.name) != Some(&None)) {
            Some(missing) => Err(unavailable(format!("report does not name {}", missing.name))),
            None => Ok(()),
        }
    }

    /// The refusal that tells most: in an atomic push all refs fail, most of them only because of another.
    fn first_refusal(&self, updates: &[RefUpdate]) -> Option<Refusal> {
        let mut refusals: Vec<Refusal> = updates
            .iter()
            .filter_map(|update| {
                let reason = self.refs.get(&update.name)?.clone()?;
                Some(Refusal { name: update.name.clone(), reason })
            })
            .filter(|refusal| self.unpack_error.is_none() || !refusal.reason.contains("unpacker error"))
            .collect();
        refusals.sort_by_key(|refusal| refusal.reason.contains("atomic"));
        refusals.into_iter().next()
    }
}

/// One ref that was not updated.
struct Refusal {
    name: String,
    reason: String,
}

impl Refusal {
    /// A hook's own text may hold any words, so a race is read from it only where the reason itself names no
    /// hook.
    fn error(self, words: &str) -> RepositoryError {
        let by_reason = is_race(&self.reason);
        let by_words = self.reason.contains("atomic transaction") && is_race(words);
        let Self { name, reason } = self;
        let reason = joined(&reason, words);
        if by_reason || by_words {
            RepositoryError::Moved { name, reason }
        } else {
            RepositoryError::Refused { name, reason }
        }
    }
}

fn is_race(text: &str) -> bool {
    RACE_WORDS.iter().any(|words| text.contains(words))
}

fn joined(reason: &str, words: &str) -> String {
    if words.is_empty() { reason.to_owned() } else { format!("{reason}: {words}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fate(lines: &[&str], words: &str) -> String {
        let mut bytes = Vec::new();
        for line in lines {
            pktline::push(&mut bytes, line);
        }
        pktline::push_flush(&mut bytes);
        let update = |name: &str| RefUpdate { name: name.to_owned(), old: None, new: None };
        let result = Report::parse(&bytes)
            .map_err(RepositoryError::from)
            .and_then(|report| report.fate(&[update("refs/a"), update("refs/b")], words));
        match result {
            Ok(()) => "done".to_owned(),
            Err(RepositoryError::Moved { name, .. }) => format!("moved {name}"),
            Err(RepositoryError::Refused { name, reason }) => format!("refused {name}: {reason}"),
            Err(RepositoryError::Unavailable { reason }) => format!("unavailable: {reason}"),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_report_tells_the_fate() {
        let hook = "refused refs/b: hook declined: ask sre";
        for (lines, words, want) in [
            (&["unpack ok\n", "ok refs/a\n", "ok refs/b\n"][..], "", "done"),
            (&["unpack ok\n", "ok refs/a\n", "option forced-update\n", "ok refs/b"], "", "done"),
            (&["unpack ok\n", "ok refs/a\n", "ng refs/b failed to update ref\n"], "", "moved refs/b"),
            (
                &["unpack ok\n", "ng refs/a atomic push failure\n", "ng refs/b hook declined\n"],
                "ask sre",
                hook,
            ),
            (
                &["unpack ok\n", "ng refs/a atomic transaction failed\n"],
                "cannot lock ref 'refs/b'",
                "moved refs/a",
            ),
            (
                &["unpack ok\n", "ng refs/a hook declined\n"],
                "fetch first",
                "refused refs/a: hook declined: fetch first",
            ),
            (&["unpack ok\n", "ok refs/a\n"], "", "unavailable: report does not name refs/b"),
            (
                &["unpack index-pack failed\n", "ng refs/a unpacker error\n"],
                "",
                "unavailable: pack was not taken: index-pack failed",
            ),
            (&["unpack ok\n", "ng refs/a\n"], "", "refused refs/a: no reason given"),
        ] {
            assert_eq!(fate(lines, words), want);
        }
        for bad in [&[][..], &["ok refs/a\n"], &["unpack ok\n", "<html>"]] {
            assert!(fate(bad, "").starts_with("unavailable: answer does not follow"), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = Report::parse(&bytes);
        }
    }
}

//! What goes wrong with single requests.

use std::collections::VecDeque;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The secondary limit: 403 and `retry-after`, in seconds.
    Secondary(u64),
    /// The primary limit: this status (403 or 429), nothing left until so many seconds from now.
    Primary(u16, u64),
    /// It is answered with this status, and nothing is done.
    Before(u16),
    /// It is done, and answered with this status.
    After(u16),
    /// The connection is cut, and nothing is done.
    Cut,
    /// It is done, and the connection cut.
    LoseAnswer,
    /// It is never done nor answered.
    Hang,
    /// It is done and never answered.
    HangAfter,
    /// Nothing: to let one request pass before another one fails.
    Pass,
}

/// Faults in wait, each for the next request that it matches.
#[derive(Debug, Default)]
pub struct Faults(VecDeque<(String, Fault)>);

impl Faults {
    pub fn push(&mut self, part: &str, fault: Fault) {
        self.0.push_back((part.to_owned(), fault));
    }

    pub fn has(&self, part: &str) -> bool {
        self.0.iter().any(|(known, _)| known == part)
    }

    /// The first that `line` (`METHOD path?query`) or the name of the operation contains the part of.
    pub fn take(&mut self, line: &str, operation: &str) -> Option<Fault> {
        let at = self.0.iter().position(|(part, _)| line.contains(part) || operation.contains(part))?;
        self.0.remove(at).map(|(_, fault)| fault)
    }
}

//! The arguments of a command, word by word from the front.

use std::collections::BTreeSet;

use super::error::shown;
use super::{ALL, ARGUMENT_CHARS_MAX, AskedLane, Problem, Target, Until};
use crate::pipeline::{is_hidden, nearest};

/// Shortest name for which one wrong letter is taken for a slip; of shorter ones (`qa`, `dev`) too many words are near.
const NAME_BYTES_MIN: usize = 4;

/// The words that are left.
pub(super) struct Words<'a> {
    words: Vec<&'a str>,
    known: &'a BTreeSet<String>,
}

impl<'a> Words<'a> {
    pub(super) fn new(arguments: &'a str, known: &'a BTreeSet<String>) -> Result<Self, Problem> {
        let found = arguments.chars().count();
        if found > ARGUMENT_CHARS_MAX {
            return Err(Problem::TooLong { found });
        }
        if let Some(found) = arguments.chars().find(|c| is_hidden(*c) && *c != '\t') {
            return Err(Problem::Hidden { found });
        }
        let mut words: Vec<&str> = arguments.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        words.reverse();
        Ok(Self { words, known })
    }

    /// The stage or group, where the first word is the name of one.
    ///
    /// A word that is almost a name, or that stands before `to <version>`, is refused rather than taken for the
    /// beginning of the reason: the command would act on another stage than the one meant.
    pub(super) fn stage(&mut self) -> Result<Option<String>, Problem> {
        let Some(&word) = self.words.last() else { return Ok(None) };
        let name = word.to_ascii_lowercase();
        if self.known.contains(&name) {
            self.words.pop();
            return Ok(Some(name));
        }
        let is_keyword = ["to", "until"].contains(&name.as_str());
        let names = self.known.iter().map(String::as_str).filter(|name| name.len() >= NAME_BYTES_MIN);
        let meant = nearest(&name, names, 1).map(ToOwned::to_owned);
        if !is_keyword && (meant.is_some() || self.has_argument_second()) {
            return Err(Problem::NoStage { found: shown(word), meant });
        }
        Ok(None)
    }

    /// The stage or group, or `all`.
    pub(super) fn stage_or_all(&mut self) -> Result<Option<String>, Problem> {
        match self.words.pop_if(|word| word.eq_ignore_ascii_case(ALL)) {
            Some(_) => Ok(Some(ALL.to_owned())),
            None => self.stage(),
        }
    }

    /// Whether the second word is `to` or `until` with what belongs to it.
    fn has_argument_second(&self) -> bool {
        let word = |place: usize| self.words.iter().rev().nth(place).copied().unwrap_or_default();
        match word(1).to_ascii_lowercase().as_str() {
            "to" => Target::is_like(word(2)),
            "until" => Until::parse(word(2)).is_ok(),
            _ => false,
        }
    }

    /// The stage or group, where nothing else makes sense.
    pub(super) fn only_stage(&mut self) -> Result<Option<String>, Problem> {
        let stage = self.stage()?;
        match self.words.last() {
            Some(word) if stage.is_none() => Err(Problem::NoStage { found: shown(word), meant: None }),
            Some(_) | None => Ok(stage),
        }
    }

    /// `to <version or digest>`, where it comes next.
    pub(super) fn to(&mut self) -> Result<Option<Target>, Problem> {
        if !self.take_keyword("to") {
            return Ok(None);
        }
        Target::parse(self.words.pop().unwrap_or_default()).map(Some)
    }

    /// `until <time>`, where it comes next.
    pub(super) fn until(&mut self) -> Result<Option<Until>, Problem> {
        if !self.take_keyword("until") {
            return Ok(None);
        }
        Until::parse(self.words.pop().unwrap_or_default()).map(Some)
    }

    pub(super) fn refuse_until(&mut self, lifts: &'static str, stops: &'static str) -> Result<(), Problem> {
        if self.take_keyword("until") { Err(Problem::LiftUntil { lifts, stops }) } else { Ok(()) }
    }

    /// Takes the lane out, wherever it stands.
    pub(super) fn lane(&mut self) -> Result<AskedLane, Problem> {
        let is_lane = |word: &&str| word.starts_with("lane=");
        let found: Vec<&str> = self.words.iter().copied().filter(is_lane).collect();
        self.words.retain(|word| !is_lane(word));
        match found.as_slice() {
            [] | ["lane=normal"] => Ok(AskedLane::Normal),
            ["lane=hotfix"] => Ok(AskedLane::Hotfix),
            [one] => Err(Problem::Lane { found: shown(one) }),
            several => Err(Problem::Lane { found: shown(&several.join(" ")) }),
        }
    }

    /// The version or digest, where the next word looks like one.
    pub(super) fn target(&mut self) -> Result<Option<Target>, Problem> {
        match self.words.pop_if(|word| Target::is_like(word)) {
            Some(word) => Target::parse(word).map(Some),
            None => Ok(None),
        }
    }

    /// All that is left.
    pub(super) fn reason(mut self) -> Option<String> {
        self.words.reverse();
        (!self.words.is_empty()).then(|| self.words.join(" "))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        self.words.pop_if(|word| word.eq_ignore_ascii_case(keyword)).is_some()
    }
}

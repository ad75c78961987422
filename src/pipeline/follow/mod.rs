//! How a pipeline's first stage picks new digests.
//!
//! A rule gives some tags a key, and the highest key is followed. What the keys are, and what they are not:
//!
//! | rule | fits | key |
//! |---|---|---|
//! | `semver` | versions in the range | the version, by precedence |
//! | `calver` | dates in the format | its numbers, from the left |
//! | `numeric` | digits alone | the number |
//! | `lexical` | any text | the text in byte order, without a commit at its end |
//! | `newest` | any tag | when the image says that it was created |
//! | `tag` | that tag | none: its digest moves |
//! | `exact` | that tag | none: it stands |
//!
//! With `extract`, what its group `key` caught is read in place of the whole tag, and where two of those are equal, the
//! number that its group `build` caught decides. What `sha` catches is told to people and decides nothing. Tags that still have one key are one release, or none: they have to
//! name one digest, and the first of them in byte order is written into the pins. All tags but that of `tag` stand for
//! one digest for good. The hash of a commit says nothing of its age, so it never decides.

mod calver;
mod commits;
mod key;
mod pattern;

use jiff::Timestamp;
use semver::Version;
use serde::Serialize;

use self::key::{Key, Main, Number};
use super::{VersionRange, version_of};
use crate::image::{Digest, Tag, credibly_created};

pub use self::calver::{CalverError, CalverFormat};
pub use self::pattern::{Extract, Pattern, PatternError, Told};

pub(crate) use self::key::is_commit;

/// Most tags of which `newest` reads the creation time: three requests each (index, manifest, configuration), once.
pub const CREATED_MAX: usize = 64;
/// Most tags of one key that are resolved: three spellings of a version, and one to spare.
pub const TIED_MAX: usize = 4;
/// The tag that people mean when they name none. It moves, so only `tag` follows it.
const LATEST: &str = "latest";

/// The rule by which new digests of one image are picked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Follow {
    /// Which tag is followed.
    pub rule: Rule,
    /// Which tags are looked at.
    pub filter: Filter,
}

/// Which of the tags that are looked at is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Rule {
    /// The highest version in the range.
    Semver(VersionRange),
    /// The latest date in this format.
    Calver(CalverFormat),
    /// The highest number.
    Numeric,
    /// The last text in byte order.
    Lexical,
    /// That of the image which was created last.
    Newest,
    /// One tag that moves.
    Tag(Tag),
    /// One tag that does not move.
    Exact(Tag),
}

/// Which tags are looked at, and what of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Filter {
    /// Only those in which this is found.
    pub allow: Option<Pattern>,
    /// None in which this is found.
    pub ignore: Option<Pattern>,
    /// What is compared, where that is not the whole tag.
    pub extract: Option<Extract>,
}

/// What a rule picks of the tags of a repository. The tags are sorted by bytes, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked<'a> {
    /// The tags of the highest key, at most [`TIED_MAX`]: one release if they name one digest, else none.
    Tags(Vec<&'a Tag>),
    /// At most [`CREATED_MAX`] tags; when their images were created decides: [`Follow::newest`].
    Created(Vec<&'a Tag>),
    /// No tag fits.
    Nothing,
    /// There are tags, and none of them can be followed: why.
    Refused(String),
}

/// When several images make one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Together {
    /// Any combination of the newest of each.
    Any,
    /// Only where all have the same key.
    SameTag,
}

/// How two tags compare under a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The first is older.
    Older,
    /// Equal in rank: the same key, or the same moving tag; only the time they were seen tells.
    Same,
    /// The first is newer.
    Newer,
    /// They cannot be compared (a tag without a key).
    Unknown,
}

impl From<Rule> for Follow {
    fn from(rule: Rule) -> Self {
        Self { rule, filter: Filter::default() }
    }
}

impl Follow {
    /// The one tag that the rule names, where no list of tags is needed.
    #[must_use]
    pub fn named(&self) -> Option<&Tag> {
        match &self.rule {
            Rule::Tag(tag) | Rule::Exact(tag) => Some(tag),
            Rule::Semver(_) | Rule::Calver(_) | Rule::Numeric | Rule::Lexical | Rule::Newest => None,
        }
    }

    /// Whether a tag may name another digest tomorrow.
    #[must_use]
    pub fn moves(&self) -> bool {
        matches!(self.rule, Rule::Tag(_))
    }

    /// Picks from all tags of the repository, in whatever order they come.
    ///
    /// Tags that are no image's own, as those of signatures (`sha256-…`) and our anchors, are never picked, nor is `latest`
    /// but by `tag` and `exact`.
    #[must_use]
    pub fn pick<'a>(&self, tags: &'a [Tag]) -> Picked<'a> {
        if let Some(wanted) = self.named() {
            let found = tags.iter().find(|tag| *tag == wanted && !tag.is_of_digest());
            return found.map_or(Picked::Nothing, |tag| Picked::Tags(vec![tag]));
        }
        let fits =
            |tag: &&Tag| tag.as_str() != LATEST && !tag.is_of_digest() && self.filter.lets_in(tag.as_str());
        let mut fitting: Vec<&Tag> = tags.iter().filter(fits).collect();
        fitting.sort_unstable();
        fitting.dedup();
        if self.rule == Rule::Newest { newest_of(fitting) } else { self.highest(&fitting) }
    }

    fn highest<'a>(&self, fitting: &[&'a Tag]) -> Picked<'a> {
        let mut best: Option<(Key, Vec<&'a Tag>)> = None;
        for &tag in fitting {
            let Some(key) = self.key(tag).filter(|key| self.rule.takes(&key.main)) else { continue };
            match &mut best {
                Some((known, tied)) if *known == key => tied.push(tag),
                Some((known, _)) if *known > key => {}
                Some(_) | None => best = Some((key, vec![tag])),
            }
        }
        match best {
            Some((_, tied)) if tied.len() > TIED_MAX => Picked::Refused(format!(
                "{} tags have one key ({}, …); what tells them apart has to be in `extract`",
                tied.len(),
                shown(&tied[..2])
            )),
            Some((_, tied)) if self.are_commits(&tied, fitting) => Picked::Refused(commits::text(tied[0])),
            Some((_, tied)) => Picked::Tags(tied),
            None if !fitting.is_empty() && fitting.iter().all(|tag| self.is_commit(tag)) => {
                Picked::Refused(commits::text(fitting[0]))
            }
            None => Picked::Nothing,
        }
    }

    /// Of tags with the creation times of their images, the one that was created last, and why there is none.
    ///
    /// Of several tags of that image the longest is taken, then the first in byte order: tags that move (`1`, `1.2`,
    /// `main`) are mostly shorter than those that do not.
    ///
    /// # Errors
    /// A sentence for people: an image that does not say when it was created, or says a time that is yet to come, or two that
    /// were created at once.
    pub fn newest<'a>(
        tags: &[(&'a Tag, Digest, Option<Timestamp>)],
        now: Timestamp,
    ) -> Result<Option<&'a Tag>, String> {
        let is_untold =
            |(.., created): &&(&Tag, Digest, Option<Timestamp>)| credibly_created(*created, now).is_none();
        if let Some((tag, _, created)) = tags.iter().filter(is_untold).min_by_key(|(tag, ..)| tag) {
            let why = created.map_or_else(
                || "does not say when it was created".to_owned(),
                |created| format!("says that it was created at {created}, which is yet to come"),
            );
            return Err(format!("the image of tag `{tag}` {why}; leave the tag out by `ignore`"));
        }
        let Some(last) = tags.iter().filter_map(|(.., created)| *created).max() else { return Ok(None) };
        let mut newest: Vec<_> = tags.iter().filter(|(.., created)| *created == Some(last)).collect();
        newest.sort_by_key(|(tag, ..)| (std::cmp::Reverse(tag.as_str().len()), *tag));
        let Some((picked, digest, _)) = newest.first() else { return Ok(None) };
        match newest.iter().find(|(_, other, _)| other != digest) {
            Some((other, ..)) => Err(disagreement(picked, other, "were created in one second")),
            None => Ok(Some(picked)),
        }
    }

    /// How `one` compares with `other` under this rule.
    ///
    /// Tags that the filters leave out compare as well: what a stage runs may be older than the rule.
    #[must_use]
    pub fn compare(&self, one: Option<&Tag>, other: Option<&Tag>) -> Order {
        let (Some(one), Some(other)) = (one, other) else { return Order::Unknown };
        match &self.rule {
            Rule::Tag(named) | Rule::Exact(named) if one == named && other == named => Order::Same,
            Rule::Newest if one == other => Order::Same,
            Rule::Tag(_) | Rule::Exact(_) | Rule::Newest => Order::Unknown,
            Rule::Semver(_) | Rule::Calver(_) | Rule::Numeric | Rule::Lexical => {
                let keys = self.key(one).zip(self.key(other));
                keys.map_or(Order::Unknown, |(one, other)| one.cmp(&other).into())
            }
        }
    }

    /// The version that a tag names under this rule. Dates, numbers and words are none: they say nothing of how much
    /// changed.
    #[must_use]
    pub fn version(&self, tag: &Tag) -> Option<Version> {
        match &self.rule {
            Rule::Semver(_) | Rule::Tag(_) | Rule::Exact(_) | Rule::Newest => {
                let (text, _) = self.filter.caught(tag.as_str())?;
                key::without_commit(version_of(text)?)
            }
            Rule::Calver(_) | Rule::Numeric | Rule::Lexical => None,
        }
    }

    /// What the groups `build` and `sha` of `extract` catch in a tag.
    #[must_use]
    pub fn told<'a>(&self, tag: &'a Tag) -> Told<'a> {
        let extract = self.filter.extract.as_ref();
        extract.map(|extract| extract.told(tag.as_str())).unwrap_or_default()
    }

    /// What the tags of images that are released together have to share: what the rule reads of them, a commit included,
    /// or the tag where it reads nothing.
    #[must_use]
    pub fn shared(&self, tag: &Tag) -> String {
        self.read(tag).map_or_else(|| tag.to_string(), |read| read.to_string())
    }

    /// What is compared of a tag: what is read of it, without a commit.
    fn key(&self, tag: &Tag) -> Option<Key> {
        let Key { main, build } = self.read(tag)?;
        Some(Key { main: main.without_commit()?, build })
    }

    fn read(&self, tag: &Tag) -> Option<Key> {
        if tag.is_of_digest() {
            return None;
        }
        let (text, build) = self.filter.caught(tag.as_str())?;
        let main = match &self.rule {
            Rule::Semver(_) => Main::Version(version_of(text)?),
            Rule::Calver(format) => Main::Date(format.read(text)?),
            Rule::Numeric => Main::Number(Number::read(text)?),
            Rule::Lexical => Main::Text(text.to_owned()),
            Rule::Newest | Rule::Tag(_) | Rule::Exact(_) => return None,
        };
        let build = match build {
            Some(build) => Some(Number::read(build)?),
            None => None,
        };
        Some(Key { main, build })
    }
}

impl Rule {
    /// Whether a key is one to follow.
    fn takes(&self, main: &Main) -> bool {
        match (self, main) {
            (Self::Semver(range), Main::Version(version)) => range.matches(version),
            (_, Main::Version(_) | Main::Date(_) | Main::Number(_) | Main::Text(_)) => true,
        }
    }
}

impl Filter {
    /// Whether tags of this text are looked at.
    fn lets_in(&self, text: &str) -> bool {
        self.allow.as_ref().is_none_or(|allow| allow.is_in(text))
            && !self.ignore.as_ref().is_some_and(|ignore| ignore.is_in(text))
    }

    /// What of the text is compared, and the build that decides between equals.
    fn caught<'a>(&self, text: &'a str) -> Option<(&'a str, Option<&'a str>)> {
        match &self.extract {
            Some(extract) => extract.caught(text),
            None => Some((text, None)),
        }
    }
}

impl From<std::cmp::Ordering> for Order {
    fn from(ordering: std::cmp::Ordering) -> Self {
        match ordering {
            std::cmp::Ordering::Less => Self::Older,
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Greater => Self::Newer,
        }
    }
}

fn newest_of(fitting: Vec<&Tag>) -> Picked<'_> {
    match fitting.len() {
        0 => Picked::Nothing,
        1..=CREATED_MAX => Picked::Created(fitting),
        count => Picked::Refused(format!(
            "{count} tags fit, and `newest` reads when at most {CREATED_MAX} images were created; narrow them by `allow` \
             or `ignore`"
        )),
    }
}

/// What is wrong where two tags should name one digest and do not.
#[must_use]
pub fn disagreement(one: &Tag, other: &Tag, why: &str) -> String {
    format!(
        "tags `{one}` and `{other}` {why} and name different digests; which one is meant, nobody can tell"
    )
}

fn shown(tags: &[&Tag]) -> String {
    tags.iter().map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

//! Commits in tags: their hashes have no order, so a rule that would order them is refused.

use super::key::is_commit;
use super::{Follow, Rule};
use crate::image::Tag;

/// Tags that name a commit, by itself or behind other words; two of each form, which have no digit of the hash in common,
/// so that an expression that is in both means the form.
const COMMITS: [[&str; 2]; 10] = [
    ["9f2c41a", "e05b7d8"],
    ["4f1c3f1a", "b5d7e850"],
    ["9f2c41a3c4f1", "e05b7d86b0d5"],
    ["9f2c41aa3c4f19f2c41aa3c4f19f2c41aa3c4f12", "e05b7d86b0d5e05b7d86b0d5e05b7d86b0d5e057"],
    ["git-9f2c41a", "git-e05b7d8"],
    ["sha-9f2c41a", "sha-e05b7d8"],
    ["v1.2.0-build4567-9f2c41a", "v1.2.0-build4567-e05b7d8"],
    ["v1.2.0-14-g9f2c41a", "v1.2.0-14-ge05b7d8"],
    ["20260102-9f2c41a", "20260102-e05b7d8"],
    ["main-9f2c41a", "main-e05b7d8"],
];
/// Tags that name something else.
const OTHERS: [&str; 12] = [
    "1.2.3",
    "v1.2.3",
    "1.2.3-rc.1",
    "2026.01.02",
    "20260102-143022",
    "release-2026-05-12",
    "build-4567",
    "v1.2.0-build4567",
    "main",
    "main-4567",
    "release",
    "v1",
];

impl Follow {
    /// Whether what the rule reads of the tag is a commit and nothing else.
    pub(super) fn is_commit(&self, tag: &Tag) -> bool {
        self.filter.caught(tag.as_str()).is_some_and(|(text, _)| is_commit(after_mark(text)))
    }

    /// Whether the digits at the end of what was picked are those of a commit, as one in 25 has no letter: other tags
    /// have a commit in that place.
    pub(super) fn are_commits(&self, picked: &[&Tag], fitting: &[&Tag]) -> bool {
        let parts = |tag: &Tag| {
            let (text, _) = self.filter.caught(tag.as_str())?;
            let begin = text.rfind(['.', '-', '_']).map_or(0, |place| place + 1);
            let (stem, last) = text.split_at_checked(begin)?;
            Some((stem.to_owned(), last.to_owned()))
        };
        let free = matches!(self.rule, Rule::Semver(_) | Rule::Numeric | Rule::Lexical);
        let found = picked.iter().filter(|_| free).filter_map(|tag| parts(tag));
        found.filter(|(_, last)| last.bytes().all(|byte| byte.is_ascii_digit())).any(|(stem, last)| {
            let is_like = |(stem_too, last_too): (String, String)| {
                stem_too == stem && last_too.len() == last.len() && is_commit(&last_too)
            };
            fitting.iter().filter_map(|tag| parts(tag)).any(is_like)
        })
    }

    /// Whether the rule lets in tags of commits and no others, as far as examples of both tell: such a rule orders by
    /// chance.
    #[must_use]
    pub(in crate::pipeline) fn takes_commits_alone(&self) -> bool {
        let caught = |text: &'static str| {
            let looked_at = Some(text).filter(|text| self.filter.lets_in(text));
            looked_at.and_then(|text| self.filter.caught(text)).map(|(caught, _)| after_mark(caught))
        };
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let orders = matches!(self.rule, Rule::Semver(_) | Rule::Calver(_) | Rule::Numeric | Rule::Lexical);
        orders
            && COMMITS.iter().any(|pair| pair.iter().all(|text| caught(text).is_some_and(is_commit)))
            && OTHERS.into_iter().filter_map(caught).all(is_hex)
    }
}

/// Why a tag that names a commit is not followed.
pub(super) fn text(tag: &Tag) -> String {
    format!(
        "tag `{tag}` names a commit, and commits have no order; follow a moving tag by `tag`, the creation time by \
         `newest`, or a number or date in the tag by `extract`"
    )
}

/// The text without the word that says that a commit comes.
fn after_mark(text: &str) -> &str {
    let marks = ["git-", "sha-", "commit-"];
    marks.iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text)
}

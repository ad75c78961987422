//! Regular expressions over tags.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};

/// Longest expression: one line of the file.
const PATTERN_BYTES_MAX: usize = 256;
/// Largest compiled expression: a class repeated some hundred times takes as much, and `[0-9a-f]{7,40}` a tenth.
const COMPILED_BYTES_MAX: usize = 16 * 1024;
/// Largest table that a search may build, for each thread at work; a larger one is searched for more slowly.
const TABLE_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting.
const DEPTH_MAX: u32 = 16;
/// The group whose text is compared.
const KEY: &str = "key";
/// The group whose number decides between equal keys.
const BUILD: &str = "build";
/// The group whose text is the commit: told to people, and never compared.
const SHA: &str = "sha";

/// A regular expression, as the `regex` crate has them: linear time, no look-around, no back-references.
///
/// It is searched for anywhere in the tag; `^` and `$` tie it to its ends. Letters are those of ASCII, as in tags.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// An expression with a group named `key`, and perhaps one named `build` and one named `sha`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Extract(Pattern);

/// What a tag tells of where its image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told<'a> {
    /// The build.
    pub build: Option<&'a str>,
    /// The commit.
    pub sha: Option<&'a str>,
}

/// The text is no expression that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expression `{found}`: {reason}")]
pub struct PatternError {
    found: String,
    reason: String,
}

impl Pattern {
    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is found in the text.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }
}

impl Extract {
    /// What the groups `key` and `build` caught, where the expression is found and the key is not empty.
    pub(super) fn caught<'a>(&self, text: &'a str) -> Option<(&'a str, Option<&'a str>)> {
        let captures = self.0.regex.captures(text.as_bytes())?;
        let group = |name| captures.name(name).and_then(|found| text.get(found.range()));
        let key = group(KEY).filter(|key| !key.is_empty())?;
        Some((key, group(BUILD)))
    }

    /// What the groups `build` and `sha` caught.
    pub(super) fn told<'a>(&self, text: &'a str) -> Told<'a> {
        let Some(captures) = self.0.regex.captures(text.as_bytes()) else { return Told::default() };
        let group = |name| captures.name(name).and_then(|found| text.get(found.range()));
        let filled = |name| group(name).filter(|text: &&str| !text.is_empty());
        Told { build: filled(BUILD), sha: filled(SHA) }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let refused = |reason: String| PatternError { found: text.chars().take(100).collect(), reason };
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err(refused(format!("wanted 1 to {PATTERN_BYTES_MAX} bytes, found {}", text.len())));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(refused("wanted visible ASCII alone, since tags have nothing else".to_owned()));
        }
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(TABLE_BYTES_MAX)
            .nest_limit(DEPTH_MAX)
            .build()
            .map_err(|error| refused(reason_of(&error)))?;
        Ok(Self { text: text.to_owned(), regex })
    }
}

/// One line of what is wrong: the package's text draws a picture over several.
fn reason_of(error: &regex::Error) -> String {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return format!("it takes more than {COMPILED_BYTES_MAX} bytes");
    }
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

impl FromStr for Extract {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::try_from(text.parse::<Pattern>()?)
    }
}

impl TryFrom<Pattern> for Extract {
    type Error = PatternError;

    fn try_from(pattern: Pattern) -> Result<Self, PatternError> {
        let found = || pattern.text.chars().take(100).collect();
        let refused = |reason: &str| PatternError { found: found(), reason: reason.to_owned() };
        let names: Vec<&str> = pattern.regex.capture_names().flatten().collect();
        if !names.contains(&KEY) {
            return Err(refused("wanted a group named `key`, as in `^build-(?<key>[0-9]+)$`"));
        }
        if names.iter().any(|name| ![KEY, BUILD, SHA].contains(name)) {
            return Err(refused("wanted no named groups but `key`, `build` and `sha`"));
        }
        Ok(Self(pattern))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_searched_for_anywhere_unless_it_is_tied() {
        for (pattern, text, want) in [
            ("rc", "1.2.0-rc.1", true),
            ("^rc", "1.2.0-rc.1", false),
            ("^v1", "v1.2.0", true),
            ("^v1$", "v1.2.0", false),
            (r"\d{8}", "x20260102", true),
            (r"^\w+$", "a_b", true),
            (r"^\w+$", "a-b", false),
            ("MAIN", "main", false),
            ("(?i)MAIN", "main", true),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().is_in(text), want, "{pattern} in {text}");
        }
    }

    #[test]
    fn groups_catch_the_key_and_the_build() {
        let catch = |pattern: &str, text: &'static str| pattern.parse::<Extract>().unwrap().caught(text);
        assert_eq!(catch("^build-(?<key>[0-9]+)$", "build-4567"), Some(("4567", None)));
        assert_eq!(catch("^build-(?P<key>[0-9]+)$", "build-4567x"), None);
        let both = r"^v(?<key>\d+\.\d+\.\d+)-build(?<build>\d+)-";
        assert_eq!(catch(both, "v1.2.0-build4567-abc123f"), Some(("1.2.0", Some("4567"))));
        assert_eq!(catch("x(?<key>[0-9]*)", "x"), None);
        assert_eq!(catch("^(?<key>[0-9]+)(-(?<build>[0-9]+))?$", "7"), Some(("7", None)));
        let all = r"^(?<key>\d+)(-(?<build>\d+))?-(?<sha>[0-9a-f]{7})$".parse::<Extract>().unwrap();
        assert_eq!(all.told("7-12-abc123f"), Told { build: Some("12"), sha: Some("abc123f") });
        assert_eq!(all.told("7-abc123f"), Told { build: None, sha: Some("abc123f") });
        assert_eq!(all.told("main"), Told::default());
    }

    #[test]
    fn what_is_no_expression_is_refused_in_one_line() {
        for (text, reason) in [
            ("", "found 0"),
            ("(", "unclosed group"),
            ("a{2,1}", "invalid repetition count range"),
            ("(?=a)", "look-around"),
            ("é", "visible ASCII"),
            ("a\tb", "visible ASCII"),
            (r"\p{Greek}", "Unicode"),
            ("[a-z]{1000}[a-z]{1000}[a-z]{1000}", "more than 16384 bytes"),
        ] {
            let error = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains('\n'), "{text}: {error}");
        }
        assert!("a".repeat(256).parse::<Pattern>().is_ok());
        assert!("a".repeat(257).parse::<Pattern>().is_err());
        assert!(format!("{}{}", "(".repeat(15), ")".repeat(15)).parse::<Pattern>().is_ok());
        assert!(format!("{}{}", "(".repeat(20), ")".repeat(20)).parse::<Pattern>().is_err());
        for (text, reason) in [("(a)", "group named `key`"), ("(?<key>a)(?<other>b)", "no named groups but")]
        {
            let error = text.parse::<Extract>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}

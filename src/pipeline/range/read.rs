//! From the text of a range to its comparators. The errors are fragments for people; `mod.rs` adds the text.

use semver::{Prerelease, Version};

use super::{Clause, Comparator};

/// Longest range: 16 alternatives of 16 comparators would need more, but nobody can review that.
const RANGE_BYTES_MAX: usize = 256;
/// Most alternatives (`||`) of a range.
const ALTERNATIVES_MAX: usize = 16;
/// Most comparators of one alternative.
const COMPARATORS_MAX: usize = 16;

/// Where the parts of a version stop: `1.4` leaves the patch open, `*` leaves all open.
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: Prerelease,
}

/// A range of versions: from the first, below the second; no second: without an end.
type Span = (Version, Option<Version>);

pub(super) fn any_of(text: &str) -> Result<Vec<Clause>, String> {
    if text.len() > RANGE_BYTES_MAX {
        return Err(format!("wanted at most {RANGE_BYTES_MAX} bytes, found {}", text.len()));
    }
    let alternatives: Vec<&str> = text.split("||").collect();
    if alternatives.len() > ALTERNATIVES_MAX {
        return Err(format!("wanted at most {ALTERNATIVES_MAX} alternatives, found {}", alternatives.len()));
    }
    alternatives.into_iter().map(clause).collect()
}

fn clause(text: &str) -> Result<Clause, String> {
    let words = words(text)?;
    if words.len() > COMPARATORS_MAX {
        return Err(format!("wanted at most {COMPARATORS_MAX} comparators, found {}", words.len()));
    }
    let mut clause = Clause::default();
    if let [from, "-", to] = words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        clause.add(">=", from)?;
        clause.add("<=", to)?;
        return Ok(clause);
    }
    for word in &words {
        let version = word.trim_start_matches(['<', '>', '=', '!', '^', '~']);
        let operator = word.strip_suffix(version).unwrap_or_default();
        clause.add(operator, version)?;
    }
    Ok(clause)
}

/// The comparators of one alternative: an operator may stand apart from its version (`>= 1.4`), and commas are blanks,
/// but only one between two comparators.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    for between_commas in text.split(',') {
        let mut operator = "";
        let mut is_empty = true;
        for word in between_commas.split_ascii_whitespace() {
            is_empty = false;
            if word.bytes().all(|byte| b"<>=!^~".contains(&byte)) {
                if !operator.is_empty() {
                    return Err(format!("wanted a version after `{operator}`, found `{word}`"));
                }
                operator = word;
            } else {
                words.push(format!("{operator}{word}"));
                operator = "";
            }
        }
        if is_empty || !operator.is_empty() {
            return Err("wanted a version on each side of `,` and `||` and after each operator".to_owned());
        }
    }
    Ok(words)
}

impl Clause {
    fn add(&mut self, operator: &str, version: &str) -> Result<(), String> {
        let partial = partial(version)?;
        // To leave one pre-release out asks for no other.
        if operator != "!=" {
            self.prereleases_of.extend(partial.prerelease_triple());
        }
        let (from, below) = match operator {
            "" | "=" | ">" | ">=" | "<" | "<=" | "!=" => partial.span()?,
            "^" => (partial.first(), partial.caret_end()?),
            "~" => (partial.first(), partial.tilde_end()?),
            other => return Err(format!("wanted one of = != > >= < <= ^ ~, found `{other}`")),
        };
        if partial.major.is_none() && !matches!(operator, "" | "=" | ">=") {
            return Err(format!(
                "`{operator}{version}` compares with nothing; wanted a version after `{operator}`"
            ));
        }
        match operator {
            ">" => self.all_of.extend(below.map(Comparator::From)),
            "<" => self.all_of.push(Comparator::Below(from)),
            "<=" => self.all_of.extend(below.map(Comparator::Below)),
            ">=" => self.all_of.push(Comparator::From(from)),
            "!=" => {
                let from = partial.first_of_any()?;
                self.all_of.extend(below.map(|below| Comparator::Outside(from, below)));
            }
            _ => {
                self.all_of.push(Comparator::From(from));
                self.all_of.extend(below.map(Comparator::Below));
            }
        }
        Ok(())
    }
}

/// Reads `1`, `1.4`, `1.4.x`, `1.4.2-rc.1`, `*`, each perhaps with a `v` before it.
fn partial(text: &str) -> Result<Partial, String> {
    let error = || format!("`{text}` is no version (wanted `1`, `1.4`, `1.4.2`, `1.4.x` or `*`)");
    let plain = text.strip_prefix('v').unwrap_or(text);
    if let Ok(version) = Version::parse(plain) {
        if !version.build.is_empty() {
            return Err(format!("`{text}` has build metadata, which no tag can have"));
        }
        let Version { major, minor, patch, pre, .. } = version;
        return Ok(Partial { major: Some(major), minor: Some(minor), patch: Some(patch), pre });
    }
    let parts: Vec<&str> = plain.split('.').collect();
    if parts.len() > 3 {
        return Err(error());
    }
    let mut numbers = [None; 3];
    let mut is_open = false;
    for (number, part) in numbers.iter_mut().zip(&parts) {
        let is_wildcard = matches!(*part, "*" | "x" | "X");
        let has_digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let has_leading_zero = part.len() > 1 && part.starts_with('0');
        if !is_wildcard && (is_open || !has_digits || has_leading_zero) {
            return Err(error());
        }
        is_open = is_wildcard;
        *number = if is_wildcard { None } else { Some(part.parse().map_err(|_| error())?) };
    }
    let [major, minor, patch] = numbers;
    Ok(Partial { major, minor, patch, pre: Prerelease::EMPTY })
}

impl Partial {
    fn prerelease_triple(&self) -> Option<super::Triple> {
        if self.pre.is_empty() {
            return None;
        }
        Some((self.major?, self.minor?, self.patch?))
    }

    /// The first version that it names.
    fn first(&self) -> Version {
        let part = Option::unwrap_or_default;
        Version {
            pre: self.pre.clone(),
            ..Version::new(part(self.major), part(self.minor), part(self.patch))
        }
    }

    /// The first version that it leaves out: `1.4` with its pre-releases, `1.4.2` without.
    fn first_of_any(&self) -> Result<Version, String> {
        let first = self.first();
        if self.patch.is_some() { Ok(first) } else { before_any_of(first.major, first.minor, first.patch) }
    }

    /// All versions that it names: `1.4` is from 1.4.0 and below 1.5.0, `1.4.2` that one version.
    fn span(&self) -> Result<Span, String> {
        let end = match (self.major, self.minor, self.patch) {
            (Some(_), Some(_), Some(_)) => Some(just_after(&self.first())?),
            (Some(major), Some(minor), None) => Some(before_any_of(major, next(minor)?, 0)?),
            (Some(major), None, _) => Some(before_any_of(next(major)?, 0, 0)?),
            (None, _, _) => None,
        };
        Ok((self.first(), end))
    }

    fn caret_end(&self) -> Result<Option<Version>, String> {
        let Some(major) = self.major else { return Ok(None) };
        let end = match (major, self.minor, self.patch) {
            (0, Some(0), Some(patch)) => before_any_of(0, 0, next(patch)?)?,
            (0, Some(minor), _) => before_any_of(0, next(minor)?, 0)?,
            (major, _, _) => before_any_of(next(major)?, 0, 0)?,
        };
        Ok(Some(end))
    }

    fn tilde_end(&self) -> Result<Option<Version>, String> {
        let Some(major) = self.major else { return Ok(None) };
        let end = match self.minor {
            Some(minor) => before_any_of(major, next(minor)?, 0)?,
            None => before_any_of(next(major)?, 0, 0)?,
        };
        Ok(Some(end))
    }
}

/// The lowest pre-release, `major.minor.patch-0`: an end that leaves out the pre-releases of that version as well.
fn before_any_of(major: u64, minor: u64, patch: u64) -> Result<Version, String> {
    let pre = Prerelease::new("0").map_err(|error| error.to_string())?;
    Ok(Version { pre, ..Version::new(major, minor, patch) })
}

/// The version right after this one: of a release the lowest pre-release of the next patch, of a pre-release the same
/// with one more identifier, the lowest there is.
///
/// Source: Semantic Versioning 2.0.0, section 11: with all earlier identifiers equal, more of them rank higher, and
/// numbers rank lowest.
fn just_after(version: &Version) -> Result<Version, String> {
    if version.pre.is_empty() {
        return before_any_of(version.major, version.minor, next(version.patch)?);
    }
    let pre = Prerelease::new(&format!("{}.0", version.pre)).map_err(|error| error.to_string())?;
    Ok(Version { pre, ..version.clone() })
}

fn next(number: u64) -> Result<u64, String> {
    number.checked_add(1).ok_or_else(|| format!("`{number}` is too large"))
}

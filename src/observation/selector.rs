//! Label selectors, as `kubectl -l` takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels that have to be there, or not: all of the requirements hold.
///
/// Source: Kubernetes 1.36, "Labels and Selectors".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// What is asked of one label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// What is asked of it.
    pub condition: Condition,
}

/// What is asked of a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// It has one of these values.
    In(BTreeSet<String>),
    /// It has none of these values, or is not there.
    NotIn(BTreeSet<String>),
    /// It is there.
    Exists,
    /// It is not there.
    Absent,
}

/// The text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{found}\" is no label selector; write it as kubectl takes it: app=checkout,tier in (web,api),!canary"
)]
pub struct SelectorError {
    found: String,
}

impl Selector {
    /// Of these requirements; none are met by everything.
    #[must_use]
    pub fn of(requirements: Vec<Requirement>) -> Self {
        Self { requirements }
    }

    /// Whether these labels meet all requirements.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| requirement.is_met(labels.get(&requirement.key)))
    }
}

impl Requirement {
    fn is_met(&self, value: Option<&String>) -> bool {
        match &self.condition {
            Condition::In(values) => value.is_some_and(|value| values.contains(value)),
            Condition::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Condition::Exists => value.is_some(),
            Condition::Absent => value.is_none(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let found =
            |key: &str, condition| is_key(key.trim()).then(|| Self { key: key.trim().to_owned(), condition });
        if let Some(key) = text.strip_prefix('!') {
            return found(key, Condition::Absent);
        }
        if let Some((head, values)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            let values = values.split(',').map(value).collect::<Option<BTreeSet<String>>>()?;
            return match head.trim_end().rsplit_once(char::is_whitespace)? {
                (key, "in") => found(key, Condition::In(values)),
                (key, "notin") => found(key, Condition::NotIn(values)),
                _ => None,
            };
        }
        if let Some((key, text)) = text.split_once("!=") {
            return found(key, Condition::NotIn(BTreeSet::from([value(text)?])));
        }
        match text.split_once("==").or_else(|| text.split_once('=')) {
            Some((key, text)) => found(key, Condition::In(BTreeSet::from([value(text)?]))),
            None => found(text, Condition::Exists),
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    /// An empty one is refused: it would mean every workload of a namespace, which nobody says by saying nothing.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let requirements = split(text).into_iter().map(Requirement::parse).collect::<Option<Vec<_>>>();
        requirements
            .map(|requirements| Self { requirements })
            .ok_or_else(|| SelectorError { found: text.to_owned() })
    }
}

/// At commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .collect()
}

/// A label's value: at most 63 bytes, empty or between letters and digits.
fn value(text: &str) -> Option<String> {
    let text = text.trim();
    (text.is_empty() || is_word(text)).then(|| text.to_owned())
}

/// A label's key: a name, and a domain before it at will.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => super::Workloads::is_name(domain) && is_word(name),
        None => is_word(text),
    }
}

fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63 && bytes.iter().all(is_inner) && is_outer(bytes.first()) && is_outer(bytes.last())
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Requirement { key, condition }) in self.requirements.iter().enumerate() {
            formatter.write_str(if index == 0 { "" } else { "," })?;
            let list = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<String>>().join(",");
            match condition {
                Condition::In(values) if values.len() == 1 => write!(formatter, "{key}={}", list(values)),
                Condition::In(values) => write!(formatter, "{key} in ({})", list(values)),
                Condition::NotIn(values) if values.len() == 1 => write!(formatter, "{key}!={}", list(values)),
                Condition::NotIn(values) => write!(formatter, "{key} notin ({})", list(values)),
                Condition::Exists => formatter.write_str(key),
                Condition::Absent => write!(formatter, "!{key}"),
            }?;
        }
        Ok(())
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_pick_as_kubectl_does() {
        let check = |text: &str, labels: &[(&str, &str)], want: bool| {
            let selector: Selector = text.parse().unwrap();
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(selector.matches(&labels), want, "{text} of {labels:?}");
        };
        check("app=a", &[("app", "a")], true);
        check("app = a", &[("app", "a"), ("tier", "b")], true);
        check("app==a", &[("app", "b")], false);
        check("app=a", &[], false);
        check("app!=a", &[], true);
        check("app!=a", &[("app", "a")], false);
        check("app", &[("app", "")], true);
        check("!app", &[("app", "")], false);
        check("!app", &[], true);
        check("app in (a,b),tier notin (x, y)", &[("app", "b")], true);
        check("app in (a,b),tier notin (x, y)", &[("app", "b"), ("tier", "y")], false);
        check("app in(a)", &[("app", "a")], true);
        check("app.kubernetes.io/name=checkout", &[("app.kubernetes.io/name", "checkout")], true);
        check("app=", &[("app", "")], true);
    }

    #[test]
    fn what_is_no_selector_is_refused_and_what_is_one_comes_back() {
        for wrong in [
            "",
            "app=a,",
            "=a",
            "a b",
            "app in (a",
            "app in a)",
            "app within (a)",
            "-a=b",
            "a=b c",
            "a=!",
            "/a=b",
        ] {
            assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
        }
        for text in ["app=a", "a!=b", "a in (b,c)", "a notin (b,c)", "a,!b", "x.io/a=b"] {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        }
        let long = "a".repeat(63);
        assert!(format!("a={long}").parse::<Selector>().is_ok());
        assert!(format!("a={long}a").parse::<Selector>().is_err());
    }
}

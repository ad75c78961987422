//! Who may report what runs.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::check::{check_name, secrets};
use super::layers::Layers;
use super::raw::RawObserver;
use super::{Secret, SettingsError};
use crate::pipeline::{PipelineName, StageName};

/// Deployers: one for each team and cluster at most.
const OBSERVERS_MAX: usize = 256;
/// Stages that one may report, by pattern.
const STAGES_MAX: usize = 256;

/// Who may report what runs, and where.
#[derive(Debug, Clone)]
pub struct Observer {
    /// The name in the address, and in the record.
    pub name: String,
    /// The bearer tokens that count, at least one.
    pub tokens: Vec<Secret>,
    /// The stages it may report, at least one pattern.
    pub stages: Vec<StagePattern>,
}

/// Some stages: `shop/checkout/prod-eu`, where a `*` stands for any repository, pipeline or stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePattern {
    repository: Option<String>,
    pipeline: Option<PipelineName>,
    stage: Option<StageName>,
}

/// The text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted repository/pipeline/stage, each a name or `*`, found {found:?}")]
pub struct StagePatternError {
    found: String,
}

impl StagePattern {
    /// Whether this stage is among them.
    #[must_use]
    pub fn matches(&self, repository: &str, pipeline: &PipelineName, stage: &StageName) -> bool {
        self.repository.as_ref().is_none_or(|name| name == repository)
            && self.pipeline.as_ref().is_none_or(|name| name == pipeline)
            && self.stage.as_ref().is_none_or(|name| name == stage)
    }
}

impl FromStr for StagePattern {
    type Err = StagePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || StagePatternError { found: text.to_owned() };
        let parts: Vec<&str> = text.split('/').collect();
        let [repository, pipeline, stage] = parts.as_slice() else { return Err(wrong()) };
        let any = |part: &str| part == "*";
        let repository = (!any(repository)).then(|| (*repository).to_owned());
        if repository.as_ref().is_some_and(String::is_empty) {
            return Err(wrong());
        }
        let pipeline = if any(pipeline) { None } else { Some(pipeline.parse().map_err(|_| wrong())?) };
        let stage = if any(stage) { None } else { Some(stage.parse().map_err(|_| wrong())?) };
        Ok(Self { repository, pipeline, stage })
    }
}

impl fmt::Display for StagePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = self.repository.as_deref().unwrap_or("*");
        let pipeline = self.pipeline.as_ref().map_or("*", PipelineName::as_str);
        let stage = self.stage.as_ref().map_or("*", StageName::as_str);
        write!(formatter, "{repository}/{pipeline}/{stage}")
    }
}

pub(super) fn check(raw: Vec<RawObserver>, layers: &Layers) -> Result<Vec<Observer>, SettingsError> {
    if raw.len() > OBSERVERS_MAX {
        let reason = format!("wanted at most {OBSERVERS_MAX}, found {}", raw.len());
        return Err(layers.invalid("observers", reason));
    }
    let mut names = BTreeSet::new();
    let check_one = |(index, raw): (usize, RawObserver)| {
        let at = format!("observers.{index}");
        check_name(layers, &format!("{at}.name"), &raw.name, &mut names)?;
        let tokens = tokens(&at, &raw.name, &raw.token_files, raw.token.clone(), layers)?;
        let stages = stages(&format!("{at}.stages"), &raw.stages, layers)?;
        Ok(Observer { name: raw.name, tokens, stages })
    };
    raw.into_iter().enumerate().map(check_one).collect()
}

fn tokens(
    at: &str,
    name: &str,
    files: &[PathBuf],
    text: Option<String>,
    layers: &Layers,
) -> Result<Vec<Secret>, SettingsError> {
    let tokens = secrets(&format!("{at}.token"), files, text, layers)?;
    if tokens.is_empty() {
        let reason = format!("observer `{name}` needs a file with its token");
        return Err(SettingsError::Missing { key: format!("{at}.token_files"), reason });
    }
    Ok(tokens)
}

fn stages(key: &str, texts: &[String], layers: &Layers) -> Result<Vec<StagePattern>, SettingsError> {
    if !(1..=STAGES_MAX).contains(&texts.len()) {
        return Err(layers.invalid(key, format!("wanted 1 to {STAGES_MAX}, found {}", texts.len())));
    }
    let parse = |text: &String| {
        text.parse().map_err(|error: StagePatternError| layers.invalid(key, error.to_string()))
    };
    texts.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_these_stages_and_no_other() {
        let check = |pattern: &str, stage: &str, want: bool| {
            let parts: Vec<&str> = stage.split('/').collect();
            let pattern: StagePattern = pattern.parse().unwrap();
            let found = pattern.matches(parts[0], &parts[1].parse().unwrap(), &parts[2].parse().unwrap());
            assert_eq!(found, want, "{pattern} {stage}");
        };
        check("shop/checkout/prod-eu", "shop/checkout/prod-eu", true);
        check("shop/checkout/prod-eu", "shop/checkout/prod", false);
        check("shop/checkout/prod-eu", "shop2/checkout/prod-eu", false);
        check("shop/*/prod", "shop/web/prod", true);
        check("shop/*/prod", "shop/web/dev", false);
        check("*/*/*", "a/b/c", true);
        for wrong in
            ["", "shop", "shop/checkout", "shop/checkout/prod/eu", "/a/b", "shop/pro*/dev", "shop//dev"]
        {
            assert!(wrong.parse::<StagePattern>().is_err(), "{wrong}");
        }
    }
}

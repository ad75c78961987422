//! Who is told what happened: where, in what form, and of what.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::check::check_name;
use super::layers::Layers;
use super::raw::RawNotify;
use super::{Secret, SettingsError};
use crate::pipeline::{NameError, PipelineName, StageName};

/// Each has a task and a connection of its own.
const TARGETS_MAX: usize = 32;
const LEFT_OUT: &str = "wanted at least one; leave the key out for all";

/// What somebody may want to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A pull request is open, and waits for an approval.
    Waiting,
    /// A stage has another release.
    Promoted,
    /// A stage went back to an earlier release.
    RolledBack,
    /// What was watched after a promotion failed.
    WatchFailed,
    /// An image that is live, or that a rollback would need, is not in its registry any more.
    RollbackTargetMissing,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyForm {
    /// CloudEvents 1.0, structured, as JSON.
    CloudEvents,
    /// An object with a `text`, as incoming webhooks of Slack take it, and those of others that follow it.
    Slack,
}

/// Who is told.
#[derive(Debug, Clone)]
pub struct NotifyTarget {
    /// The name in logs and figures; how far it was told is kept under it.
    pub name: String,
    /// Where.
    pub address: Address,
    /// In what form.
    pub form: NotifyForm,
    /// What messages are signed with; none: they are not.
    pub secret: Option<Secret>,
    /// Of what.
    pub occasions: BTreeSet<Occasion>,
    /// Of which pipelines; none: of all.
    pub pipelines: Option<BTreeSet<PipelineName>>,
    /// Of which stages; none: of all.
    pub stages: Option<BTreeSet<StageName>>,
    /// The files that secrets were read from.
    pub files: Vec<PathBuf>,
}

/// Where messages go. All but its host may be a secret, as it is at Slack, and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Occasion {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Promoted, Self::RolledBack, Self::WatchFailed, Self::RollbackTargetMissing];

    /// The name in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::WatchFailed => "watch_failed",
            Self::RollbackTargetMissing => "rollback_target_missing",
        }
    }
}

impl NotifyForm {
    /// The name in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::Slack => "slack",
        }
    }
}

impl NotifyTarget {
    /// Whether it is told of this in this stage of this pipeline.
    #[must_use]
    pub fn wants(&self, occasion: Occasion, pipeline: &PipelineName, stage: &StageName) -> bool {
        self.occasions.contains(&occasion)
            && self.pipelines.as_ref().is_none_or(|wanted| wanted.contains(pipeline))
            && self.stages.as_ref().is_none_or(|wanted| wanted.contains(stage))
    }
}

impl Address {
    /// `https`, or `http` on this machine; without a user and a fragment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let host = url.host_str()?;
        let is_here = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (is_safe && is_plain).then_some(Self(url))
    }

    /// The host, which may be printed.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether it is on this machine, where no proxy is asked.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The whole of it, for the request it is meant for.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({}, the rest is hidden)", self.host())
    }
}

pub(super) fn check(raw: Vec<RawNotify>, layers: &Layers) -> Result<Vec<NotifyTarget>, SettingsError> {
    if raw.len() > TARGETS_MAX {
        return Err(layers.invalid("notify", format!("wanted at most {TARGETS_MAX}, found {}", raw.len())));
    }
    let mut names = BTreeSet::new();
    let mut targets = Vec::new();
    for (index, target) in raw.into_iter().enumerate() {
        let at = format!("notify.{index}");
        check_name(layers, &format!("{at}.name"), &target.name, &mut names)?;
        targets.push(check_target(&at, target, layers)?);
    }
    Ok(targets)
}

fn check_target(at: &str, raw: RawNotify, layers: &Layers) -> Result<NotifyTarget, SettingsError> {
    if raw.events.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(layers.invalid(&format!("{at}.events"), LEFT_OUT));
    }
    Ok(NotifyTarget {
        address: check_address(at, &raw, layers)?,
        secret: check_secret(&format!("{at}.secret"), &raw, layers)?,
        files: [&raw.url_file, &raw.secret_file].into_iter().flatten().cloned().collect(),
        name: raw.name,
        form: raw.form,
        occasions: raw.events.unwrap_or_else(|| Occasion::ALL.into()),
        pipelines: raw
            .pipelines
            .map(|names| check_filter(&format!("{at}.pipelines"), &names, layers))
            .transpose()?,
        stages: raw.stages.map(|names| check_filter(&format!("{at}.stages"), &names, layers)).transpose()?,
    })
}

/// At least one name, each as `lockkeeper.yaml` may have it.
fn check_filter<T>(key: &str, names: &[String], layers: &Layers) -> Result<BTreeSet<T>, SettingsError>
where
    T: FromStr<Err = NameError> + Ord,
{
    if names.is_empty() {
        return Err(layers.invalid(key, LEFT_OUT));
    }
    let parsed: Result<_, NameError> = names.iter().map(|name| name.parse()).collect();
    parsed.map_err(|error| layers.invalid(key, error.to_string()))
}

/// What was found is not printed: it may be a secret.
fn check_address(at: &str, raw: &RawNotify, layers: &Layers) -> Result<Address, SettingsError> {
    let (key, text) = match (&raw.url, &raw.url_file) {
        (Some(url), None) => (format!("{at}.url"), url.clone()),
        (None, Some(file)) => {
            let key = format!("{at}.url_file");
            let text = Secret::read(&key, file)?.expose().to_owned();
            (key, text)
        }
        (None, None) => {
            let reason = format!("target `{}` needs it, or `url_file` where it is a secret", raw.name);
            return Err(SettingsError::Missing { key: format!("{at}.url"), reason });
        }
        (Some(_), Some(_)) => {
            return Err(
                layers.invalid(&format!("{at}.url"), "there is a `url_file`, too; wanted one of them")
            );
        }
    };
    let wanted =
        "wanted https://host/path, or http:// on this machine (127.0.0.1, ::1, localhost), without a user";
    Address::parse(&text).ok_or_else(|| layers.invalid(&key, wanted))
}

/// A variable counts before the file.
fn check_secret(key: &str, raw: &RawNotify, layers: &Layers) -> Result<Option<Secret>, SettingsError> {
    let Some(text) = &raw.secret else {
        let read = |file: &PathBuf| Secret::read(&format!("{key}_file"), file);
        return raw.secret_file.as_ref().map(read).transpose();
    };
    if !layers.is_variable(key) {
        let reason = "a secret stands in a file (`secret_file`) or a variable, never here";
        return Err(layers.invalid(key, reason));
    }
    let empty = || SettingsError::Secret { key: key.to_owned(), reason: "the variable is empty".to_owned() };
    Secret::new(text).ok_or_else(empty).map(Some)
}

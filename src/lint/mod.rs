//! `lockkeeper lint`: what in a checkout is not pinned, or is pinned to something that is not there or not meant.
//!
//! ```text
//! kind      which files are looked at
//! survey    one file → the images that it names (manifests, CI files, Dockerfiles, scripts)
//! facts     the questions that rules have for registries; the answers come back as data
//! stages    which stages a file belongs to, and how severe a rule is there
//! rules     surveys × facts → findings, and what could not be known
//! exempt    findings that somebody answers for, until a date
//! ```
//!
//! A rule that needs a registry and gets no answer finds nothing and says so: [`Report::unknown`]. "Clean" is said only
//! where everything was looked at.

mod place;
mod kind;
mod mention;
mod shell;
mod script;
mod dockerfile;
mod ci;
mod purge;
mod kustomize;
mod survey;
mod facts;
mod help;
mod stages;
mod rules;
mod exempt;

use jiff::civil::Date;

pub use facts::{Answer, Facts, Held, Question, Trouble};
pub use help::{Help, help};
pub use kind::{Kind, Named};
pub use kustomize::Kustomization;
pub use mention::{Mention, Source, Untagged};
pub use place::Region;
pub use purge::{Deletes, Filter, Part, Place, Purge, Target, purges};
pub use survey::{Survey, Unread};

use crate::image::{Digest, Repository, Tag};
use crate::pipeline::{LintRule, Pipelines, Severity};

/// The files that are judged together.
#[derive(Debug, Default)]
pub struct Checkout {
    /// What they hold, sorted by path.
    pub surveys: Vec<Survey>,
    /// The rules of the repository, where it has any.
    pub rules: Option<Pipelines>,
    /// Files that stages name and the checkout does not have.
    pub missing: Vec<String>,
    /// Whether all files of the repository are asked for, so that it can be told what is not used.
    pub is_whole: bool,
}

/// How it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Today, in UTC.
    pub today: Date,
    /// Whether registries are asked.
    pub asks: Asks,
}

/// Whether registries are asked, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Not at all: rules that need them are left out.
    Nothing,
    /// For what the rules need.
    Judge,
    /// And for what tags name, so that they can be pinned.
    Fix,
}

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: LintRule,
    /// How much it weighs here.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// Where in the file.
    pub region: Region,
    /// What is wrong, one line.
    pub message: String,
    /// What to do next, one line.
    pub next: String,
    /// The image, where it is known.
    pub image: Option<Repository>,
    /// The stage, as `pipeline/stage`.
    pub stage: Option<String>,
    /// What makes it this finding, though lines move: hex digits.
    pub fingerprint: String,
    /// How it can be pinned.
    pub fix: Option<Fix>,
}

/// A place that can be pinned to what its tag names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The document in the file, from 0, and the place in it.
    pub place: (usize, String),
    /// The repository.
    pub repository: Repository,
    /// The tag that is written; none where `latest` is implied.
    pub tag: Option<Tag>,
}

/// A reference of which a rule does not know enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The file.
    pub file: String,
    /// Where in the file.
    pub region: Region,
    /// What was asked for.
    pub reference: String,
    /// Why nothing is known.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By file and place.
    pub findings: Vec<Finding>,
    /// What could not be known.
    pub unknown: Vec<Unknown>,
    /// How many findings are exempted.
    pub exempted: usize,
    /// How many references were looked at.
    pub references: usize,
    /// Whether rules that need a registry were left out.
    pub is_offline: bool,
}

impl Fix {
    /// The tag that has to be asked for.
    #[must_use]
    pub fn asked(&self) -> Option<Tag> {
        self.tag.clone().or_else(|| mention::LATEST.parse().ok())
    }
}

impl Checkout {
    /// What registries still have to be asked; empty when [`Checkout::judge`] knows all that can be known.
    #[must_use]
    pub fn questions(&self, terms: Terms, facts: &Facts) -> Vec<Question> {
        rules::questions(self, terms, facts)
    }

    /// Judges everything that is asked for.
    #[must_use]
    pub fn judge(&self, terms: Terms, facts: &Facts) -> Report {
        let mut report = rules::judge(self, terms, facts);
        exempt::apply(self, terms, &mut report);
        report.findings.retain(|finding| finding.severity != Severity::Off);
        report.findings.sort_by(|one, other| {
            let key = |finding: &Finding| (finding.file.clone(), finding.region, finding.rule);
            key(one).cmp(&key(other)).then_with(|| one.message.cmp(&other.message))
        });
        number(&mut report.findings);
        report
    }
}

/// Gives each finding its fingerprint: rule, file, image or message, and which of several equal ones it is.
fn number(findings: &mut [Finding]) {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for finding in findings {
        let about = finding.image.as_ref().map_or(finding.message.clone(), ToString::to_string);
        let what = format!("{}\n{}\n{about}", finding.rule.name(), finding.file);
        let count = seen.entry(what.clone()).or_default();
        *count += 1;
        finding.fingerprint = Digest::of(format!("{what}\n{count}").as_bytes()).hex();
        finding.fingerprint.truncate(32);
    }
}

#[cfg(test)]
mod tests;

//! `--fix`: pins what a tag names now, by the same splice as everything else; never moves what is pinned.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Told;
use super::files::Files;
use crate::cli::pins::{self, File};
use crate::cli::repin::Edited;
use crate::cli::show::Paint;
use crate::image::{Pinned, Repository};
use crate::lint::{Facts, Finding, Fix, Question, Report, Trouble};
use crate::manifest;
use crate::pipeline::LintRule;

/// What was pinned, and what was not.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    /// Files with their new bytes.
    pub(super) edited: Vec<Edited>,
    /// What was pinned.
    pub(super) done: Vec<Done>,
    /// What was not, and why.
    pub(super) left: Vec<Left>,
}

/// A pin that changed.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) image: Repository,
    pub(super) to: Pinned,
}

/// A place that did not.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) why: String,
}

/// Changes the files in memory, and reads them again.
pub(super) fn fix(files: &mut Files, report: &Report, facts: &Facts) -> Fixed {
    let mut fixed = Fixed::default();
    let mut of_file: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| is_of_tags(finding.rule)) {
        of_file.entry(&finding.file).or_default().push(finding);
    }
    for (file, findings) in of_file {
        let path = files.root.join(file);
        let before = match pins::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                fixed.left.extend(findings.iter().map(|finding| left(finding, error.to_string())));
                continue;
            }
        };
        let mut after = before.clone();
        for finding in findings {
            match pinned(&after, finding, facts) {
                Ok((bytes, done)) => {
                    after = bytes;
                    fixed.done.push(done);
                }
                Err(why) => fixed.left.push(left(finding, why)),
            }
        }
        if after != before {
            files.again(file, &after);
            let file = File { path, name: files.shown(file), is_named: true };
            fixed.edited.push(Edited { file, before, after });
        }
    }
    fixed
}

/// Rules about references without a digest; what the others find is a promotion, or a person's to mend.
fn is_of_tags(rule: LintRule) -> bool {
    matches!(rule, LintRule::LatestTag | LintRule::MissingDigest | LintRule::LatestInCi)
}

fn left(finding: &Finding, why: String) -> Left {
    Left { file: finding.file.clone(), line: finding.region.line, why }
}

fn pinned(bytes: &[u8], finding: &Finding, facts: &Facts) -> Result<(Vec<u8>, Done), String> {
    let fix = finding.fix.as_ref().ok_or("it is in no field of YAML that says all of the reference")?;
    let Fix { place: (document, path), repository, tag } = fix;
    let asked = fix.asked().ok_or("it has no tag")?;
    let digest = match facts.get(Question::Named(repository.clone(), asked)) {
        Some(Ok(held)) => held.digest,
        Some(Err(Trouble::Missing)) => return Err("the registry has no such tag".to_owned()),
        Some(Err(Trouble::Unknown(reason))) => return Err(reason.clone()),
        None => return Err("the registry was not asked".to_owned()),
    };
    let to = Pinned { tag: tag.clone(), digest };
    let after =
        manifest::repin_at(bytes, repository, &to, (*document, path)).map_err(|refusal| refusal.reason)?;
    let done = Done { file: finding.file.clone(), line: finding.region.line, image: repository.clone(), to };
    Ok((after, done))
}

/// The change as a difference that `git apply` takes.
pub(super) fn diff(told: &Told<'_>, paint: Paint) -> String {
    let mut text = String::new();
    for edited in told.fixed.iter().flat_map(|fixed| &fixed.edited) {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{}", paint.diff(&edited.diff()));
    }
    text
}

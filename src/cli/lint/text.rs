//! What people read: a line for each finding, a summary, and on standard error what was not looked at.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::{Output, Told};
use crate::cli::Exit;
use crate::cli::show::{Paint, Tone, plain};
use crate::lint::{Finding, Unread};
use crate::pipeline::Severity;

/// Most lines on standard error about one kind of thing.
const LINES_MAX: usize = 20;

/// The findings, and a line that sums them up.
pub(super) fn lines(told: &Told<'_>, paint: Paint) -> String {
    let mut text = String::new();
    for finding in &told.report.findings {
        let Finding { rule, severity, region, message, next, stage, .. } = finding;
        let tone = if *severity == Severity::Error { Tone::Bad } else { Tone::Notice };
        let word = paint.word(tone, &format!("{}[{}]", severity.word(), rule.name()));
        let stage = stage.as_ref().map_or_else(String::new, |stage| format!(" ({stage})"));
        let place = format!("{}:{}:{}", told.files.shown(&finding.file), region.line, region.column);
        let next = paint.word(Tone::Quiet, &format!("    next: {}", plain(next)));
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{place}: {word}{stage}: {}\n{next}", plain(message));
    }
    let _ = writeln!(text, "{}", summary(told, paint));
    text
}

/// `2 errors, 1 warning in 14 files, 40 references`.
fn summary(told: &Told<'_>, paint: Paint) -> String {
    let count = |wanted| told.report.findings.iter().filter(|finding| finding.severity == wanted).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut parts = Vec::new();
    if errors + warnings > 0 {
        parts.push(format!("{}, {}", some(errors, "error"), some(warnings, "warning")));
    } else if told.exit == Exit::Ok && unread_files(told).next().is_none() {
        let clean = if told.report.is_offline { "clean, as far as the files tell" } else { "clean" };
        parts.push(paint.word(Tone::Good, clean));
    } else {
        parts.push(paint.word(Tone::Notice, "nothing found in what could be looked at"));
    }
    parts.push(format!("{}, {}", some(told.files.count, "file"), some(told.report.references, "reference")));
    if told.report.exempted > 0 {
        parts.push(format!("{} exempted", some(told.report.exempted, "finding")));
    }
    if !told.report.unknown.is_empty() {
        parts.push(format!("{} unknown", some(told.report.unknown.len(), "reference")));
    }
    let unread = unread_files(told).count();
    if unread > 0 {
        parts.push(format!("{} not read", some(unread, "file")));
    }
    if let Some(fixed) = told.fixed {
        parts.push(format!("{} fixed", some(fixed.done.len(), "reference")));
    }
    parts.join(" · ")
}

fn some(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What is said beside the result: on standard error, whatever the form of the result.
pub(super) fn notes(told: &Told<'_>, output: Output, is_dry_run: bool) {
    let mut lines = fixes(told, is_dry_run);
    if told.report.is_offline {
        lines.push(OFFLINE.to_owned());
    }
    let unknown = told.report.unknown.iter().map(|unknown| {
        let place = format!("{}:{}", told.files.shown(&unknown.file), unknown.region.line);
        format!("unknown: {place}: {}: {}", unknown.reference, plain(&unknown.reason))
    });
    lines.extend(cut(unknown.collect(), "unknown"));
    lines.extend(unread(told));
    lines.extend(
        told.files
            .passed_over
            .iter()
            .map(|name| format!("not looked at: {}: no file of a kind that names images", plain(name))),
    );
    // The difference has standard output for itself.
    if is_dry_run && output == Output::Text {
        let remaining = self::lines(told, Paint::Plain);
        lines.extend(remaining.lines().map(str::to_owned));
    } else if output != Output::Text {
        lines.push(summary(told, Paint::Plain));
    }
    let mut error = io::stderr().lock();
    for line in lines {
        // Standard error may be closed.
        let _ = writeln!(error, "{line}");
    }
}

/// What is said where no registry is asked.
pub(super) const OFFLINE: &str = "note: offline: whether digests are there, are of all platforms and are what their tags name was not looked at \
     (platform-digest, digest-not-found, tag-moved)";

fn fixes(told: &Told<'_>, is_dry_run: bool) -> Vec<String> {
    let Some(fixed) = told.fixed else { return Vec::new() };
    let verb = if is_dry_run { "would pin" } else { "pinned" };
    let done = fixed.done.iter().map(|done| {
        let place = format!("{}:{}", told.files.shown(&done.file), done.line);
        format!("{verb}: {place}: {} to {}", done.image, done.to)
    });
    let left = fixed.left.iter().map(|left| {
        let place = format!("{}:{}", told.files.shown(&left.file), left.line);
        format!("not pinned: {place}: {}", plain(&left.why))
    });
    done.chain(left).collect()
}

/// The files that are asked for and were not read, but for templates, which nobody can.
pub(super) fn unread_files<'t>(told: &Told<'t>) -> impl Iterator<Item = (&'t str, &'t Unread)> {
    let surveys = told.files.checkout.surveys.iter().filter(|survey| survey.is_asked);
    let all = surveys.flat_map(|survey| survey.unread.iter().map(|unread| (survey.file.as_str(), unread)));
    all.filter(|(_, unread)| unread.path.is_none() && !unread.is_template)
}

/// Files that were not read; templates, of which there are many, in one line.
fn unread(told: &Told<'_>) -> Vec<String> {
    let surveys = told.files.checkout.surveys.iter().filter(|survey| survey.is_asked);
    let all = surveys.flat_map(|survey| survey.unread.iter().map(|unread| (survey.file.as_str(), unread)));
    let (mut files, mut templates, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (file, Unread { region, path, reason, is_template }) in all {
        let place = format!("{}:{}", told.files.shown(file), region.line);
        match (path, is_template) {
            (None, true) => templates.push(place),
            (None, false) => files.push(format!("not read: {place}: {}", plain(reason))),
            (Some(_), _) => places.push(place),
        }
    }
    let mut lines = cut(files, "not read");
    let mut many = |places: &[String], what: &str| {
        if let Some(first) = places.first() {
            lines.push(format!("not read: {} × {what}, first {first}", places.len()));
        }
    };
    many(&templates, "no YAML but a template (of Helm, say)");
    many(&places, "a value that is no reference as it stands (a variable, say)");
    lines
}

/// The first of many lines.
fn cut(mut lines: Vec<String>, what: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("{what}: {more} more; -o json has all"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::lint::files::Files;
    use crate::cli::lint::github;
    use crate::lint::{Checkout, Kind, Report, Survey};

    /// The summary and the annotations of one file without a finding.
    fn told(text: &str) -> (String, String) {
        let survey = Survey::of("a.yaml", Kind::Manifest, text.as_bytes(), &[]);
        let checkout = Checkout { surveys: vec![survey], ..Checkout::default() };
        let files = Files { root: ".".into(), checkout, count: 1, passed_over: Vec::new() };
        let report = Report::default();
        let told = Told { files: &files, report: &report, fixed: None, exit: Exit::Ok };
        (summary(&told, Paint::Plain), github::annotations(&told))
    }

    #[test]
    fn nothing_is_clean_that_was_not_read() {
        assert_eq!(told("a: b\n"), ("clean · 1 file, 0 references".to_owned(), String::new()));
        let (summary, annotations) = told("image: 'b\n");
        assert_eq!(
            summary,
            "nothing found in what could be looked at · 1 file, 0 references · 1 file not read"
        );
        assert!(annotations.starts_with("::warning file=a.yaml,line="), "{annotations}");
        assert!(annotations.contains("title=lockkeeper%3A not read::"), "{annotations}");
        let template = "image: {{ if }}\n{{ end }}\n";
        assert_eq!(told(template), ("clean · 1 file, 0 references".to_owned(), String::new()));
    }
}

//! The result as JSON.

use serde_json::{Value, json};

use super::Told;
use super::text::OFFLINE;
use crate::cli::repin::Edited;
use crate::cli::show::document;
use crate::lint::Finding;

/// The document.
pub(super) fn document_of(told: &Told<'_>, is_dry_run: bool) -> Value {
    let report = told.report;
    let unknown = report.unknown.iter().map(|unknown| {
        json!({ "file": unknown.file, "line": unknown.region.line, "column": unknown.region.column,
                "reference": unknown.reference, "reason": unknown.reason })
    });
    let surveys = told.files.checkout.surveys.iter().filter(|survey| survey.is_asked);
    let unread = surveys.flat_map(|survey| {
        survey.unread.iter().map(|unread| {
            json!({ "file": survey.file, "line": unread.region.line, "path": unread.path, "reason": unread.reason })
        })
    });
    let notes: Vec<&str> = if report.is_offline { vec![OFFLINE] } else { Vec::new() };
    let mut members = json!({
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
        "unread": unread.collect::<Vec<_>>(),
        "notes": notes,
        "files": told.files.count,
        "references": report.references,
        "exempted": report.exempted,
        "offline": report.is_offline,
        "exit": told.exit as u8,
    });
    if let (Some(fixed), Value::Object(members)) = (told.fixed, &mut members) {
        let done = fixed.done.iter().map(|done| {
            json!({ "file": done.file, "line": done.line, "image": done.image, "to": done.to.to_string() })
        });
        let left =
            fixed.left.iter().map(|left| json!({ "file": left.file, "line": left.line, "reason": left.why }));
        members.insert("written".to_owned(), json!(!is_dry_run));
        members.insert("fixed".to_owned(), done.collect());
        members.insert("notFixed".to_owned(), left.collect());
        members.insert("diff".to_owned(), fixed.edited.iter().map(Edited::diff).collect::<String>().into());
    }
    document(members)
}

fn finding(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.name(),
        "severity": finding.severity.word(),
        "file": finding.file,
        "line": finding.region.line,
        "column": finding.region.column,
        "endColumn": finding.region.end_column,
        "message": finding.message,
        "next": finding.next,
        "image": finding.image,
        "stage": finding.stage,
        "canFix": finding.fix.is_some(),
        "fingerprint": finding.fingerprint,
    })
}

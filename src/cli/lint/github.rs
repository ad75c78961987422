//! The result as commands of a GitHub workflow, which make annotations of them.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions"; the escapes are those of its own toolkit, `@actions/core`.

use std::fmt::Write as _;

use super::Told;
use super::text::{OFFLINE, unread_files};
use crate::lint::Region;
use crate::pipeline::Severity;

/// One command a line.
pub(super) fn annotations(told: &Told<'_>) -> String {
    let mut text = String::new();
    for finding in &told.report.findings {
        let command = if finding.severity == Severity::Error { "error" } else { "warning" };
        let stage = finding.stage.as_ref().map_or_else(String::new, |stage| format!(" ({stage})"));
        let message = format!("{}{stage}\nNext: {}", finding.message, finding.next);
        line(&mut text, command, Some((&finding.file, finding.region)), finding.rule.name(), &message);
    }
    for unknown in &told.report.unknown {
        let message = format!("{}: {}", unknown.reference, unknown.reason);
        line(&mut text, "warning", Some((&unknown.file, unknown.region)), "not known", &message);
    }
    for (file, unread) in unread_files(told) {
        line(&mut text, "warning", Some((file, unread.region)), "not read", &unread.reason);
    }
    if told.report.is_offline {
        line(&mut text, "notice", None, "offline", OFFLINE);
    }
    text
}

fn line(text: &mut String, command: &str, place: Option<(&str, Region)>, title: &str, message: &str) {
    let place = place.map_or_else(String::new, |(file, Region { line, column, end_column })| {
        format!("file={},line={line},endLine={line},col={column},endColumn={end_column},", property(file))
    });
    // Writing into a text cannot fail.
    let _ = writeln!(
        text,
        "::{command} {place}title={}::{}",
        property(&format!("lockkeeper: {title}")),
        data(message)
    );
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_command() {
        let mut text = String::new();
        let region = Region { line: 3, column: 5, end_column: 9 };
        line(&mut text, "error", Some(("a,b:c\n.yaml", region)), "latest-tag", "50%: x\r\n::error::y");
        assert_eq!(
            text,
            "::error file=a%2Cb%3Ac%0A.yaml,line=3,endLine=3,col=5,endColumn=9,title=lockkeeper%3A latest-tag::\
             50%25: x%0D%0A::error::y\n"
        );
    }
}

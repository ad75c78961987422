//! The result as SARIF 2.1.0, which code scanners read.
//!
//! Source: OASIS Static Analysis Results Interchange Format 2.1.0 (errata 01), and what GitHub's code scanning asks of it.

use serde_json::{Value, json};

use super::Told;
use super::text::OFFLINE;
use crate::lint::{Finding, Region, help};
use crate::pipeline::{LintRule, Severity};

/// Where the format is described to programs.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What file paths are relative to.
const ROOT: &str = "%SRCROOT%";
/// The name of our fingerprints; another way to make them would get another number.
const FINGERPRINT: &str = "lockkeeper/v1";

/// The log of one run.
pub(super) fn log(told: &Told<'_>) -> Value {
    let rules: Vec<Value> = LintRule::ALL.iter().map(|(_, rule)| descriptor(*rule)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lockkeeper",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "utf16CodeUnits",
            "invocations": [invocation(told)],
            "results": told.report.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn descriptor(rule: LintRule) -> Value {
    let help = help(rule);
    json!({
        "id": rule.name(),
        "name": name(rule),
        "shortDescription": { "text": help.title },
        "fullDescription": { "text": format!("{}. {}", help.title, help.why) },
        "help": {
            "text": format!("{}\n\nWhy: {}\n\nNext: {}", help.title, help.why, help.next),
            "markdown": format!("{}\n\n**Why:** {}\n\n**Next:** {}", help.title, help.why, help.next),
        },
        "defaultConfiguration": { "level": "warning" },
        "properties": { "tags": ["supply-chain", "containers"], "asksRegistry": help.asks_registry },
    })
}

/// `latest-tag` as `LatestTag`, as the format wants names of rules.
fn name(rule: LintRule) -> String {
    let part = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    rule.name().split('-').map(part).collect()
}

fn result(finding: &Finding) -> Value {
    let index = LintRule::ALL.iter().position(|(_, rule)| *rule == finding.rule).unwrap_or_default();
    let stage = finding.stage.as_ref().map_or_else(String::new, |stage| format!(" ({stage})"));
    json!({
        "ruleId": finding.rule.name(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": format!("{}{stage}\nNext: {}", finding.message, finding.next) },
        "locations": [location(&finding.file, finding.region)],
        "partialFingerprints": { FINGERPRINT: finding.fingerprint },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Off => "none",
    }
}

fn location(file: &str, region: Region) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(file), "uriBaseId": ROOT },
        "region": {
            "startLine": region.line,
            "startColumn": region.column,
            "endLine": region.line,
            "endColumn": region.end_column,
        },
    } })
}

/// What was left out, and what could not be known: a run of which nothing is said looked at everything.
fn invocation(told: &Told<'_>) -> Value {
    let mut notifications: Vec<Value> = Vec::new();
    if told.report.is_offline {
        notifications.push(json!({
            "descriptor": { "id": "offline" },
            "level": "note",
            "message": { "text": OFFLINE },
        }));
    }
    notifications.extend(told.report.unknown.iter().map(|unknown| {
        json!({
            "descriptor": { "id": "registry-unknown" },
            "level": "error",
            "message": { "text": format!("{}: {}", unknown.reference, unknown.reason) },
            "locations": [location(&unknown.file, unknown.region)],
        })
    }));
    for survey in told.files.checkout.surveys.iter().filter(|survey| survey.is_asked) {
        let files = survey.unread.iter().filter(|unread| unread.path.is_none());
        notifications.extend(files.map(|unread| {
            json!({
                "descriptor": { "id": "not-read" },
                "level": "note",
                "message": { "text": unread.reason },
                "locations": [location(&survey.file, unread.region)],
            })
        }));
    }
    json!({
        "executionSuccessful": told.report.unknown.is_empty(),
        "exitCode": told.exit as u8,
        "toolExecutionNotifications": notifications,
    })
}

/// A path as a relative reference.
///
/// Source: RFC 3986, section 3.3; a colon in the first part would end a scheme.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push('%');
            uri.push_str(&hex::encode_upper([byte]));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spelled_as_references() {
        for (path, want) in [("a/b.yaml", "a/b.yaml"), ("a b:c%.yaml", "a%20b%3Ac%25.yaml"), ("é", "%C3%A9")]
        {
            assert_eq!(uri(path), want);
        }
    }

    #[test]
    fn rules_have_names_of_words() {
        assert_eq!(name(LintRule::LatestInCi), "LatestInCi");
    }
}

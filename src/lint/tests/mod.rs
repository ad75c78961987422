//! Files and facts in, findings out: each case says what stands where, and what is found.

mod ci;
mod hostile;
mod manifests;
mod registry;
mod stages;

use std::collections::BTreeSet;

use super::*;
use crate::image::Digest;
use crate::pipeline;

const RULES: &str = "version: 1
pipelines:
  - name: shop
    images:
      - { repository: r.example/web, follow: { semver: '>=1' }, platforms: [linux/amd64, linux/arm64] }
    stages:
      - { name: dev, pins: [dev.yaml], merge: automatic }
      - { name: eu, group: prod, pins: [eu.yaml], gates: { approvals: { min: 1 } } }
      - { name: us, group: prod, after: [dev], pins: [us.yaml] }
";

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn terms(asks: Asks) -> Terms {
    Terms { today: "2026-11-21".parse().unwrap(), asks }
}

/// A checkout of these files, by the rules above and these lines of `lint`.
fn checkout(files: &[(&str, &str)], lint: &str) -> Checkout {
    let rules = pipeline::parse(format!("{RULES}{lint}").as_bytes()).unwrap();
    let mut surveys: Vec<Survey> = files.iter().map(|(file, text)| survey(file, text)).collect();
    surveys.sort_by(|one, other| one.file.cmp(&other.file));
    let known: BTreeSet<&str> = files.iter().map(|(file, _)| *file).collect();
    let missing = ["dev.yaml", "eu.yaml", "us.yaml"].iter().filter(|file| !known.contains(*file));
    let missing = missing.map(|file| (*file).to_owned()).collect();
    Checkout { surveys, rules: Some(rules), missing, is_whole: true }
}

fn survey(file: &str, text: &str) -> Survey {
    let kind = match Kind::of_name(file) {
        Named::Is(kind) => kind,
        Named::Perhaps => Kind::of_first_line(text.as_bytes()).unwrap(),
        Named::Other => panic!("{file} is not looked at"),
    };
    Survey::of(file, kind, text.as_bytes(), &[])
}

fn lines(report: &Report) -> Vec<String> {
    let line = |finding: &Finding| {
        let Finding { rule, severity, file, region, .. } = finding;
        format!("{file}:{}:{} {} {}", region.line, region.column, severity.word(), rule.name())
    };
    report.findings.iter().map(line).collect()
}

/// What is found in one file of no stage, offline: line, column and rule.
#[track_caller]
fn check_alone(file: &str, text: &str, want: &[&str]) {
    let checkout = Checkout { surveys: vec![survey(file, text)], ..Checkout::default() };
    let report = checkout.judge(terms(Asks::Nothing), &Facts::default());
    let found = report.findings.iter().map(|finding| {
        format!(
            "{}:{} {} {}",
            finding.region.line,
            finding.region.column,
            finding.rule.name(),
            finding.message
        )
    });
    let found: Vec<String> =
        found.map(|line| line.split(['`']).take(2).collect::<Vec<_>>().join("").trim().to_owned()).collect();
    assert_eq!(found, want, "{file}\n{text}");
}

fn pod(image: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: x\n      image: {image}\n")
}

//! Exemptions: findings that somebody answers for, until a date.

use crate::pipeline::{Exemption, FILE_NAME, LintRule};

use super::stages::Stages;
use super::{Checkout, Finding, Region, Report, Terms, help};

/// Takes out what is exempted, and tells of exemptions that are past their date or exempt nothing.
pub(super) fn apply(checkout: &Checkout, terms: Terms, report: &mut Report) {
    let Some(rules) = &checkout.rules else { return };
    let exemptions = &rules.lint.exemptions;
    let mut used = vec![false; exemptions.len()];
    let found = std::mem::take(&mut report.findings);
    for finding in found {
        let covers = |exemption: &Exemption| {
            exemption.covers(finding.rule, &finding.file, finding.image.as_ref()) && holds(exemption, terms)
        };
        match exemptions.iter().position(covers) {
            Some(index) => {
                report.exempted += 1;
                if let Some(used) = used.get_mut(index) {
                    *used = true;
                }
            }
            None => report.findings.push(finding),
        }
    }
    if !checkout.is_whole {
        return;
    }
    let stages = Stages::of(Some(rules));
    // Where a registry was not asked, what its rules would have found is not known.
    let is_in_doubt = |exemption: &Exemption| {
        help(exemption.rule).asks_registry && (report.is_offline || !report.unknown.is_empty())
    };
    let mut told = Vec::new();
    for (exemption, is_used) in exemptions.iter().zip(used) {
        if !holds(exemption, terms) {
            let message = format!(
                "the exemption of `{}` by {} ended on {}: {}",
                exemption.rule.name(),
                exemption.owner,
                exemption.expires,
                exemption.reason
            );
            told.push((LintRule::ExpiredExemption, exemption.line, message));
        } else if !is_used && !is_in_doubt(exemption) {
            let message = format!(
                "the exemption of `{}` by {} exempts nothing",
                exemption.rule.name(),
                exemption.owner
            );
            told.push((LintRule::UnusedExemption, exemption.line, message));
        }
    }
    for (rule, line, message) in told {
        let region = Region { line, column: 1, end_column: 1 };
        report.findings.push(Finding {
            rule,
            severity: stages.severity(rule, &[]).0,
            file: FILE_NAME.to_owned(),
            region,
            message,
            next: help(rule).next.to_owned(),
            image: None,
            stage: None,
            fingerprint: String::new(),
            fix: None,
        });
    }
}

fn holds(exemption: &Exemption, terms: Terms) -> bool {
    terms.today <= exemption.expires
}

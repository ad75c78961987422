//! `--rules`: what each rule is about.

use std::fmt::Write as _;

use serde_json::json;

use super::Output;
use crate::cli::show::document;
use crate::cli::{CliError, pins};
use crate::lint::help;
use crate::pipeline::LintRule;

/// All rules; as JSON where that is asked for.
pub(super) fn list(output: Output) -> Result<String, CliError> {
    if output == Output::Json {
        let rules = LintRule::ALL.iter().map(|(name, rule)| {
            let help = help(*rule);
            json!({ "rule": name, "title": help.title, "why": help.why, "next": help.next, "asksRegistry": help.asks_registry })
        });
        return pins::json(&document(json!({ "rules": rules.collect::<Vec<_>>() })));
    }
    let mut text = String::new();
    for (name, rule) in LintRule::ALL {
        let help = help(rule);
        let asks = if help.asks_registry { " (asks the registry)" } else { "" };
        // Writing into a text cannot fail.
        let _ =
            writeln!(text, "{name}{asks}\n  {}\n  why:  {}\n  next: {}\n", help.title, help.why, help.next);
    }
    Ok(text)
}

//! How results look: tables, JSON, colours, differences.

use std::env;
use std::io::IsTerminal as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use similar::TextDiff;

/// The version of our JSON documents.
const API_VERSION: &str = "lockkeeper/v1";

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colors {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a word is about; the colour only repeats what the word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Somebody should look.
    Notice,
    /// Something is wrong.
    Bad,
    /// Beside the point.
    Quiet,
}

/// Colours words, or leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// With ANSI sequences.
    Colored,
    /// Not at all.
    Plain,
}

impl Colors {
    /// What it means for standard output, here and now.
    pub(super) fn paint(self) -> Paint {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Always => Paint::Colored,
            Self::Auto if is_set("NO_COLOR") => Paint::Plain,
            Self::Auto if is_set("CLICOLOR_FORCE") => Paint::Colored,
            Self::Auto if std::io::stdout().is_terminal() && !is_dumb => Paint::Colored,
            Self::Auto | Self::Never => Paint::Plain,
        }
    }
}

impl Paint {
    /// The word in its colour.
    pub(super) fn word(self, tone: Tone, word: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Notice => "33",
            Tone::Bad => "31",
            Tone::Quiet => "2",
        };
        match self {
            Self::Colored => format!("\u{1b}[{code}m{word}\u{1b}[0m"),
            Self::Plain => word.to_owned(),
        }
    }

    /// A unified difference, its lines coloured as git does.
    pub(super) fn diff(self, diff: &str) -> String {
        let line = |line: &str| match line.as_bytes().first() {
            Some(b'+') => self.word(Tone::Good, line),
            Some(b'-') => self.word(Tone::Bad, line),
            Some(_) | None => line.to_owned(),
        };
        diff.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Aligned columns; nothing where there are no rows.
pub(super) fn table<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    format!("{}\n", table.trim_fmt())
}

/// A JSON document of ours with these members.
pub(super) fn document(members: Value) -> Value {
    let mut all = Map::from_iter([("apiVersion".to_owned(), json!(API_VERSION))]);
    if let Value::Object(members) = members {
        all.extend(members);
    }
    Value::Object(all)
}

/// A time to the minute, for people.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// What changes in a file, as a unified difference.
pub(super) fn difference(path: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let (from, to) = (format!("a/{path}"), format!("b/{path}"));
    TextDiff::from_lines(before.as_ref(), after.as_ref()).unified_diff().header(&from, &to).to_string()
}

/// Every line of the text behind this indent.
pub(super) fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{indent}{line}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Text from elsewhere without what a terminal would obey: control characters become `?`.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect()
}

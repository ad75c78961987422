//! The comment grammar.

use std::collections::BTreeSet;

use lockkeeper::command::{COMMANDS_MAX, COMMENT_BYTES_MAX, Command, CommandError, Problem, parse};

const BOT: &str = "lockkeeper[bot]";

/// All or none, few, bounded; only plain lines at column 0; nothing in code, quotes or HTML.
pub fn comments(data: &[u8]) {
    let body = String::from_utf8_lossy(data);
    let known: BTreeSet<String> = ["dev", "prod", "prod-eu"].map(str::to_owned).into();
    let read = |body: &str| parse(body, BOT, &known);
    let found = read(&body);
    match &found {
        Ok(commands) => check_commands(&body, commands, &known),
        Err(error) => check_error(&body, error),
    }
    assert_eq!(found, read(&body), "the same again");
    if body.len() + 100 > COMMENT_BYTES_MAX {
        return;
    }
    check_hidden(&body, read);
    let later = read(&format!("text\n\n{body}"))
        .map_err(|CommandError { line, problem }| CommandError { line: line - 2, problem });
    assert_eq!(later, found, "behind another paragraph");
}

fn check_commands(body: &str, commands: &[Command], known: &BTreeSet<String>) {
    assert!(commands.len() <= COMMANDS_MAX);
    let lines = body.split(['\n', '\r']).filter(|line| line.starts_with(['/', '@'])).count();
    assert!(commands.len() <= lines, "{commands:?} of {lines} lines");
    for command in commands {
        assert!(command.stage().is_none_or(|stage| known.contains(stage)), "{command:?}");
        let reason = command.reason().unwrap_or_default();
        assert!(reason.chars().count() <= 1_000 && !reason.contains(char::is_control), "{command:?}");
        assert!(
            body.contains(reason.split(' ').next().unwrap_or_default()),
            "{command:?} is not in the text"
        );
        let text = serde_json::to_string(command).unwrap();
        assert_eq!(&serde_json::from_str::<Command>(&text).unwrap(), command);
    }
}

/// The answer is one line that is no command itself.
fn check_error(body: &str, error: &CommandError) {
    let text = error.to_string();
    let lines = body.split('\n').flat_map(|line| line.split('\r')).count();
    assert!((1..=lines).contains(&error.line), "{text}");
    assert!(text.chars().count() <= 400 && !text.contains(char::is_control), "{text:?}");
    assert_eq!(parse(&text, BOT, &BTreeSet::new()), Ok(Vec::new()), "{text}");
    assert_eq!(text.matches('`').count() % 2, 0, "{text}");
}

/// The same lines where people would not take them for commands.
fn check_hidden(body: &str, read: impl Fn(&str) -> Result<Vec<Command>, CommandError>) {
    let lines = |prefix: &str| format!("{prefix}{}", body.replace(['\n', '\r'], &format!("\n{prefix}")));
    let fence = "~".repeat(3 + body.matches('~').count());
    let tag = format!("x{}", body.matches('x').count());
    let is_html_inside = body.contains(['<', '>']);
    for (place, text) in [
        ("a quote", lines("> ")),
        ("indented code", lines("    ")),
        ("fenced code", format!("{fence}\n{body}\n{fence}\n")),
        ("an unclosed fence", format!("{fence}\n{body}")),
        ("an unclosed comment", format!("<!--\n{}", body.replace("--", "- "))),
        (
            "an element",
            if is_html_inside { String::new() } else { format!("<{tag}>\n\n{body}\n\n</{tag}>\n") },
        ),
    ] {
        let found = read(&text);
        let is_too_long = matches!(found, Err(CommandError { problem: Problem::CommentTooLong { .. }, .. }));
        assert!(is_too_long || found == Ok(Vec::new()), "in {place}: {found:?} of {text:?}");
    }
}

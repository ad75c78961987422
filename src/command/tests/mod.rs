mod grammar;
mod markdown;
mod roles;

use super::*;

fn known() -> BTreeSet<String> {
    ["dev", "qa", "canary", "prod", "prod-eu", "prod-us"].map(ToOwned::to_owned).into()
}

fn parsed(body: &str) -> Result<Vec<Command>, CommandError> {
    parse(body, "lockkeeper", &known())
}

/// The one command of a comment.
fn one(body: &str) -> Command {
    let mut commands = parsed(body).unwrap_or_else(|error| panic!("{body}: {error}"));
    assert_eq!(commands.len(), 1, "{body}: {commands:?}");
    commands.remove(0)
}

/// Checks that the comment has no command and no error.
fn check_none(body: &str) {
    assert_eq!(parsed(body), Ok(vec![]), "{body}");
}

/// Checks that the comment is refused at this line with this text, and that the answer is no command itself.
fn check_error(body: &str, line: usize, text: &str) {
    let error = parsed(body).expect_err(body);
    assert!(error.line == line && error.to_string().contains(text), "{body}: {error}");
    check_none(&error.to_string());
    check_none(&error.problem.to_string());
}

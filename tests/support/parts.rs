//! Real programs that tests run against, where the machine has them.
#![allow(dead_code, reason = "no test uses all of it")]

use std::env;
use std::io::Write as _;
use std::path::PathBuf;

/// The variable that names the parts which have to be there, separated by commas.
const REQUIRE: &str = "LOCKKEEPER_REQUIRE";

/// The program of this name on the search path. Without it, says that the test is skipped and returns nothing.
///
/// # Panics
/// If `LOCKKEEPER_REQUIRE` names the program and it is not there.
#[must_use]
pub(crate) fn part(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(found) = env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()) {
        return Some(found);
    }
    let required = env::var(REQUIRE).unwrap_or_default();
    assert!(
        !required.split(',').any(|part| part.trim() == name),
        "`{name}` is not on the search path, and {REQUIRE} names it"
    );
    skipped(&format!("`{name}` is not on the search path"));
    None
}

/// The file at this path below the package, which `tests/run` fetches with a program. Without it, says that the test is
/// skipped and returns nothing.
///
/// # Panics
/// If `LOCKKEEPER_REQUIRE` names the program and the file is not there.
#[must_use]
pub(crate) fn fetched(path: &str, program: &str) -> Option<PathBuf> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if file.is_file() {
        return Some(file);
    }
    let required = env::var(REQUIRE).unwrap_or_default();
    assert!(
        !required.split(',').any(|part| part.trim() == program),
        "{path} is not there, and {REQUIRE} names `{program}`, which fetches it"
    );
    skipped(&format!("{path} is not there; tests/run fetches it with `{program}`"));
    None
}

/// Says that the test is skipped, and why.
pub(crate) fn skipped(why: &str) {
    let thread = std::thread::current();
    // Written past the test harness, which would show the line of a failed test only.
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

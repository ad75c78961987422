//! The version that a project's own file says it has.

use std::io::ErrorKind;
use std::path::Path;

use config::{Config, FileFormat};
use semver::Version;
use serde_json::Value;

use crate::bounded;
use crate::cli::show::plain;
use crate::cli::{CliError, Exit};

/// The files that are looked for, in this order; projects that have several keep the version in the first.
const FILES: [&str; 6] =
    ["version.json", "VERSION", "version.txt", "package.json", "Cargo.toml", "pyproject.toml"];
/// Where TOML files keep it: Cargo's package and workspace, Python's project, Poetry's.
const TOML_KEYS: [&str; 4] =
    ["package.version", "workspace.package.version", "project.version", "tool.poetry.version"];
/// The largest file that is read: lists of dependencies stay far below 1 MiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The version in this file, else in the first of [`FILES`] that has one; none where there is no such file.
///
/// # Errors
/// Exit 3 for a file that cannot be read or holds no version.
pub(super) fn find(folder: &Path, named: Option<&Path>) -> Result<Option<Version>, CliError> {
    if let Some(path) = named {
        let text = read(path)?.ok_or_else(|| broken(path, "there is no such file"))?;
        let found = version_in(path, &text)?.ok_or_else(|| broken(path, "it names no version"))?;
        return parse(&found, &path.display().to_string()).map(Some);
    }
    for name in FILES {
        let path = folder.join(name);
        let Some(text) = read(&path)? else { continue };
        if let Some(found) = version_in(&path, &text)? {
            return parse(&found, name).map(Some);
        }
    }
    Ok(None)
}

/// The version in a text, a `v` before it or not.
///
/// # Errors
/// Exit 3 for a text that is no semantic version, or has build metadata, which no tag can hold.
pub(super) fn parse(text: &str, place: &str) -> Result<Version, CliError> {
    let wrong = |why: String| {
        CliError::new(Exit::Configuration, format!("`{:.60}` of {place} is no version for tags", plain(text)))
            .why(why)
    };
    let version = Version::parse(text.strip_prefix('v').unwrap_or(text))
        .map_err(|error| wrong(format!("{error}; a version is like 1.4.2 or 1.4.2-rc.1")))?;
    if version.build.is_empty() { Ok(version) } else { Err(wrong("a tag cannot hold a `+`".to_owned())) }
}

/// The text of the file; none where there is none.
fn read(path: &Path) -> Result<Option<String>, CliError> {
    match bounded::read(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(path, &error.to_string())),
        Ok(content) => String::from_utf8(content)
            .map(Some)
            .map_err(|error| broken(path, &error.utf8_error().to_string())),
    }
}

/// What the file says the version is. A package or workspace file need not say one.
fn version_in(path: &Path, text: &str) -> Result<Option<String>, CliError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => {
            let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
                .map_err(|error| broken(path, &error.to_string()))?;
            Ok(value.get("version").and_then(Value::as_str).map(str::to_owned))
        }
        Some("toml") => {
            let source = config::File::from_str(text, FileFormat::Toml);
            let file = Config::builder().add_source(source).build();
            let file = file.map_err(|error| broken(path, &error.to_string()))?;
            Ok(TOML_KEYS.iter().find_map(|key| file.get_string(key).ok()))
        }
        _ => Ok(text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)),
    }
}

fn broken(path: &Path, why: &str) -> CliError {
    CliError::new(Exit::Configuration, format!("no version can be read from {}", path.display()))
        .why(why)
        .next("name it by --release, or another file by --version-file")
}

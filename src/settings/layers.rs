//! The layers, what came from where, and the keys that nobody knows.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config, ConfigError, File, FileFormat, Value, ValueKind};

use super::SettingsError;
use super::raw::Raw;

/// The embedded defaults: every key with its meaning, as TOML.
pub const DEFAULT: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "LOCKKEEPER__";

/// The merged layers.
pub(super) struct Layers {
    config: Config,
    /// Key from the top, as `repositories.0.base` → the variable that set it.
    variables: BTreeMap<String, String>,
    file: Option<String>,
}

/// Reads and merges, without looking at what the keys mean.
pub(super) fn read(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Layers, SettingsError> {
    let mut builder = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
    if let Some(file) = file {
        builder = builder.add_source(File::from_str(&read_file(file)?, FileFormat::Toml));
    }
    let in_file = |error: ConfigError| SettingsError::File {
        file: file.unwrap_or(Path::new("config/default.toml")).to_owned(),
        reason: without_prefix(&error),
    };
    let below = builder.build_cloned().map_err(in_file)?;
    let mut sources = BTreeMap::new();
    for (variable, text) in variables {
        let Some(words) = variable.strip_prefix(PREFIX) else { continue };
        let path = path_of(&below, words).ok_or_else(|| unknown_variable(&variable))?;
        let value = if is_list(&below, &path) { list(&text) } else { ValueKind::String(text) };
        builder = builder
            .set_override(expression(&path), Value::new(None, value))
            .map_err(|_| unknown_variable(&variable))?;
        sources.insert(path, variable);
    }
    let config = builder.build().map_err(in_file)?;
    Ok(Layers { config, variables: sources, file: file.map(|file| file.display().to_string()) })
}

impl Layers {
    /// The settings as written.
    pub(super) fn parse(&self) -> Result<Raw, SettingsError> {
        let mut unknown = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(self.config.clone(), &mut track);
        let parsed: Result<Raw, ConfigError> =
            serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
        if !unknown.is_empty() {
            let named = |key: String| format!("`{key}` in {}", self.source_of(&key));
            unknown.sort();
            return Err(SettingsError::Unknown { keys: unknown.into_iter().map(named).collect() });
        }
        parsed.map_err(|error| {
            let key = track.path().to_string().replace('[', ".").replace(']', "");
            self.invalid(&key, without_prefix(&error))
        })
    }

    /// Where the value of a key came from.
    pub(super) fn source_of(&self, key: &str) -> String {
        let of_key = |(path, _): &(&String, &String)| {
            path.as_str() == key
                || path.starts_with(&format!("{key}."))
                || key.starts_with(&format!("{path}."))
        };
        if let Some((_, variable)) = self.variables.iter().find(of_key) {
            return format!("variable {variable}");
        }
        self.file.clone().unwrap_or_else(|| "the defaults".to_owned())
    }

    /// Whether a variable set this very key.
    pub(super) fn is_variable(&self, key: &str) -> bool {
        self.variables.contains_key(key)
    }

    /// An error about the value of a key.
    pub(super) fn invalid(&self, key: &str, reason: impl Into<String>) -> SettingsError {
        SettingsError::Invalid {
            key: key.to_owned(),
            source_name: self.source_of(key),
            reason: reason.into(),
        }
    }
}

fn read_file(file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file)
        .map_err(|error| SettingsError::File { file: file.to_owned(), reason: error.to_string() })
}

fn unknown_variable(variable: &str) -> SettingsError {
    SettingsError::Unknown { keys: vec![format!("variable {variable}")] }
}

/// `SERVER__LISTEN` → `server.listen`; `REPOSITORIES__SHOP__BASE` → `repositories.0.base`.
fn path_of(below: &Config, words: &str) -> Option<String> {
    let mut words: Vec<String> = words.split("__").map(str::to_lowercase).collect();
    let named_by = match words.first().map(String::as_str) {
        Some("repositories" | "notify" | "observers") => "name",
        Some("webhooks") => "path",
        Some(_) | None => return Some(words.join(".")),
    };
    let entries = below.get_array(words.first()?).ok()?;
    let wanted = words.get(1)?;
    let is_wanted = |entry: Value| {
        let name = entry.into_table().ok()?.remove(named_by)?.into_string().ok()?;
        Some(as_in_variable(&name) == *wanted)
    };
    let index = entries.into_iter().position(|entry| is_wanted(entry) == Some(true))?;
    *words.get_mut(1)? = index.to_string();
    Some(words.join("."))
}

/// A name as it can stand in a variable: `-` and `.` become `_`.
fn as_in_variable(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

/// `repositories.0.base` → `repositories[0].base`.
fn expression(path: &str) -> String {
    let step = |before: String, word: &str| match before.as_str() {
        "" => word.to_owned(),
        _ if word.bytes().all(|byte| byte.is_ascii_digit()) => format!("{before}[{word}]"),
        _ => format!("{before}.{word}"),
    };
    path.split('.').fold(String::new(), step)
}

/// Whether the key takes a list: one of the defaults, or of an entry.
fn is_list(below: &Config, path: &str) -> bool {
    let is_of_entry = matches!(
        path.rsplit('.').next(),
        Some(
            "secret_files"
                | "token_files"
                | "webhook_secret_files"
                | "proxy_trusted"
                | "events"
                | "pipelines"
                | "stages"
        )
    );
    is_of_entry || below.get_array(path).is_ok()
}

fn list(text: &str) -> ValueKind {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    ValueKind::Array(items.map(|item| Value::new(None, item)).collect())
}

/// The library appends its own idea of key and source, which knows no variables.
fn without_prefix(error: &ConfigError) -> String {
    if let ConfigError::NotFound(path) = error {
        let key = path.rsplit(['.', ']']).next().unwrap_or(path);
        return format!("key `{key}` is missing");
    }
    let text = error.to_string();
    text.split(" for key `").next().unwrap_or(&text).to_owned()
}

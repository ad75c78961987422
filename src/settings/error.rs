//! What can be wrong with the settings. Each text names the source and the key, never a secret.

use std::path::PathBuf;

/// Why the server has no settings to start with.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read or is no TOML.
    #[error("settings file {}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Keys that mean nothing here, each with its source.
    #[error("unknown settings: {}", keys.join(", "))]
    Unknown {
        /// `key in source`.
        keys: Vec<String>,
    },
    /// A value is not what its key takes.
    #[error("setting `{key}` in {source_name}: {reason}")]
    Invalid {
        /// The key, from the top.
        key: String,
        /// The file or variable.
        source_name: String,
        /// What is wanted, and what was found.
        reason: String,
    },
    /// A setting without which nothing can start is not there.
    #[error("setting `{key}` is missing: {reason}")]
    Missing {
        /// The key, from the top.
        key: String,
        /// What to write.
        reason: String,
    },
    /// A secret cannot be read, or is empty.
    #[error("secret of setting `{key}`: {reason}")]
    Secret {
        /// The key that names it.
        key: String,
        /// Why; never the secret.
        reason: String,
    },
}

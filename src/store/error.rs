//! What can go wrong with the store, by what the caller does about it.

use std::fmt::Display;

use sqlx::migrate::MigrateError;

/// Why the store did not do what was asked. Nothing of a refused call is stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Drop the work: somebody else has the key, or nobody.
    #[error("lease of generation {generation} on {key} is lost")]
    LeaseLost {
        /// The key.
        key: String,
        /// The generation of the lost lease.
        generation: u64,
    },
    /// Try again later: the file is busy, read-only or away, or the disk is full or fails.
    #[error("store is unavailable: {reason}")]
    Unavailable {
        /// What the database says.
        reason: String,
    },
    /// A person must see to the file; trying again does not help.
    #[error("store is damaged or not ours: {reason}")]
    Corrupt {
        /// What was found.
        reason: String,
    },
    /// Run the newer program, or restore the file from before the upgrade.
    #[error("store has schema {found}, and this program knows {known} at most")]
    Newer {
        /// The schema version in the file.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
}

impl StoreError {
    pub(super) fn corrupt(what: &str, error: &dyn Display) -> Self {
        Self::Corrupt { reason: format!("{what}: {error}") }
    }

    pub(super) fn of_migration(error: MigrateError, known: i64) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other variants of sqlx cannot be repaired from here"
        )]
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            MigrateError::VersionMissing(found) if found > known => Self::Newer { found, known },
            other => Self::corrupt("migration", &other),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sqlx adds variants; what is not known to pass is damage"
    )]
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().and_then(|code| code.parse().ok());
                match code {
                    Some(code) if passes(code) => {
                        Self::Unavailable { reason: format!("{database}{}", advice(code)) }
                    }
                    Some(_) | None => Self::Corrupt { reason: database.to_string() },
                }
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable {
                reason:
                    "what is before this takes too long: the disk is slow, or another process holds the file"
                        .to_owned(),
            },
            sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable { reason: error.to_string() }
            }
            _ => Self::Corrupt { reason: error.to_string() },
        }
    }
}

/// Whether a result code is about the machine rather than the file's content: `SQLITE_PERM`, `BUSY`, `LOCKED`, `NOMEM`,
/// `READONLY`, `INTERRUPT`, `IOERR`, `FULL`, `CANTOPEN`, `PROTOCOL`, `AUTH`.
///
/// Source: <https://sqlite.org/rescode.html>; the low byte of an extended code is the primary one.
fn passes(code: i32) -> bool {
    matches!(code & 0xff, 3 | 5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15 | 23)
}

/// What a person can do about it, as the end of a sentence.
fn advice(code: i32) -> &'static str {
    match code & 0xff {
        3 | 8 | 14 | 23 => "; make the file and its folder writable for this user",
        5 | 6 => "; another process writes to the file and does not end",
        10 => "; the disk fails, see the log of the system",
        13 => "; make room on the disk",
        _ => "",
    }
}

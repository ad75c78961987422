//! Opening the file: connections, ownership, migrations.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::watch;

use super::{Store, StoreError};
use crate::witness::nobody;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// `lkkp`, as the first migration sets it.
const APPLICATION_ID: i64 = 0x6c6b_6b70;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for a connection: some hundred writes of one fsync each ahead of it on a slow disk.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read; pages and workers share them, each for a millisecond.
const READERS_MAX: u32 = 4;

impl Store {
    /// Opens the file, creates it where it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be opened or written, [`StoreError::Corrupt`] if it is no database or
    /// not one of ours, [`StoreError::Newer`] if a newer program has written it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        check_folder(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = pool(1).connect_with(writing).await?;
        check_owner(&writer).await?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        MIGRATIONS.run(&writer).await.map_err(|error| StoreError::of_migration(error, known))?;
        let readers = pool(READERS_MAX).connect_with(options.pragma("query_only", "ON")).await?;
        Ok(Self { writer, readers, changed: Arc::new(watch::Sender::new(0)), witness: nobody() })
    }

    /// Closes all connections after what runs on them, and moves the log into the file. Later calls are refused.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool(connections_max: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A file does not go stale like a network connection does.
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
}

/// `SQLite` says only "unable to open database file" for this, the most frequent mistake.
fn check_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    if folder.is_dir() {
        return Ok(());
    }
    Err(StoreError::Unavailable {
        reason: format!("folder {} of the store does not exist", folder.display()),
    })
}

/// Refuses a database of another program before the migrations would write into it.
async fn check_owner(writer: &SqlitePool) -> Result<(), StoreError> {
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(writer).await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(writer).await?;
    if tables > 0 && id != APPLICATION_ID {
        return Err(StoreError::Corrupt { reason: "the file is a database of another program".to_owned() });
    }
    Ok(())
}

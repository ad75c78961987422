//! Opening the file: connections, ownership, migrations.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::watch;

use super::group::Group;
use super::{Store, StoreError};
use crate::witness::nobody;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// `lkkp`, as the first migration sets it.
const APPLICATION_ID: i64 = 0x6c6b_6b70;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for a connection: that of 64 workers and one group ahead of it, at 75 ms for each commit.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
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
        let is_new = check_file(path)?;
        let options =
            SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).foreign_keys(true);
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer =
            pool(1).after_release(|connection, _| is_whole(connection)).connect_with(writing).await?;
        check_owner(&writer).await?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        MIGRATIONS.run(&writer).await.map_err(|error| StoreError::of_migration(error, known))?;
        if is_new {
            tracing::info!(path = %path.display(), "a new store; what git knows of the past is read from there");
        }
        let readers = pool(READERS_MAX).connect_with(options.pragma("query_only", "ON")).await?;
        let changed = Arc::new(watch::Sender::new(0));
        let group = Group::start(writer.clone(), Arc::clone(&changed));
        Ok(Self { writer, group, readers, changed, witness: nobody() })
    }

    /// Reads the whole file, at some hundred megabytes a second, and tells whether its structure holds.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&self.readers).await?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt { reason: found }) }
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

/// Whether a connection can be used again. `SQLite` takes a transaction back by itself where the disk is full or fails,
/// and sqlx, which does not see that, waits for its end for ever.
fn is_whole(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(async move {
        if connection.is_in_transaction() {
            // Behind what it was told to take back.
            connection.ping().await?;
        }
        Ok(!connection.is_in_transaction())
    })
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

/// Whether the file is to be made. Refuses to begin anew beside the log of a file that is gone: `SQLite` would remove
/// the log, and all that was accepted last with it.
fn check_file(path: &Path) -> Result<bool, StoreError> {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let (is_empty, log) = (bytes(path) == 0, PathBuf::from(log));
    if is_empty && bytes(&log) > 0 {
        return Err(StoreError::Corrupt {
            reason: format!("the file is empty or gone, and its log {} is not", log.display()),
        });
    }
    Ok(is_empty)
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

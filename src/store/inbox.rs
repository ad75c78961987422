//! What comes in: deliveries, marks, and which key watches what.

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::group::Concerns;
use super::{Delivery, Key, Put, Store, StoreError, Urgency, micros};
use crate::witness::Write;

/// When a commit has to be on disk. A process that is killed loses neither; a loss of power may take the latest of
/// those that wait, always with all that was committed after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDisk {
    /// Before the call returns: deliveries and events, which nobody could tell us again.
    Now,
    /// With the next that is on disk at once: what is found out again, or done once more with the same result.
    Later,
}

/// Deliveries removed in one transaction: some milliseconds.
const PRUNED_AT_ONCE: u32 = 1_000;

impl Store {
    /// Stores a delivery, links it to the keys it concerns and makes them due; on disk when it returns.
    ///
    /// One that concerns no key is stored as closed, so that its repeat is known.
    pub async fn put(&self, delivery: &Delivery, concerns: &[Key]) -> Result<Put, StoreError> {
        let concerns = Concerns::Keys(concerns.to_vec());
        self.grouped(delivery, concerns).await.map(|(put, _)| put)
    }

    /// The same for whatever watches one of these image repositories (canonical spelling) in the moment in which it is
    /// stored; also, how many keys that are.
    pub async fn put_for_watchers(
        &self,
        delivery: &Delivery,
        images: Vec<String>,
    ) -> Result<(Put, usize), StoreError> {
        self.grouped(delivery, Concerns::Watchers(images)).await
    }

    async fn grouped(&self, delivery: &Delivery, concerns: Concerns) -> Result<(Put, usize), StoreError> {
        let stored = self.group.put(delivery.clone(), concerns).await?;
        if stored.0 == Put::New {
            self.witness.wrote(Write::Store).await;
        }
        Ok(stored)
    }

    /// Makes the keys due at `at`, or sooner where they are already, and at least so urgent; creates those that are new.
    pub async fn mark(&self, keys: &[Key], at: Timestamp, urgency: Urgency) -> Result<(), StoreError> {
        let mut transaction = self.begin(OnDisk::Later).await?;
        mark(&mut transaction, keys.iter().map(|key| (key, at, urgency))).await?;
        self.commit(transaction).await?;
        self.wake();
        Ok(())
    }

    /// Stops working on a pipeline that is gone: its due time, lease, view, watches and open deliveries go; its events
    /// stay. A running lease is lost.
    pub async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let mut transaction = self.begin(OnDisk::Later).await?;
        let retire =
            "UPDATE work SET due_at = NULL, leased_until = NULL, generation = generation + 1, retired = 1
             WHERE repository = ? AND pipeline = ?";
        for statement in [
            // Before the links go, while they say which deliveries are open for this key alone.
            "UPDATE delivery SET closed_at = received_at WHERE closed_at IS NULL
               AND number IN (SELECT delivery FROM concern WHERE repository = ?1 AND pipeline = ?2)
               AND NOT EXISTS (SELECT 1 FROM concern WHERE delivery = number
                               AND (repository, pipeline) <> (?1, ?2))",
            "DELETE FROM concern WHERE repository = ? AND pipeline = ?",
            "DELETE FROM view WHERE repository = ? AND pipeline = ?",
            "DELETE FROM watch WHERE repository = ? AND pipeline = ?",
            retire,
        ] {
            sqlx::query(statement)
                .bind(&key.repository)
                .bind(key.pipeline_column())
                .execute(&mut *transaction)
                .await?;
        }
        self.commit(transaction).await?;
        Ok(())
    }

    /// Sets which image repositories (canonical spelling) the key watches, in place of those before.
    pub async fn set_watches(&self, key: &Key, repositories: &[String]) -> Result<(), StoreError> {
        let mut transaction = self.begin(OnDisk::Later).await?;
        sqlx::query("DELETE FROM watch WHERE repository = ? AND pipeline = ?")
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .execute(&mut *transaction)
            .await?;
        for image in repositories {
            sqlx::query("INSERT OR IGNORE INTO watch (image, repository, pipeline) VALUES (?, ?, ?)")
                .bind(image)
                .bind(&key.repository)
                .bind(key.pipeline_column())
                .execute(&mut *transaction)
                .await?;
        }
        self.commit(transaction).await?;
        Ok(())
    }

    /// Notes how far something was read.
    pub async fn set_cursor(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO cursor (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&self.writer)
        .await?;
        self.witness.wrote(Write::Store).await;
        Ok(())
    }

    /// Removes deliveries that were closed before; a later repeat of them counts as new. Events are never removed. Some
    /// at a time, so that nobody waits for the writer meanwhile.
    pub async fn prune(&self, closed_before: Timestamp) -> Result<(), StoreError> {
        let delete = "DELETE FROM delivery WHERE number IN
             (SELECT number FROM delivery WHERE closed_at < ? ORDER BY closed_at LIMIT ?)";
        loop {
            let delete = sqlx::query(delete).bind(micros(closed_before)).bind(PRUNED_AT_ONCE);
            let removed = delete.execute(&self.writer).await?.rows_affected();
            self.witness.wrote(Write::Store).await;
            if removed < u64::from(PRUNED_AT_ONCE) {
                return Ok(());
            }
        }
    }

    /// Makes a transaction last.
    pub(super) async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
        transaction.commit().await?;
        self.witness.wrote(Write::Store).await;
        Ok(())
    }

    pub(super) async fn begin(&self, on_disk: OnDisk) -> Result<Transaction<'static, Sqlite>, StoreError> {
        begin(&self.writer, on_disk).await
    }
}

/// A transaction that holds the write lock from its start, so that it never fails half-way for want of it.
pub(super) async fn begin(
    writer: &SqlitePool,
    on_disk: OnDisk,
) -> Result<Transaction<'static, Sqlite>, StoreError> {
    let begin = match on_disk {
        OnDisk::Now => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        OnDisk::Later => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
    };
    Ok(writer.begin_with(begin).await?)
}

/// Each due at its time or sooner, and at least so urgent; a retired key comes back. One statement, however many they
/// are.
pub(super) async fn mark<'k>(
    connection: &mut SqliteConnection,
    due: impl IntoIterator<Item = (&'k Key, Timestamp, Urgency)>,
) -> Result<(), StoreError> {
    let row = |(key, at, urgency): (&'k Key, Timestamp, Urgency)| {
        (&key.repository, key.pipeline_column(), micros(at), urgency.ahead())
    };
    let rows: Vec<_> = due.into_iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let upsert = "INSERT INTO work (repository, pipeline, due_at, ahead)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET due_at = min(coalesce(due_at, excluded.due_at), excluded.due_at),
             ahead = max(ahead, excluded.ahead), retired = 0";
    let rows = serde_json::to_string(&rows).map_err(|error| StoreError::corrupt("keys", &error))?;
    sqlx::query(upsert).bind(rows).execute(connection).await?;
    Ok(())
}

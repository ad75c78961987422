//! What comes in: deliveries, marks, and which key watches what.

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{Delivery, Key, Put, Store, StoreError, micros};
use crate::witness::Write;

impl Store {
    /// Stores a delivery, links it to the keys it concerns and makes them due; on disk when it returns.
    ///
    /// One that concerns no key is stored as closed, so that its repeat is known.
    pub async fn put(&self, delivery: &Delivery, concerns: &[Key]) -> Result<Put, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(number) = insert(&mut transaction, delivery, concerns.is_empty()).await? else {
            return Ok(Put::Repeat);
        };
        for key in concerns {
            link(&mut transaction, key, number).await?;
            mark(&mut transaction, key, delivery.received_at).await?;
        }
        self.commit(transaction).await?;
        self.wake();
        Ok(Put::New)
    }

    /// Makes the keys due at `at`, or sooner where they are already; creates those that are new.
    pub async fn mark(&self, keys: &[Key], at: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for key in keys {
            mark(&mut transaction, key, at).await?;
        }
        self.commit(transaction).await?;
        self.wake();
        Ok(())
    }

    /// Stops working on a pipeline that is gone: its due time, lease, view, watches and open deliveries go; its events
    /// stay. A running lease is lost.
    pub async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
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
        let mut transaction = self.begin().await?;
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
        Ok(())
    }

    /// Removes deliveries that were closed before; a later repeat of them counts as new. Events are never removed.
    pub async fn prune(&self, closed_before: Timestamp) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM delivery WHERE closed_at < ?")
            .bind(micros(closed_before))
            .execute(&self.writer)
            .await?;
        self.witness.wrote(Write::Store).await;
        Ok(())
    }

    /// Makes a transaction last.
    pub(super) async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
        transaction.commit().await?;
        self.witness.wrote(Write::Store).await;
        Ok(())
    }

    /// A transaction that holds the write lock from its start, so that it never fails half-way for want of it.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// The delivery's number; none where its id is known.
async fn insert(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    is_closed: bool,
) -> Result<Option<i64>, StoreError> {
    let hints =
        serde_json::to_string(&delivery.hints).map_err(|error| StoreError::corrupt("hints", &error))?;
    let received_at = micros(delivery.received_at);
    let insert = "INSERT INTO delivery (id, source, received_at, hints, closed_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO NOTHING RETURNING number";
    let number = sqlx::query_scalar(insert)
        .bind(&delivery.id)
        .bind(&delivery.source)
        .bind(received_at)
        .bind(hints)
        .bind(is_closed.then_some(received_at))
        .fetch_optional(connection)
        .await?;
    Ok(number)
}

async fn link(connection: &mut SqliteConnection, key: &Key, delivery: i64) -> Result<(), StoreError> {
    sqlx::query("INSERT OR IGNORE INTO concern (repository, pipeline, delivery) VALUES (?, ?, ?)")
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .bind(delivery)
        .execute(connection)
        .await?;
    Ok(())
}

/// Due at `at` or sooner; a retired key comes back.
pub(super) async fn mark(
    connection: &mut SqliteConnection,
    key: &Key,
    at: Timestamp,
) -> Result<(), StoreError> {
    let upsert = "INSERT INTO work (repository, pipeline, due_at) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET due_at = min(coalesce(due_at, excluded.due_at), excluded.due_at), retired = 0";
    sqlx::query(upsert)
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .bind(micros(at))
        .execute(connection)
        .await?;
    Ok(())
}

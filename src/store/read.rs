//! What is asked of the store without changing it.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Counts, Happening, Key, Store, StoreError, count, micros, timestamp};
use crate::pipeline::StageName;
use crate::promotion::Entry;

impl Store {
    /// Events of a key with a sequence number above `after`, ascending, at most `limit`.
    pub async fn entries(
        &self,
        key: &Key,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Entry)>, StoreError> {
        let select = "SELECT sequence, entry FROM event
             WHERE repository = ? AND pipeline = ? AND sequence > ? ORDER BY sequence LIMIT ?";
        let rows = sqlx::query(select)
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok((count(row.try_get("sequence")?)?, entry(row)?))).collect()
    }

    /// Events of all keys with a number above `after`, in the order in which they were stored, at most `limit`.
    pub async fn happenings(&self, after: u64, limit: usize) -> Result<Vec<Happening>, StoreError> {
        let select = "SELECT number, repository, pipeline, sequence, entry FROM event
             WHERE number > ? ORDER BY number LIMIT ?";
        let rows = sqlx::query(select)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        let happening = |row: &SqliteRow| {
            let (number, sequence) = (count(row.try_get("number")?)?, count(row.try_get("sequence")?)?);
            Ok(Happening { number, key: key(row)?, sequence, entry: entry(row)? })
        };
        rows.iter().map(happening).collect()
    }

    /// The number of the newest event of all keys; 0 where there is none.
    pub async fn newest(&self) -> Result<u64, StoreError> {
        let select = sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM event");
        count(select.fetch_one(&self.readers).await?)
    }

    /// The last event of this kind (its stored name) and stage before another event of the key.
    pub async fn last_before(
        &self,
        key: &Key,
        sequence: u64,
        kind: &str,
        stage: &StageName,
    ) -> Result<Option<Entry>, StoreError> {
        let select = "SELECT entry FROM event
             WHERE repository = ? AND pipeline = ? AND sequence < ? AND kind = ? AND entry ->> 'stage' = ?
             ORDER BY sequence DESC LIMIT 1";
        let row = sqlx::query(select)
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
            .bind(kind)
            .bind(stage.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(entry).transpose()
    }

    /// The recorded fold, and the sequence number of the last event in it.
    pub async fn fold(&self, key: &Key) -> Result<Option<(u64, Value)>, StoreError> {
        let row = sqlx::query("SELECT sequence, body FROM fold WHERE repository = ? AND pipeline = ?")
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok((count(row.try_get("sequence")?)?, body(&row)?))).transpose()
    }

    /// The views of all keys, in the order of the keys.
    pub async fn views(&self) -> Result<Vec<(Key, Value)>, StoreError> {
        let rows = sqlx::query("SELECT repository, pipeline, body FROM view ORDER BY repository, pipeline")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok((key(row)?, body(row)?))).collect()
    }

    /// The view of one key.
    pub async fn view(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        let row = sqlx::query("SELECT body FROM view WHERE repository = ? AND pipeline = ?")
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(body).transpose()
    }

    /// Whether a delivery of this id is remembered.
    pub async fn has_delivery(&self, id: &str) -> Result<bool, StoreError> {
        let select = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM delivery WHERE id = ?)").bind(id);
        Ok(select.fetch_one(&self.readers).await?)
    }

    /// How far something was read.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        let select = sqlx::query_scalar("SELECT value FROM cursor WHERE name = ?").bind(name);
        Ok(select.fetch_optional(&self.readers).await?)
    }

    /// When the next key can be claimed, which may be in the past; a lease that ends counts.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let select = sqlx::query_scalar("SELECT min(ready_at) FROM work WHERE ready_at IS NOT NULL");
        let next: Option<i64> = select.fetch_one(&self.readers).await?;
        next.map(timestamp).transpose()
    }

    /// The keys that watch an image repository (canonical spelling).
    pub async fn watchers(&self, repository: &str) -> Result<Vec<Key>, StoreError> {
        let select = "SELECT repository, pipeline FROM watch WHERE image = ? ORDER BY repository, pipeline";
        let rows = sqlx::query(select).bind(repository).fetch_all(&self.readers).await?;
        rows.iter().map(key).collect()
    }

    /// The keys that are worked on, of one environment repository.
    pub async fn keys(&self, repository: &str) -> Result<Vec<Key>, StoreError> {
        let select =
            "SELECT repository, pipeline FROM work WHERE repository = ? AND retired = 0 ORDER BY pipeline";
        let rows = sqlx::query(select).bind(repository).fetch_all(&self.readers).await?;
        rows.iter().map(key).collect()
    }

    /// Figures for people, as of now by the clock of this machine.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let select = "SELECT
             (SELECT count(*) FROM work WHERE retired = 0) AS keys,
             (SELECT count(*) FROM work WHERE ready_at <= ?1) AS due,
             (SELECT count(*) FROM work WHERE leased_until > ?1) AS leased,
             (SELECT count(*) FROM delivery WHERE closed_at IS NULL) AS deliveries_open,
             (SELECT coalesce(max(number), 0) FROM event) AS events";
        let row = sqlx::query(select).bind(micros(Timestamp::now())).fetch_one(&self.readers).await?;
        Ok(Counts {
            keys: count(row.try_get("keys")?)?,
            due: count(row.try_get("due")?)?,
            leased: count(row.try_get("leased")?)?,
            deliveries_open: count(row.try_get("deliveries_open")?)?,
            events: count(row.try_get("events")?)?,
        })
    }
}

pub(super) fn key(row: &SqliteRow) -> Result<Key, StoreError> {
    Key::from_columns(row.try_get("repository")?, row.try_get("pipeline")?)
}

fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    let body: &str = row.try_get("entry")?;
    serde_json::from_str(body).map_err(|error| StoreError::corrupt("event", &error))
}

fn body(row: &SqliteRow) -> Result<Value, StoreError> {
    let body: &str = row.try_get("body")?;
    serde_json::from_str(body).map_err(|error| StoreError::corrupt("a stored document", &error))
}

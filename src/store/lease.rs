//! Leases: who works on a key, and what that work leaves behind.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection};

use super::inbox::{OnDisk, mark};
use super::{
    DELIVERIES_MAX, Delivery, Key, Lease, Store, StoreError, Urgency, count, lease_end, micros, timestamp,
};
use crate::promotion::Entry;
use crate::witness::Write;

impl Store {
    /// Leases the key that has been due longest, by its [`super::Urgency`]; none where nothing is due. Committed when it
    /// returns.
    pub async fn claim(&self, now: Timestamp, lease_for: Duration) -> Result<Option<Lease>, StoreError> {
        // Asked of a reader first: who finds nothing must not have taken the write lock.
        if self.next_due().await?.is_none_or(|due| due > now) {
            return Ok(None);
        }
        let claim = "UPDATE work SET generation = generation + 1, leased_until = ?2, due_at = NULL
             WHERE (repository, pipeline) IN (
                 SELECT repository, pipeline FROM work INDEXED BY work_turn
                 WHERE ready_at IS NOT NULL AND ready_at <= ?1 ORDER BY ready_at - ahead LIMIT 1)
             RETURNING repository, pipeline, generation";
        let mut transaction = self.begin(OnDisk::Later).await?;
        let row = sqlx::query(claim)
            .bind(micros(now))
            .bind(micros(lease_end(now, lease_for)))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key = Key::from_columns(row.try_get("repository")?, row.try_get("pipeline")?)?;
        let generation = count(row.try_get("generation")?)?;
        let deliveries = open_deliveries(&mut transaction, &key).await?;
        self.commit(transaction).await?;
        Ok(Some(Lease { key, generation, claimed_at: now, deliveries }))
    }

    /// Leases this key, due or not; none where it is leased by somebody, or unknown.
    pub async fn claim_key(
        &self,
        key: &Key,
        now: Timestamp,
        lease_for: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let claim = "UPDATE work SET generation = generation + 1, leased_until = ?4, due_at = NULL
             WHERE repository = ?1 AND pipeline = ?2 AND retired = 0 AND coalesce(leased_until, ?3) <= ?3
             RETURNING generation";
        let mut transaction = self.begin(OnDisk::Later).await?;
        let generation: Option<i64> = sqlx::query_scalar(claim)
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .bind(micros(now))
            .bind(micros(lease_end(now, lease_for)))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(generation) = generation else { return Ok(None) };
        let deliveries = open_deliveries(&mut transaction, key).await?;
        self.commit(transaction).await?;
        Ok(Some(Lease { key: key.clone(), generation: count(generation)?, claimed_at: now, deliveries }))
    }

    /// Lets the lease last until `now + lease_for`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if it is over.
    pub async fn extend(&self, lease: &Lease, now: Timestamp, lease_for: Duration) -> Result<(), StoreError> {
        let mut transaction = self.begin(OnDisk::Later).await?;
        held_until(&mut transaction, lease).await?;
        set_lease(&mut transaction, &lease.key, Some(lease_end(now, lease_for))).await?;
        self.commit(transaction).await?;
        Ok(())
    }

    /// Appends events; on disk when it returns. The lease goes on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if it is over.
    pub async fn append(&self, lease: &Lease, entries: &[Entry]) -> Result<(), StoreError> {
        let mut transaction = self.begin(OnDisk::Now).await?;
        held_until(&mut transaction, lease).await?;
        append(&mut transaction, &lease.key, entries).await?;
        self.commit(transaction).await?;
        Ok(())
    }

    /// Ends the work in one transaction: the last events, the deliveries that are done with for this key (by id), the
    /// fold over all events so far, the view, and when to look again.
    ///
    /// The key is due at the soonest of `wake_at`, a mark or delivery that came meanwhile, and the end of the lease if
    /// deliveries were left open.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if the lease is over.
    pub async fn record(
        &self,
        lease: Lease,
        entries: &[Entry],
        closed: &[String],
        fold: Option<&Value>,
        view: &Value,
        wake_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = &lease.key;
        // Without events, whatever is lost of it is done again: deliveries that are open once more change nothing.
        let on_disk = if entries.is_empty() { OnDisk::Later } else { OnDisk::Now };
        let mut transaction = self.begin(on_disk).await?;
        let lease_end = held_until(&mut transaction, &lease).await?;
        let sequence = append(&mut transaction, key, entries).await?;
        close(&mut transaction, key, closed, lease_end).await?;
        if let Some(fold) = fold {
            set_fold(&mut transaction, key, sequence, fold).await?;
        }
        set_view(&mut transaction, key, view).await?;
        let again_at = left_open(&mut transaction, &lease, lease_end).await?;
        // What is due by now was marked during the lease, and is as urgent as that; so is what was left open.
        let end = "UPDATE work SET leased_until = NULL, ahead = iif(due_at IS NULL AND ?3, 0, ahead)
             WHERE repository = ?1 AND pipeline = ?2";
        let end = sqlx::query(end).bind(&key.repository).bind(key.pipeline_column());
        end.bind(again_at.is_none()).execute(&mut *transaction).await?;
        let due = [wake_at, again_at].into_iter().flatten().map(|at| (key, at, Urgency::Time));
        mark(&mut transaction, due).await?;
        self.commit(transaction).await?;
        self.wake();
        Ok(())
    }

    /// Gives the key back after a failure: nothing is closed, and it is due at `again_at`, or sooner where somebody
    /// asked meanwhile.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if the lease is over.
    pub async fn release(&self, lease: Lease, again_at: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin(OnDisk::Later).await?;
        held_until(&mut transaction, &lease).await?;
        mark(&mut transaction, [(&lease.key, again_at, Urgency::Time)]).await?;
        set_lease(&mut transaction, &lease.key, None).await?;
        self.commit(transaction).await?;
        self.wake();
        Ok(())
    }

    /// Ends every lease and makes its key due at `now`, or sooner where it was due already: for the only server on a
    /// file, at its start, so that what it held when it was stopped waits for nothing. A holder that still lives is
    /// refused, so a mistake costs work, not truth.
    pub async fn end_leases(&self, now: Timestamp) -> Result<(), StoreError> {
        let end = "UPDATE work SET due_at = min(coalesce(due_at, ?1), ?1), leased_until = NULL
             WHERE leased_until IS NOT NULL";
        sqlx::query(end).bind(micros(now)).execute(&self.writer).await?;
        self.witness.wrote(Write::Store).await;
        self.wake();
        Ok(())
    }
}

/// The end of the lease, if it is still the one that counts.
async fn held_until(connection: &mut SqliteConnection, lease: &Lease) -> Result<Timestamp, StoreError> {
    let lost = || StoreError::LeaseLost { key: lease.key.to_string(), generation: lease.generation };
    let select = "SELECT generation, leased_until FROM work
         WHERE repository = ? AND pipeline = ? AND leased_until IS NOT NULL";
    let row = sqlx::query(select)
        .bind(&lease.key.repository)
        .bind(lease.key.pipeline_column())
        .fetch_optional(connection)
        .await?
        .ok_or_else(lost)?;
    if count(row.try_get("generation")?)? != lease.generation {
        return Err(lost());
    }
    timestamp(row.try_get("leased_until")?)
}

async fn set_lease(
    connection: &mut SqliteConnection,
    key: &Key,
    until: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE work SET leased_until = ? WHERE repository = ? AND pipeline = ?")
        .bind(until.map(micros))
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .execute(connection)
        .await?;
    Ok(())
}

async fn open_deliveries(connection: &mut SqliteConnection, key: &Key) -> Result<Vec<Delivery>, StoreError> {
    let select = "SELECT id, source, received_at, hints FROM concern JOIN delivery ON delivery.number = concern.delivery
         WHERE repository = ? AND pipeline = ? ORDER BY ahead DESC, concern.delivery LIMIT ?";
    let rows = sqlx::query(select)
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .bind(i64::try_from(DELIVERIES_MAX).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut deliveries = Vec::with_capacity(rows.len());
    for row in rows {
        let hints: &str = row.try_get("hints")?;
        deliveries.push(Delivery {
            id: row.try_get("id")?,
            source: row.try_get("source")?,
            received_at: timestamp(row.try_get("received_at")?)?,
            hints: serde_json::from_str(hints).map_err(|error| StoreError::corrupt("hints", &error))?,
        });
    }
    Ok(deliveries)
}

/// Appends, and returns the sequence number of the last event.
async fn append(connection: &mut SqliteConnection, key: &Key, entries: &[Entry]) -> Result<i64, StoreError> {
    let last = "SELECT coalesce(max(sequence), 0) FROM event WHERE repository = ? AND pipeline = ?";
    let mut sequence: i64 = sqlx::query_scalar(last)
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .fetch_one(&mut *connection)
        .await?;
    for entry in entries {
        sequence += 1;
        let body = serde_json::to_value(entry).map_err(|error| StoreError::corrupt("entry", &error))?;
        let kind = body.get("event").and_then(Value::as_str).unwrap_or_default();
        let insert =
            "INSERT INTO event (repository, pipeline, sequence, at, kind, entry) VALUES (?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(&key.repository)
            .bind(key.pipeline_column())
            .bind(sequence)
            .bind(micros(entry.at))
            .bind(kind)
            .bind(body.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(sequence)
}

/// Closes the named deliveries for this key, and for good where no other key waits. `at` is the end of the lease, no
/// earlier than the moment itself: it only decides how long a repeat is known.
async fn close(
    connection: &mut SqliteConnection,
    key: &Key,
    ids: &[String],
    at: Timestamp,
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = json!(ids).to_string();
    let unlink = "DELETE FROM concern WHERE repository = ?1 AND pipeline = ?2
         AND delivery IN (SELECT number FROM delivery WHERE id IN (SELECT value FROM json_each(?3)))";
    sqlx::query(unlink)
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
    let close = "UPDATE delivery SET closed_at = ?1 WHERE closed_at IS NULL
         AND id IN (SELECT value FROM json_each(?2))
         AND NOT EXISTS (SELECT 1 FROM concern WHERE delivery = number)";
    sqlx::query(close).bind(micros(at)).bind(&ids).execute(connection).await?;
    Ok(())
}

async fn set_fold(
    connection: &mut SqliteConnection,
    key: &Key,
    sequence: i64,
    fold: &Value,
) -> Result<(), StoreError> {
    let upsert = "INSERT INTO fold (repository, pipeline, sequence, body) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET sequence = excluded.sequence, body = excluded.body";
    sqlx::query(upsert)
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .bind(sequence)
        .bind(fold.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn set_view(connection: &mut SqliteConnection, key: &Key, view: &Value) -> Result<(), StoreError> {
    let upsert = "INSERT INTO view (repository, pipeline, body) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET body = excluded.body";
    sqlx::query(upsert)
        .bind(&key.repository)
        .bind(key.pipeline_column())
        .bind(view.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// When to look at deliveries that are still open: at once if the lease did not hand them out, else when it would have
/// ended, so that one which cannot be dealt with is tried again, but not in a tight loop.
async fn left_open(
    connection: &mut SqliteConnection,
    lease: &Lease,
    lease_end: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let select = "SELECT id, received_at FROM concern JOIN delivery ON delivery.number = concern.delivery
         WHERE repository = ? AND pipeline = ? ORDER BY concern.delivery DESC LIMIT 1";
    let newest = sqlx::query(select)
        .bind(&lease.key.repository)
        .bind(lease.key.pipeline_column())
        .fetch_optional(connection)
        .await?;
    let Some(newest) = newest else { return Ok(None) };
    let id: &str = newest.try_get("id")?;
    if lease.deliveries.iter().any(|delivery| delivery.id == id) {
        return Ok(Some(lease_end));
    }
    Ok(Some(timestamp(newest.try_get("received_at")?)?))
}

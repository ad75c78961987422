//! Deliveries are stored in groups: all that come while one commit is on its way to the disk share the next one.
//!
//! A commit costs one wait for the disk, however much is in it. One task writes the groups, so that a caller who goes
//! away (a client that hangs up) takes nobody's commit with it. A delivery that the database refuses is refused alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot, watch};

use super::inbox::{OnDisk, begin, mark};
use super::read::key;
use super::{Delivery, Key, Put, StoreError, Urgency, micros, wake};

/// Most deliveries of one commit: as many as the server works on at one time, by its defaults. Receivers keep 64
/// hints of one, half a kilobyte each: 32 KiB at most, 8 MiB in all.
const GROUP_MAX: usize = 256;
/// Most deliveries that wait for a commit: four groups. The next is refused, since its sender can wait as well as we.
const WAITING_MAX: usize = 4 * GROUP_MAX;

/// Where deliveries wait for their commit; cheap to clone. The task behind it ends with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Group {
    waiting: mpsc::Sender<Waiting>,
}

/// A delivery, and who waits for it.
struct Waiting {
    delivery: Delivery,
    concerns: Concerns,
    answer: oneshot::Sender<Result<Stored, StoreError>>,
}

/// Whom a delivery concerns.
pub(super) enum Concerns {
    /// These.
    Keys(Vec<Key>),
    /// Whoever watches one of these image repositories (canonical spelling) when it is stored.
    Watchers(Vec<String>),
}

/// Whether a delivery is new, and how many keys it concerns.
pub(super) type Stored = (Put, usize);

impl Group {
    /// Starts the task that writes; it counts `changed` up when keys became due.
    pub(super) fn start(writer: SqlitePool, changed: Arc<watch::Sender<u64>>) -> Self {
        let (waiting, queue) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(writer, queue, changed));
        Self { waiting }
    }

    /// On disk when it returns.
    pub(super) async fn put(&self, delivery: Delivery, concerns: Concerns) -> Result<Stored, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.waiting.try_send(Waiting { delivery, concerns, answer }).map_err(|_| {
            StoreError::Unavailable { reason: format!("{WAITING_MAX} deliveries wait for the disk already") }
        })?;
        let stopped = || StoreError::Unavailable { reason: "the process stops".to_owned() };
        answered.await.map_err(|_| stopped())?
    }
}

async fn write(writer: SqlitePool, mut queue: mpsc::Receiver<Waiting>, changed: Arc<watch::Sender<u64>>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        let stored = store(&writer, &group).await;
        if let Err(StoreError::Corrupt { .. }) = stored
            && group.len() > 1
        {
            for one in group.drain(..) {
                let stored = store(&writer, std::slice::from_ref(&one)).await;
                answer(vec![one], &stored, &changed);
            }
        } else {
            answer(std::mem::take(&mut group), &stored, &changed);
        }
    }
}

fn answer(group: Vec<Waiting>, stored: &Result<Vec<Stored>, StoreError>, changed: &watch::Sender<u64>) {
    if let Ok(stored) = stored
        && stored.iter().any(|(put, keys)| *put == Put::New && *keys > 0)
    {
        wake(changed);
    }
    for (place, waiting) in group.into_iter().enumerate() {
        let answer = match stored {
            Ok(stored) => Ok(stored.get(place).copied().unwrap_or((Put::Repeat, 0))),
            Err(error) => Err(error.clone()),
        };
        // Whoever went away finds it stored when it comes again.
        let _ = waiting.answer.send(answer);
    }
}

/// Stores the group in one transaction: four statements, whatever its size.
async fn store(writer: &SqlitePool, group: &[Waiting]) -> Result<Vec<Stored>, StoreError> {
    let mut transaction = begin(writer, OnDisk::Now).await?;
    let watchers = watchers(&mut transaction, group).await?;
    let keys: Vec<BTreeSet<&Key>> = group.iter().map(|waiting| waiting.concerns.keys(&watchers)).collect();
    let mut numbers = insert(&mut transaction, group, &keys).await?;
    // The first with an id is the new one; the same id again in this group is a repeat.
    let new: Vec<Option<i64>> = group.iter().map(|waiting| numbers.remove(&waiting.delivery.id)).collect();
    let mut links = Vec::new();
    let mut due: BTreeMap<&Key, (Timestamp, Urgency)> = BTreeMap::new();
    for ((waiting, keys), number) in group.iter().zip(&keys).zip(&new) {
        let Some(number) = number else { continue };
        for key in keys {
            links.push(json!([key.repository, key.pipeline_column(), number]));
            let (at, urgency) = (waiting.delivery.received_at, waiting.delivery.urgency());
            let (soonest, most) = due.entry(key).or_insert((at, urgency));
            (*soonest, *most) = (at.min(*soonest), urgency.max(*most));
        }
    }
    link(&mut transaction, links).await?;
    mark(&mut transaction, due.into_iter().map(|(key, (at, urgency))| (key, at, urgency))).await?;
    transaction.commit().await?;
    let put = |number: &Option<i64>| number.map_or(Put::Repeat, |_| Put::New);
    Ok(new.iter().map(put).zip(keys.iter().map(BTreeSet::len)).collect())
}

impl Concerns {
    fn keys<'a>(&'a self, watchers: &'a HashMap<String, Vec<Key>>) -> BTreeSet<&'a Key> {
        match self {
            Self::Keys(keys) => keys.iter().collect(),
            Self::Watchers(images) => {
                images.iter().filter_map(|image| watchers.get(image)).flatten().collect()
            }
        }
    }
}

/// Who watches the images of this group, by image.
async fn watchers(
    connection: &mut SqliteConnection,
    group: &[Waiting],
) -> Result<HashMap<String, Vec<Key>>, StoreError> {
    let mut images = BTreeSet::new();
    for waiting in group {
        if let Concerns::Watchers(watched) = &waiting.concerns {
            images.extend(watched);
        }
    }
    let mut watchers: HashMap<String, Vec<Key>> = HashMap::new();
    if images.is_empty() {
        return Ok(watchers);
    }
    let select =
        "SELECT image, repository, pipeline FROM watch WHERE image IN (SELECT value FROM json_each(?))";
    for row in sqlx::query(select).bind(json!(images).to_string()).fetch_all(connection).await? {
        watchers.entry(row.try_get("image")?).or_default().push(key(&row)?);
    }
    Ok(watchers)
}

/// The numbers of the deliveries that are new, by id. One that concerns nobody is closed, so that its repeat is known.
async fn insert(
    connection: &mut SqliteConnection,
    group: &[Waiting],
    keys: &[BTreeSet<&Key>],
) -> Result<HashMap<String, i64>, StoreError> {
    let mut rows = Vec::with_capacity(group.len());
    for (Waiting { delivery, .. }, keys) in group.iter().zip(keys) {
        let hints =
            serde_json::to_string(&delivery.hints).map_err(|error| StoreError::corrupt("hints", &error))?;
        let received_at = micros(delivery.received_at);
        let closed_at = keys.is_empty().then_some(received_at);
        let ahead = delivery.urgency().ahead();
        rows.push((&delivery.id, &delivery.source, received_at, hints, closed_at, ahead));
    }
    let insert = "INSERT INTO delivery (id, source, received_at, hints, closed_at, ahead)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?) WHERE true
         ON CONFLICT (id) DO NOTHING RETURNING id, number";
    let rows = serde_json::to_string(&rows).map_err(|error| StoreError::corrupt("deliveries", &error))?;
    let new = sqlx::query(insert).bind(rows).fetch_all(connection).await?;
    new.into_iter().map(|row| Ok((row.try_get("id")?, row.try_get("number")?))).collect()
}

async fn link(connection: &mut SqliteConnection, links: Vec<Value>) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO concern (repository, pipeline, delivery)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)";
    sqlx::query(insert).bind(Value::from(links).to_string()).execute(connection).await?;
    Ok(())
}

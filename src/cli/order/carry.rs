//! Seeing that a command is carried out.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Answer;
use crate::cli::context::of_store;
use crate::cli::{CliError, Exit};
use crate::plan::PipelineView;
use crate::promotion::Event;
use crate::reconcile::{World, run_key};
use crate::server::is_serving;
use crate::store::{Delivery, Key};

/// Between two looks for the answer of a server: each is one read of the store.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Between two attempts of our own, where the first did not come to an answer.
const ATTEMPT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the rest of the work (the pull request, the merge) is waited for after the answer.
const WORK_TIMEOUT: Duration = Duration::from_secs(15);
/// Events read at once.
const PAGE: usize = 1_000;

/// Stores the command, and sees that it is carried out: by the server where one runs, else here.
pub(super) async fn carry_out(
    world: &World,
    store_path: &Path,
    key: &Key,
    delivery: &Delivery,
    timeout: Duration,
) -> Result<Answer, CliError> {
    let from = last_sequence(world, key).await?;
    world
        .store
        .put(delivery, std::slice::from_ref(key))
        .await
        .map_err(|error| of_store(&error).why("the command is not stored"))?;
    let deadline = Instant::now() + timeout;
    loop {
        // A lock that cannot be asked says nothing; leases keep two workers apart all the same.
        let is_served = is_serving(store_path).unwrap_or(false);
        if !is_served {
            run_key(world, key).await.map_err(|error| of_store(&error))?;
        }
        if let Some((answer, at)) = answer_of(world, key, from, &delivery.id).await? {
            if is_served {
                wait_for_work(world, key, at, deadline.min(Instant::now() + WORK_TIMEOUT)).await?;
            }
            return Ok(answer);
        }
        let pause = if is_served { LOOK_INTERVAL } else { ATTEMPT_INTERVAL };
        if Instant::now() + pause >= deadline {
            return Err(CliError::new(
                Exit::TryAgain,
                format!("no answer within {} s; the command is stored", timeout.as_secs()),
            )
            .why("git or the forge does not answer, or the pipeline is being worked on")
            .next("lockkeeper history --all   (it is carried out as soon as that is possible, while it is young)"));
        }
        tokio::time::sleep(pause).await;
    }
}

/// The last event of the key that is in the store now.
async fn last_sequence(world: &World, key: &Key) -> Result<u64, CliError> {
    let fold = world.store.fold(key).await.map_err(|error| of_store(&error))?;
    Ok(fold.map_or(0, |(sequence, _)| sequence))
}

async fn answer_of(
    world: &World,
    key: &Key,
    mut after: u64,
    id: &str,
) -> Result<Option<(Answer, Timestamp)>, CliError> {
    loop {
        let page = world.store.entries(key, after, PAGE).await.map_err(|error| of_store(&error))?;
        let is_last = page.len() < PAGE;
        for (sequence, entry) in page {
            after = sequence;
            if let Event::Answered { command, outcome, text, .. } = entry.event
                && command == id
            {
                return Ok(Some((Answer { outcome, text }, entry.at)));
            }
        }
        if is_last {
            return Ok(None);
        }
    }
}

/// Waits until the server has recorded what followed the answer; without that, what is shown is merely older.
async fn wait_for_work(
    world: &World,
    key: &Key,
    answered_at: Timestamp,
    deadline: Instant,
) -> Result<(), CliError> {
    while Instant::now() < deadline {
        let view = world.store.view(key).await.map_err(|error| of_store(&error))?;
        let view: Option<PipelineView> = view.and_then(|view| serde_json::from_value(view).ok());
        if view.is_some_and(|view| view.updated_at >= answered_at) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

//! From what happened outside to the pipelines that should look.

use jiff::Timestamp;

use super::sweep::comment_delivery_id;
use super::{ReconcileError, World};
use crate::forge::local::Activity;
use crate::image::Digest;
use crate::pipeline::PipelineName;
use crate::plan::messages;
use crate::store::{Delivery, Hint, Key, Put, Store, StoreError, Urgency};

/// Something happened at the forge of `repository`: stored, and the pipeline concerned is due.
///
/// # Errors
/// [`StoreError`] if it could not be stored; the sender has to try again.
pub async fn deliver_activity(
    store: &Store,
    repository: &str,
    id: &str,
    hint: Hint,
    at: Timestamp,
) -> Result<Put, StoreError> {
    let thread = match &hint {
        Hint::Comment { thread, .. } => Some(*thread),
        Hint::PullRequest { number } => Some(*number),
        Hint::Command { thread, .. } => *thread,
        Hint::Image { .. } | Hint::Push | Hint::Sighting { .. } | Hint::Unparsable { .. } => None,
    };
    let key = match thread {
        Some(thread) => thread_key(store, repository, thread).await?,
        None => Key::repository(repository),
    };
    let delivery =
        Delivery { id: id.to_owned(), source: "forge".to_owned(), received_at: at, hints: vec![hint] };
    store.put(&delivery, &[key]).await
}

/// Somebody commented at the forge of `repository`: stored under the one id of that comment, so that the sweep delivers
/// it no second time. Whether the thread is known; nothing is stored where it is not, for only the sweep finds out
/// whose it is.
///
/// # Errors
/// [`StoreError`] if it could not be stored; the sender has to try again.
pub async fn deliver_comment(
    store: &Store,
    repository: &str,
    id: u64,
    thread: u64,
    said: Option<Digest>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let is_known = store.cursor(&thread_cursor(repository, thread)).await?.is_some();
    if is_known {
        let delivery = comment_delivery_id(repository, id);
        let hint = Hint::Comment { id, thread, said };
        deliver_activity(store, repository, &delivery, hint, at).await?;
    }
    Ok(is_known)
}

/// The pipeline whose promotion has this branch; the repository itself where none that is worked on has.
///
/// # Errors
/// [`StoreError`] if the store does not answer.
pub async fn branch_key(store: &Store, repository: &str, branch: &str) -> Result<Key, StoreError> {
    let itself = Key::repository(repository);
    let Some((_, pipeline)) = messages::branch_parts(branch) else { return Ok(itself) };
    let Ok(name) = pipeline.parse::<PipelineName>() else { return Ok(itself) };
    let key = Key::pipeline(repository, name);
    // Branches are named by whoever may push, and a name makes no pipeline.
    let is_known = store.keys(repository).await?.contains(&key);
    Ok(if is_known { key } else { itself })
}

/// The pipeline whose pull request or issue this is; the repository itself where it is nobody's.
///
/// # Errors
/// [`StoreError`] if the store does not answer.
pub async fn thread_key(store: &Store, repository: &str, thread: u64) -> Result<Key, StoreError> {
    let known = store.cursor(&thread_cursor(repository, thread)).await?;
    let pipeline = known.and_then(|name| name.parse::<PipelineName>().ok());
    Ok(Key { repository: repository.to_owned(), pipeline })
}

/// Where the store remembers whose thread this is.
pub(super) fn thread_cursor(repository: &str, thread: u64) -> String {
    format!("thread:{repository}:{thread}")
}

/// Something happened at the local forge of `repository`: the pipeline concerned is due at once.
///
/// # Errors
/// [`ReconcileError`] if the forge or the store does not answer; the next sweep sees it all the same.
pub async fn note_activity(
    world: &World,
    repository: &str,
    activity: Activity,
) -> Result<(), ReconcileError> {
    let now = (world.now)();
    let numbers = match activity {
        Activity::Comment(id, thread) => {
            if !deliver_comment(&world.store, repository, id, thread, None, now).await? {
                // The sweep finds out whose thread it is, and delivers the comment.
                world.store.mark(&[Key::repository(repository)], now, Urgency::Asked).await?;
            }
            return Ok(());
        }
        Activity::Review(number)
        | Activity::Closed(number)
        | Activity::Merged(number)
        | Activity::Opened(number) => {
            vec![number]
        }
        Activity::Checked(commit) => {
            let Some(found) = world.repositories.get(repository) else { return Ok(()) };
            let open = found.forge.open_pull_requests(&found.base).await?;
            open.into_iter()
                .filter(|pull_request| pull_request.head == commit)
                .map(|found| found.number)
                .collect()
        }
    };
    let mut keys = Vec::new();
    for number in numbers {
        keys.push(thread_key(&world.store, repository, number).await?);
    }
    world.store.mark(&keys, now, Urgency::Asked).await?;
    Ok(())
}

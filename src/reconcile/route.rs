//! From what happened outside to the pipelines that should look.

use jiff::Timestamp;

use super::sweep::comment_delivery_id;
use super::{ReconcileError, World};
use crate::forge::local::Activity;
use crate::pipeline::PipelineName;
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
        Hint::Image { .. } | Hint::Push | Hint::Unparsable { .. } => None,
    };
    let key = match thread {
        Some(thread) => thread_key(store, repository, thread).await?,
        None => Key::repository(repository),
    };
    let delivery =
        Delivery { id: id.to_owned(), source: "forge".to_owned(), received_at: at, hints: vec![hint] };
    store.put(&delivery, &[key]).await
}

/// The pipeline whose pull request or issue this is; the repository itself where it is nobody's.
async fn thread_key(store: &Store, repository: &str, thread: u64) -> Result<Key, StoreError> {
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
            let is_known = world.store.cursor(&thread_cursor(repository, thread)).await?.is_some();
            if !is_known {
                // The sweep finds out whose thread it is, and delivers the comment.
                world.store.mark(&[Key::repository(repository)], now, Urgency::Asked).await?;
                return Ok(());
            }
            let delivery = comment_delivery_id(repository, id);
            deliver_activity(&world.store, repository, &delivery, Hint::Comment { id, thread }, now).await?;
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

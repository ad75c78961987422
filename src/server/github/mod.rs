//! `POST /webhooks/github`: verified over the raw bytes, stored, answered. Nothing else happens here.
//!
//! What GitHub could not bring is in its own list of deliveries, and is fetched from there ([`missed`]).

mod missed;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) use self::missed::sweep_always;
pub use self::missed::{Missed, MissedError, sweep as sweep_missed};
use super::App;
use super::receive::{Outcome, ended, unavailable, unparsable};
use super::webhooks::github::{self, BODY_BYTES_MAX, News, Received, SIGNATURE_HEADER, Sender};
use super::webhooks::verify::{Authentication, EmptySecret, Secret, SignatureForm};
use super::webhooks::{ReceiveError, Sent};
use crate::image::Repository;
use crate::reconcile::{branch_key, deliver_comment, thread_key};
use crate::settings::{self, Forge, FullName, GitHubIdentity, Settings};
use crate::store::{Delivery, Hint, Key, StoreError};
use crate::telemetry::DELIVERIES;

/// The name in the address, in the inbox and in the figures.
const NAME: &str = "github";
/// Bodies above `body_bytes_max` that are read at one time; more get status 503. Most of what GitHub sends has 10 to
/// 30 kB, and is bounded like other bodies; a push of 2,048 commits has some megabytes. The largest takes a buffer of
/// 32 MiB, 16 MiB more while that one grows, or 25 MiB more when it came as a form: 57 MiB, and 114 MiB for two.
/// A stranger can hold both places for `timeout`; what GitHub then cannot deliver, the next sweep finds.
const LARGE_BODIES_MAX: usize = 2;

/// The webhook of GitHub.
#[derive(Debug)]
pub struct GitHubReceiver {
    sender: Sender,
    repositories: Vec<Watched>,
    large_bodies: Semaphore,
    /// Where what was missed is asked for.
    github: settings::GitHub,
}

/// A repository of the settings that lives at GitHub.
#[derive(Debug)]
struct Watched {
    full_name: FullName,
    name: String,
    base: String,
}

/// What a delivery makes due.
#[derive(Debug, Default)]
struct Due {
    hints: Vec<Hint>,
    keys: BTreeSet<Key>,
    /// Image repositories, in the spelling by which pipelines watch them.
    images: Vec<String>,
}

impl GitHubReceiver {
    /// The receiver that the settings describe; none without GitHub, or without a secret for its deliveries.
    ///
    /// # Errors
    /// [`EmptySecret`] if one is.
    pub fn new(settings: &Settings) -> Result<Option<Self>, EmptySecret> {
        let Some(github) = settings.github.as_ref().filter(|github| !github.webhook_secrets.is_empty())
        else {
            return Ok(None);
        };
        let secrets = github.webhook_secrets.iter().map(settings::Secret::expose);
        let secrets = secrets.map(Secret::new).collect::<Result<_, _>>()?;
        let sender = Sender {
            authentication: Authentication::Hmac {
                header: SIGNATURE_HEADER,
                form: SignatureForm::NamedSha256,
                secrets,
            },
            app_id: match github.identity {
                GitHubIdentity::App { id, .. } => Some(id),
                GitHubIdentity::Token { .. } => None,
            },
            app_name: settings.commands.bot.clone(),
            registry: github.registry(),
        };
        let repositories = settings.repositories.iter().filter_map(Watched::of).collect();
        let large_bodies = Semaphore::new(LARGE_BODIES_MAX);
        Ok(Some(Self { sender, repositories, large_bodies, github: github.clone() }))
    }

    fn named(&self, full_name: &FullName) -> impl Iterator<Item = &Watched> {
        self.repositories.iter().filter(move |watched| watched.full_name == *full_name)
    }
}

impl Watched {
    fn of(repository: &settings::Repository) -> Option<Self> {
        let Forge::GitHub(forge) = &repository.forge else { return None };
        let (full_name, name) = (forge.repository.clone(), repository.name.clone());
        Some(Self { full_name, name, base: repository.base.clone() })
    }
}

pub(super) fn router(receiver: Arc<GitHubReceiver>) -> Router<Arc<App>> {
    Router::new().route("/webhooks/github", post(receive)).layer(Extension(receiver))
}

async fn receive(
    State(app): State<Arc<App>>,
    Extension(receiver): Extension<Arc<GitHubReceiver>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let outcome = match read(&app, &receiver, body).await {
        Ok((bytes, _place)) => {
            let sent = Sent::new(&headers, &bytes, app.clock.now());
            keep(&app, &receiver, github::receive(&receiver.sender, &sent), &sent).await
        }
        Err(outcome) => outcome,
    };
    app.metrics.add(&DELIVERIES, &[("webhook", NAME), ("outcome", outcome.name())], 1);
    outcome.into_response()
}

/// The body, and the place that it takes where it is large.
async fn read<'r>(
    app: &App,
    receiver: &'r GitHubReceiver,
    body: Body,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'r>>), Outcome> {
    let (mut bytes, mut place) = (Vec::new(), None);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        // Also a body that broke off, whose sender does not read the answer.
        let piece = piece.map_err(|_| Outcome::TooLarge)?;
        let length = bytes.len() + piece.len();
        if length > BODY_BYTES_MAX {
            return Err(Outcome::TooLarge);
        }
        if length > app.settings.body_bytes_max && place.is_none() {
            place = Some(receiver.large_bodies.try_acquire().map_err(|_| {
                tracing::warn!(webhook = NAME, "more large deliveries at one time than there is room for");
                Outcome::Unavailable
            })?);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, place))
}

/// Stores what a delivery tells of, by whatever way it came.
async fn keep(
    app: &App,
    receiver: &GitHubReceiver,
    received: Result<Received, ReceiveError>,
    &Sent { body, at: now, .. }: &Sent<'_>,
) -> Outcome {
    let (id, due) = match received {
        Ok(received) => match due(app, receiver, &received.news, now).await {
            Ok(due) => (received.delivery_id, due),
            Err(error) => {
                app.health.store_answered(false);
                return unavailable(&error);
            }
        },
        Err(ReceiveError::Unauthorized) => {
            tracing::warn!(webhook = NAME, "delivery without a right signature");
            return Outcome::Unauthorized;
        }
        Err(ReceiveError::TooLarge { .. }) => return Outcome::TooLarge,
        Err(ReceiveError::Unparsable { delivery_id, reason }) => {
            tracing::warn!(webhook = NAME, delivery = %delivery_id, %reason, "delivery cannot be read");
            let hints = vec![unparsable(&reason, body)];
            (delivery_id, Due { hints, ..Due::default() })
        }
    };
    let Due { hints, keys, images } = due;
    let delivery = Delivery { id: inbox_id(&id), source: NAME.to_owned(), received_at: now, hints };
    let put = if images.is_empty() {
        let keys: Vec<Key> = keys.into_iter().collect();
        app.store.put(&delivery, &keys).await.map(|put| (put, keys.len()))
    } else {
        app.store.put_for_watchers(&delivery, images).await
    };
    ended(app, &delivery, put)
}

/// The id in the inbox.
fn inbox_id(delivery_id: &str) -> String {
    format!("{NAME}:{delivery_id}")
}

/// Whom the news concern. A comment in a thread that is known is stored here, under its own id, before its delivery is:
/// after a stop in between, the delivery that is sent again does the same once more, and stores nothing twice.
async fn due(app: &App, receiver: &GitHubReceiver, news: &News, now: Timestamp) -> Result<Due, StoreError> {
    let (store, mut due) = (&app.store, Due::default());
    match news {
        News::Nothing => {}
        News::Comment { repository, id, thread, said } => {
            for Watched { name, .. } in receiver.named(repository) {
                if !deliver_comment(store, name, *id, *thread, *said, now).await? {
                    due.hints.push(Hint::Comment { id: *id, thread: *thread, said: *said });
                    due.keys.insert(Key::repository(name));
                }
            }
        }
        News::PullRequest { repository, number } => {
            due.pull_requests(app, receiver.named(repository), &[*number]).await?;
        }
        News::Checked { repository, numbers, .. } if !numbers.is_empty() => {
            due.pull_requests(app, receiver.named(repository), numbers).await?;
        }
        News::Checked { repository, branches, .. } => {
            for Watched { name, .. } in receiver.named(repository) {
                due.repository(name);
                for branch in branches {
                    due.keys.insert(branch_key(store, name, branch).await?);
                }
            }
        }
        News::Push { repository, branch } => {
            let is_looked_at =
                |watched: &&Watched| watched.base == *branch || branch.starts_with(github::BRANCH_PREFIX);
            receiver.named(repository).filter(is_looked_at).for_each(|watched| due.repository(&watched.name));
        }
        News::Image(event) => {
            let registry = event.registry.as_deref().unwrap_or(&receiver.sender.registry);
            let image: Option<Repository> = format!("{registry}/{}", event.repository).parse().ok();
            due.images.extend(image.map(|image| image.canonical()));
            let (repository, tags, digest) = (event.repository.clone(), event.tags.clone(), event.digest);
            due.hints.push(Hint::Image { repository, registry: Some(registry.to_owned()), tags, digest });
        }
        News::Access { repositories, and_others } => {
            let concerned = |watched: &&Watched| *and_others || repositories.contains(&watched.full_name);
            receiver.repositories.iter().filter(concerned).for_each(|watched| due.repository(&watched.name));
        }
    }
    Ok(due)
}

impl Due {
    fn repository(&mut self, name: &str) {
        self.keys.insert(Key::repository(name));
        if self.hints.is_empty() {
            self.hints.push(Hint::Push);
        }
    }

    async fn pull_requests(
        &mut self,
        app: &App,
        repositories: impl Iterator<Item = &Watched>,
        numbers: &[u64],
    ) -> Result<(), StoreError> {
        for Watched { name, .. } in repositories {
            self.hints = numbers.iter().map(|number| Hint::PullRequest { number: *number }).collect();
            for number in numbers {
                self.keys.insert(thread_key(&app.store, name, *number).await?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Requests to GitHub for one repository: signed, bounded, in time, within its limits.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use octocrab::auth::EncodingKey;
use octocrab::models::AppId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Answer, NoPage, named, unavailable};
use super::cache::Cache;
use super::identity::Tokens;
use super::limits::{Rest, Writes};
use crate::forge::{ForgeError, Priority};
use crate::repository::{RepositoryError, TokenSource};
use crate::settings::{FullName, GitHub};

/// The requests of one repository.
pub(super) struct Client {
    octocrab: Octocrab,
    /// The same, at the address of GraphQL.
    graphql: Octocrab,
    tokens: Arc<Tokens>,
    rest: Rest,
    writes: Arc<Writes>,
    cache: Cache,
    timeout: Duration,
}

/// Bytes of one answer: a page of 100 pull requests with bodies of 64 kB has 8 MB, a delivery that GitHub keeps up to 25.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Where GraphQL is asked.
pub(super) const GRAPHQL: &str = "/graphql";
/// Entries of one page: the most that GitHub gives.
pub(super) const PAGE_ENTRIES: usize = 100;

impl Client {
    pub(super) fn new(name: FullName, github: &GitHub, writes: Arc<Writes>) -> Result<Self, ForgeError> {
        let tokens = Arc::new(Tokens::new(name, github)?);
        let octocrab = self::octocrab(github, &github.api_url, None)?;
        let base = github.graphql_base();
        let is_same = base == github.api_url;
        let graphql = if is_same { octocrab.clone() } else { self::octocrab(github, &base, None)? };
        let (rest, cache) = (Rest::default(), Cache::default());
        Ok(Self { octocrab, graphql, tokens, rest, writes, cache, timeout: github.timeout })
    }

    pub(super) fn token_source(&self) -> Arc<dyn TokenSource> {
        Arc::new(GitToken(Arc::clone(&self.tokens)))
    }

    /// Reads what is at this path. An answer that GitHub calls unchanged is taken from memory.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ForgeError> {
        self.read(path).await?.read(&named(&Method::GET, path))
    }

    /// All entries of a list, at most `pages_max` pages of 100.
    ///
    /// # Errors
    /// As [`Client::get`]; [`ForgeError::Unavailable`] where there are more pages: a list that is cut could hide what
    /// decides.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        pages_max: u32,
    ) -> Result<Vec<T>, ForgeError> {
        self.pages_of(path, pages_max, |page: Vec<T>| page).await
    }

    /// The same, where each page is an object that holds the entries.
    pub(super) async fn pages_of<P: DeserializeOwned, T>(
        &self,
        path: &str,
        pages_max: u32,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, ForgeError> {
        let what = named(&Method::GET, path);
        let cut = || unavailable(format!("{what} has more than {pages_max} pages of {PAGE_ENTRIES}"));
        self.pages_within(path, pages_max, entries).await?.ok_or_else(cut)
    }

    /// The same; none where there are more pages.
    pub(super) async fn pages_within<P: DeserializeOwned, T>(
        &self,
        path: &str,
        pages_max: u32,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Option<Vec<T>>, ForgeError> {
        let what = named(&Method::GET, path);
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut found, mut page) = (Vec::new(), 1);
        for _ in 0..pages_max {
            let at = format!("{path}{separator}per_page={PAGE_ENTRIES}&page={page}");
            let answer = self.read(&at).await?;
            found.extend(entries(answer.read(&what)?));
            match answer.next_page() {
                Ok(Some(next)) if next > page => page = next,
                Ok(None) => return Ok(Some(found)),
                // A list that is cut could hide what decides.
                Ok(Some(_)) | Err(NoPage) => {
                    return Err(unavailable(format!("the page after page {page} of {what} has no number")));
                }
            }
        }
        Ok(None)
    }

    /// Reads as the App itself; none with a token.
    pub(super) async fn as_app<T: DeserializeOwned>(&self, path: &str) -> Option<Result<T, ForgeError>> {
        let answer = self.answer_as_app(path).await?;
        Some(answer.and_then(|answer| answer.read(&named(&Method::GET, path))))
    }

    /// The same, with GitHub's answer whatever its status.
    pub(super) async fn answer_as_app(&self, path: &str) -> Option<Result<Answer, ForgeError>> {
        self.tokens.as_app(path).await
    }

    /// Whether so many writes could follow each other now.
    pub(super) fn have_room_for(&self, count: usize, priority: Priority) -> Result<(), ForgeError> {
        self.writes.have_room_for(count, priority, Instant::now())
    }

    /// Writes, and gives GitHub's answer whatever its status. Never repeated by itself: what became of it is not known.
    pub(super) async fn write(
        &self,
        priority: Priority,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Answer, ForgeError> {
        self.may_ask()?;
        self.writes.take(priority, Instant::now())?;
        let body = serde_json::to_vec(body).map_err(|error| unavailable(error.to_string()))?;
        // GitHub has refused a deletion for having a body.
        let body = (method != Method::DELETE).then_some(body.as_slice());
        self.send(&method, path, body, None).await
    }

    async fn read(&self, path: &str) -> Result<Answer, ForgeError> {
        self.may_ask()?;
        let known = self.cache.get(path);
        let tag = known.as_ref().map(|(tag, _)| tag.clone());
        let answer = self.send(&Method::GET, path, None, tag).await?;
        if answer.status == StatusCode::NOT_MODIFIED
            && let Some((_, known)) = known
        {
            return Ok(known);
        }
        if answer.status == StatusCode::OK {
            self.cache.put(path, &answer);
        }
        Ok(answer)
    }

    /// One exchange. A token that is refused is got anew once: it may have been withdrawn before its time, and GitHub
    /// did nothing with the request.
    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        tag: Option<HeaderValue>,
    ) -> Result<Answer, ForgeError> {
        let token = self.tokens.token().await?;
        let answer = self.send_with(&token, method, path, body, tag.clone()).await?;
        let answer = if answer.status == StatusCode::UNAUTHORIZED && self.tokens.forget(&token).await {
            let token = self.tokens.token().await?;
            self.send_with(&token, method, path, body, tag).await?
        } else {
            answer
        };
        // An hour's requests are an installation's own; all else is asked of the App.
        let rest = if answer.is_spent() { &self.rest } else { &self.writes.rest };
        rest.heed(&answer, Instant::now());
        Ok(answer)
    }

    /// Whether GitHub may be asked at all.
    fn may_ask(&self) -> Result<(), ForgeError> {
        let now = Instant::now();
        self.rest.is_over(now).and_then(|()| self.writes.rest.is_over(now))
    }

    /// Asks with somebody else's token: who they are.
    pub(super) async fn send_with(
        &self,
        token: &str,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        tag: Option<HeaderValue>,
    ) -> Result<Answer, ForgeError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| unavailable("the token fits into no header"))?;
        authorization.set_sensitive(true);
        let mut request = Request::builder().method(method).uri(path).header(AUTHORIZATION, authorization);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let body = body.map(serde_json::from_slice::<serde_json::Value>).transpose();
        let body = body.map_err(|error| unavailable(error.to_string()))?;
        let octocrab = if path == GRAPHQL { &self.graphql } else { &self.octocrab };
        let request = octocrab.build_request(request, body.as_ref()).map_err(|error| failed(&error))?;
        answer(octocrab, request, self.timeout).await
    }
}

/// An octocrab at this address, with the waits that it has none of by itself. It signs for an App; a token is laid into
/// each request.
pub(super) fn octocrab(
    github: &GitHub,
    address: &str,
    app: Option<(AppId, EncodingKey)>,
) -> Result<Octocrab, ForgeError> {
    let builder = Octocrab::builder()
        .set_connect_timeout(Some(github.timeout))
        .set_read_timeout(Some(github.timeout))
        .set_write_timeout(Some(github.timeout))
        .base_uri(address)
        .map_err(|_| ForgeError::Refused {
            what: "the address of GitHub's API".to_owned(),
            reason: format!("{address:?} is none"),
        })?;
    let builder = match app {
        Some((id, key)) => builder.app(id, key),
        None => builder,
    };
    builder.build().map_err(|error| failed(&error))
}

/// Sends, and reads the whole answer, in this time.
pub(super) async fn answer(
    octocrab: &Octocrab,
    request: Request<octocrab::OctoBody>,
    timeout: Duration,
) -> Result<Answer, ForgeError> {
    let exchange = async {
        let response = octocrab.execute(request).await.map_err(|error| failed(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| unavailable(format!("answer of GitHub broke off: {error}")))?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    };
    let late = |_| Err(unavailable(format!("no answer from GitHub within {} s", timeout.as_secs_f32())));
    tokio::time::timeout(timeout, exchange).await.unwrap_or_else(late)
}

/// A failure on the way, with its causes: octocrab's own words say little.
pub(super) fn failed(error: &octocrab::Error) -> ForgeError {
    let mut words = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        // Its display has a backtrace behind the first line.
        words.push(error.to_string().lines().next().unwrap_or_default().trim().to_owned());
        cause = error.source();
    }
    words.dedup();
    unavailable(format!("GitHub cannot be reached: {}", words.join(": ")))
}

/// The token, for git.
struct GitToken(Arc<Tokens>);

#[async_trait]
impl TokenSource for GitToken {
    async fn token(&self) -> Result<String, RepositoryError> {
        self.0.token().await.map_err(|error| match error {
            ForgeError::Unavailable { reason, .. } => RepositoryError::Unavailable { reason },
            ForgeError::NotFound { .. } | ForgeError::Moved { .. } | ForgeError::Refused { .. } => {
                RepositoryError::Denied { reason: error.to_string() }
            }
        })
    }
}

impl fmt::Debug for GitToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GitToken(hidden)")
    }
}

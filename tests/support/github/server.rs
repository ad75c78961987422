//! The way of a request: faults, tokens, the contract, the act, the contract again, and what GitHub puts around it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use lockkeeper::witness::Write;
use octocrab::jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::answer::{Answer, Done};
use super::contract::{Contract, Documented, pairs};
use super::faults::Fault;
use super::fill;
use super::model::{App, Owner};
use super::routes::{self, Call, graphql};
use super::world::World;

const LIMIT: u64 = 5_000;
const SECONDARY: &str =
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";

/// A request, taken apart.
struct Asked {
    method: String,
    /// Without the prefix of GitHub Enterprise Server.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    host: String,
    api: String,
}

pub(super) fn serve(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    let router = Router::new().fallback(answer).with_state(shared);
    // Answers come in small writes; held back for an acknowledgement each would cost 40 ms.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let asked = Asked::of(request).await;
    let fault = shared.note(&asked);
    match fault {
        Some(Fault::Hang) => std::future::pending::<()>().await,
        Some(Fault::Cut) => return cut(),
        Some(_) | None => {}
    }
    let (witness, is_write) = (Arc::clone(&shared.witness), asked.is_write());
    let work = AtWork::begin(&shared);
    // Git runs meanwhile, which would hold up the test's runtime.
    let task = tokio::task::spawn_blocking(move || {
        let _work = work;
        match fault {
            Some(Fault::Secondary(seconds)) => shared.limited(&asked, seconds),
            Some(Fault::Primary(status, seconds)) => shared.exhausted(&asked, status, seconds),
            Some(Fault::Before(status)) => shared.dressed(&asked, broken(status)),
            Some(Fault::After(status)) => {
                drop(shared.act(&asked));
                shared.dressed(&asked, broken(status))
            }
            Some(_) | None => {
                let answer = shared.act(&asked);
                shared.dressed(&asked, answer)
            }
        }
    });
    let response = task.await.expect("the fake does not panic");
    let was_done = response.status().is_success() || matches!(fault, Some(Fault::After(_)));
    if is_write && was_done {
        witness.wrote(Write::Forge).await;
    }
    match fault {
        Some(Fault::HangAfter) => std::future::pending().await,
        Some(Fault::LoseAnswer) => cut(),
        Some(_) | None => response,
    }
}

fn broken(status: u16) -> Answer {
    Answer::refused(status, "Server Error")
}

fn cut() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
    Response::builder().header(header::CONTENT_LENGTH, 1_000).body(Body::from_stream(broken)).unwrap()
}

/// One of the requests that are carried out; it ends when this is dropped.
struct AtWork(Arc<Shared>);

impl AtWork {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.at_work.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Asked {
    async fn of(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 25_000_000).await.unwrap_or_default();
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let host = format!("http://{host}");
        let (path, api) = match parts.uri.path().strip_prefix("/api") {
            Some("/graphql") => ("/graphql".to_owned(), format!("{host}/api")),
            Some(rest) if rest.starts_with("/v3") => (rest[3..].to_owned(), format!("{host}/api/v3")),
            Some(_) | None => (parts.uri.path().to_owned(), host.clone()),
        };
        let query = parts.uri.query().unwrap_or("").to_owned();
        Self { method: parts.method.to_string(), path, query, headers: parts.headers, body, host, api }
    }

    fn operation(&self) -> String {
        if self.path == "/graphql" {
            return format!("{} /graphql", self.method);
        }
        Contract::find(&self.method, &self.path)
            .map_or_else(|_| "unknown".to_owned(), |operation| operation.id)
    }

    /// Whether it changes what people see; a new token does not.
    fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.ends_with("/access_tokens")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// # Errors
    /// If the body is no JSON.
    fn json(&self) -> Result<Option<Value>, String> {
        if self.body.is_empty() {
            return Ok(None);
        }
        let told = |error| format!("{} {}: the body is no JSON: {error}", self.method, self.path);
        serde_json::from_slice(&self.body).map(Some).map_err(told)
    }
}

impl Shared {
    fn note(&self, asked: &Asked) -> Option<Fault> {
        let mark = if asked.query.is_empty() { "" } else { "?" };
        let line = format!("{} {}{mark}{}", asked.method, asked.path, asked.query);
        let operation = asked.operation();
        let mut traffic = self.traffic.lock().unwrap();
        *traffic.calls.entry(operation.clone()).or_default() += 1;
        traffic.requests.push(line.clone());
        self.faults.lock().unwrap().take(&line, &operation)
    }

    /// Between the two checks: the one place through which every request and response goes.
    fn act(&self, asked: &Asked) -> Answer {
        let mut world = self.world.lock().unwrap();
        world.look();
        let answer = self.checked(&mut world, asked);
        answer.unwrap_or_else(|violation| {
            world.violations.push(violation.clone());
            Answer::refused(500, &violation)
        })
    }

    /// # Errors
    /// What is not as GitHub describes it.
    fn checked(&self, world: &mut World, asked: &Asked) -> Result<Answer, String> {
        let body = asked.json()?;
        if asked.path == "/graphql" {
            let answer = graphql(world, asked, &body.unwrap_or_default())?;
            self.traffic.lock().unwrap().checked.insert(asked.operation());
            return Ok(answer);
        }
        let operation = Contract::request(&asked.method, &asked.path, &asked.query, body.as_ref())?;
        let owner = match authenticated(world, asked) {
            Ok(owner) => owner,
            Err(answer) => return Ok(answer),
        };
        let query = pairs(&asked.query).into_iter().collect();
        let (host, api, body) = (asked.host.clone(), asked.api.clone(), body.unwrap_or_default());
        let call = Call { operation, query, body, owner, host, api };
        let mut answer = routes::answer(world, &call);
        if call.operation.id == "GET /rate_limit" {
            answer.body = self.rate(world);
        }
        if let (200..300, Documented::Body(place)) = (answer.status, call.operation.documented(answer.status))
        {
            answer.body = fill::whole(&place, answer.body, &asked.api);
        }
        call.operation.response(answer.status, &answer.body)?;
        self.traffic.lock().unwrap().checked.insert(call.operation.id);
        Ok(answer)
    }

    /// Asking for it costs nothing by GitHub's word, something here.
    fn rate(&self, world: &World) -> Value {
        let used = self.traffic.lock().unwrap().used;
        let reset = world.now().as_second() / 3_600 * 3_600 + 3_600;
        let core =
            json!({"limit": LIMIT, "used": used, "remaining": LIMIT.saturating_sub(used), "reset": reset});
        json!({"resources": {"core": core, "search": core}, "rate": core})
    }

    fn limited(&self, asked: &Asked, seconds: u64) -> Response {
        let mut answer = Answer::refused(403, SECONDARY);
        answer.headers.push(("retry-after", seconds.to_string()));
        self.dressed(asked, answer)
    }

    fn exhausted(&self, asked: &Asked, status: u16, seconds: u64) -> Response {
        let app = self.world.lock().unwrap().model.app.installation;
        let mut answer =
            Answer::refused(status, &format!("API rate limit exceeded for installation ID {app}."));
        let reset = self.seconds() + seconds;
        answer
            .headers
            .extend([("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset.to_string())]);
        self.dressed(asked, answer)
    }

    fn seconds(&self) -> u64 {
        u64::try_from(self.world.lock().unwrap().now().as_second()).unwrap()
    }

    /// Puts on what GitHub has around every answer: limits, links to other pages, an etag; and takes the body off
    /// again, if the client has it already.
    fn dressed(&self, asked: &Asked, answer: Answer) -> Response {
        let body = if answer.body.is_null() { String::new() } else { answer.body.to_string() };
        let etag = format!("W/\"{}\"", hex::encode(Sha256::digest(&body)));
        let is_cacheable = asked.method == "GET" && answer.status == 200;
        let is_known = is_cacheable && asked.header("if-none-match") == Some(&etag);
        let mut headers = self.limits(!is_known);
        headers.retain(|(name, _)| answer.headers.iter().all(|(other, _)| other != name));
        headers.extend(answer.headers);
        if is_cacheable {
            headers.push(("etag", etag));
        }
        headers.extend(answer.pages.and_then(|pages| links(asked, pages)).map(|link| ("link", link)));
        let mut response = Response::builder().status(if is_known { 304 } else { answer.status });
        for (name, value) in headers {
            response = response.header(name, value);
        }
        if is_known || body.is_empty() {
            return response.body(Body::empty()).unwrap();
        }
        let response = response.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        response.body(Body::from(body)).unwrap()
    }

    /// The primary limit counts all but what was not modified.
    fn limits(&self, counts: bool) -> Vec<(&'static str, String)> {
        let reset = self.seconds() / 3_600 * 3_600 + 3_600;
        let mut traffic = self.traffic.lock().unwrap();
        traffic.used += u64::from(counts);
        vec![
            ("x-ratelimit-limit", LIMIT.to_string()),
            ("x-ratelimit-used", traffic.used.to_string()),
            ("x-ratelimit-remaining", LIMIT.saturating_sub(traffic.used).to_string()),
            ("x-ratelimit-reset", reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
    }
}

/// # Errors
/// What is not as GitHub's schema has it.
fn graphql(world: &mut World, asked: &Asked, body: &Value) -> Result<Answer, String> {
    graphql::check(body)?;
    match authenticated(world, asked) {
        Ok(Owner::App) => Ok(Answer::refused(401, "Bad credentials")),
        Ok(owner) => Ok(Answer::ok(graphql::answer(world, owner, body))),
        Err(answer) => Ok(answer),
    }
}

/// Absolute addresses on the host that was asked.
fn links(asked: &Asked, (page, last): (u32, u32)) -> Option<String> {
    let rest: Vec<_> =
        asked.query.split('&').filter(|part| !part.is_empty() && !part.starts_with("page=")).collect();
    let link = |to: u32, word: &str| {
        let page = format!("page={to}");
        let query = rest.iter().copied().chain([page.as_str()]).collect::<Vec<_>>().join("&");
        format!("<{}{}?{query}>; rel=\"{word}\"", asked.api, asked.path)
    };
    let mut links = Vec::new();
    if page > 1 {
        links.extend([link(page - 1, "prev"), link(1, "first")]);
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    (!links.is_empty()).then(|| links.join(", "))
}

fn authenticated(world: &World, asked: &Asked) -> Done<Owner> {
    let value =
        asked.header("authorization").ok_or_else(|| Answer::refused(401, "Requires authentication"))?;
    let bad = || Answer::refused(401, "Bad credentials");
    let (scheme, token) = value.split_once(' ').ok_or_else(bad)?;
    if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
        return Err(bad());
    }
    if token.split('.').count() == 3 {
        world.model.upkeep.clock_is_right()?;
        return jwt_is_right(&world.model.app, token).map(|()| Owner::App);
    }
    let kept = world.model.tokens.get(token).ok_or_else(bad)?;
    match kept.expires_at {
        Some(end) if end <= world.now() => Err(bad()),
        Some(_) | None => Ok(kept.owner),
    }
}

/// By the real clock, as the client signs by it. At most ten minutes are allowed.
fn jwt_is_right(app: &App, token: &str) -> Done<()> {
    let undecodable = || Answer::refused(401, "A JSON web token could not be decoded");
    let header = decode_header(token).map_err(|_| undecodable())?;
    if header.alg != Algorithm::RS256 {
        return Err(undecodable());
    }
    let claims = match &app.public_key {
        Some(key) => {
            let key = DecodingKey::from_rsa_pem(key.as_bytes()).unwrap();
            decode::<Value>(token, &key, &Validation::new(Algorithm::RS256))
                .map_err(|_| undecodable())?
                .claims
        }
        None => {
            octocrab::jsonwebtoken::dangerous::insecure_decode::<Value>(token)
                .map_err(|_| undecodable())?
                .claims
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seconds = |name: &str| claims[name].as_u64().unwrap_or(0);
    let is_ours = claims["iss"] == json!(app.id) || claims["iss"] == json!(app.id.to_string());
    if !is_ours {
        return Err(Answer::refused(404, "Integration not found"));
    }
    if seconds("exp") <= now || seconds("exp") > now + 600 {
        return Err(Answer::refused(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ));
    }
    if seconds("iat") > now {
        return Err(Answer::refused(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    Ok(())
}

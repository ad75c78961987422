//! One host, spoken to with one generation of credentials.

mod purpose;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use reqwest::{RequestBuilder, Response, Url};

pub(super) use self::purpose::Purpose;
use super::answer::{self, Answer, denied, untrusted};
use super::challenge::{Challenge, realm_url};
use super::counted::Counted;
use super::rest::Rest;
use super::settings::OciSettings;
use super::sign_in::{Authorization, SIGN_IN_SECONDS_MAX, SignIn, token_in};
use crate::image::Digest;
use crate::registry::RegistryError;
use crate::registry::credentials::Credential;
use crate::witness::Witness;

/// One host with one credential, for one purpose. A changed credential means a new session, with sign-ins of its own.
pub(super) struct Session {
    host: String,
    pub(super) credential: Credential,
    purpose: Purpose,
    settings: Arc<OciSettings>,
    /// Bodies are bounded, and headers can be read.
    http: Counted,
    /// What the host asked for, the same for all of its repositories, and until when that is believed.
    challenge: Mutex<Option<(Challenge, Instant)>>,
    sign_ins: Mutex<BTreeMap<String, SignIn>>,
    /// While the host rests it is not asked, for whatever repository.
    rest: Arc<Rest>,
}

/// What is asked for: the address, in which form, and of which size at most.
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    pub(super) accept: &'static str,
    pub(super) bytes_max: usize,
}

/// What a program may show in our place to read one repository.
pub(super) enum Lent {
    /// Nothing: we read there without, too.
    Nothing,
    /// The user name and password that the host itself asks for.
    Password(String, String),
    /// A token for this one repository, from a token server that was checked here.
    Token(String),
}

/// How a write ended that the registry answered.
pub(super) enum Wrote {
    /// It took it.
    Done,
    /// It did not, for good.
    Refused {
        /// The status.
        status: StatusCode,
        /// What it said, shortened.
        reason: String,
    },
}

/// Largest answer of a token server: tokens of a few kilobytes are seen, 64 KiB is far above.
const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// How long a host is believed to ask for the same, and how long it is then met without being asked: an hour in all.
const CHALLENGE_SECONDS_MAX: u64 = SIGN_IN_SECONDS_MAX / 2;
/// Most repositories of one host whose sign-ins are kept; past that all are dropped, which costs one request each.
const SIGN_INS_MAX: usize = 4096;

impl Session {
    /// A session with the registry at `host`.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] if TLS cannot be set up.
    pub(super) fn new(
        host: &str,
        credential: Credential,
        purpose: Purpose,
        rest: Arc<Rest>,
        settings: Arc<OciSettings>,
        witness: Arc<dyn Witness>,
    ) -> Result<Self, RegistryError> {
        Ok(Self {
            http: Counted::new(host, &settings, witness)?,
            host: host.to_owned(),
            credential,
            purpose,
            settings,
            challenge: Mutex::default(),
            sign_ins: Mutex::default(),
            rest,
        })
    }

    /// The address of `path_and_query` at this registry.
    pub(super) fn url(&self, path_and_query: &str) -> Result<Url, RegistryError> {
        let text = format!("{}://{}{path_and_query}", self.settings.scheme(&self.host), self.host);
        text.parse().map_err(|_| untrusted(&text, "it is no address"))
    }

    /// Gets what is asked for, for the repository at `path`.
    pub(super) async fn get(&self, path: &str, ask: &Ask<'_>, what: &str) -> Result<Answer, RegistryError> {
        let answer = self.get_unless(path, ask, None, what).await?;
        answer.ok_or_else(|| untrusted(what, "it says that nothing changed, unasked"))
    }

    /// As [`Session::get`]; none where the registry says that it is still what had this `ETag`.
    pub(super) async fn get_unless(
        &self,
        path: &str,
        ask: &Ask<'_>,
        tagged: Option<&HeaderValue>,
        what: &str,
    ) -> Result<Option<Answer>, RegistryError> {
        let request = self.http.asking(Method::GET, ask);
        let request = match tagged {
            Some(tagged) => request.header(IF_NONE_MATCH, tagged),
            None => request,
        };
        let exchange = async {
            let response = self.signed(path, request, what).await?;
            if response.status() == StatusCode::NOT_MODIFIED && tagged.is_some() {
                return Ok(None);
            }
            answer::read(response, ask.bytes_max, what).await.map(Some)
        };
        self.in_time(what, exchange).await
    }

    /// The headers of what is asked for, by `HEAD`, where the registry says that it has it. What it does not affirm may
    /// still be there: no error has a body here, and some storages do not know `HEAD`.
    pub(super) async fn head(
        &self,
        path: &str,
        ask: &Ask<'_>,
        what: &str,
    ) -> Result<Option<HeaderMap>, RegistryError> {
        let request = self.http.asking(Method::HEAD, ask);
        let exchange = async {
            let response = self.signed(path, request, what).await?;
            match response.status() {
                status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    answer::read(response, 0, what).await.map(|_| None)
                }
                status => Ok((status == StatusCode::OK).then(|| response.headers().clone())),
            }
        };
        self.in_time(what, exchange).await
    }

    /// Writes to this address of the repository at `path`.
    ///
    /// # Errors
    /// [`RegistryError`] if whoever writes may not sign in, or there is no answer to go by.
    pub(super) async fn write(
        &self,
        path: &str,
        (method, url): (Method, Url),
        body: Option<(HeaderValue, Bytes)>,
        what: &str,
    ) -> Result<Wrote, RegistryError> {
        let request = self.http.request(method, url);
        let request = match body {
            Some((media_type, bytes)) => request.header(CONTENT_TYPE, media_type).body(bytes),
            None => request,
        };
        let exchange = async { answer::wrote(self.signed(path, request, what).await?, what).await };
        self.in_time(what, exchange).await
    }

    /// Gets a blob of at most `bytes_max` bytes; its digest is checked.
    pub(super) async fn blob(
        &self,
        path: &str,
        digest: Digest,
        bytes_max: usize,
        what: &str,
    ) -> Result<Bytes, RegistryError> {
        let url = self.url(&format!("/v2/{path}/blobs/{digest}"))?;
        let bytes = self.get(path, &Ask { url: &url, accept: "*/*", bytes_max }, what).await?.body;
        if Digest::of(&bytes) != digest {
            return Err(untrusted(what, format!("its bytes hash to {}", Digest::of(&bytes))));
        }
        Ok(bytes)
    }

    /// What a program may show that reads this repository in our place: never the password where a token does, and a token
    /// that has its whole life before it.
    pub(super) async fn lend(&self, path: &str, what: &str) -> Result<Lent, RegistryError> {
        let Credential::Basic { username, password } = &self.credential else { return Ok(Lent::Nothing) };
        self.lock().remove(path);
        let signed_in = async {
            Ok(match self.sign_in(path, what).await? {
                Authorization::None => Lent::Nothing,
                Authorization::Basic => Lent::Password(username.clone(), password.clone()),
                Authorization::Bearer(token) => Lent::Token(token),
            })
        };
        self.in_time(what, signed_in).await
    }

    /// Sends a request as whoever this session is for.
    async fn signed(
        &self,
        path: &str,
        request: RequestBuilder,
        what: &str,
    ) -> Result<Response, RegistryError> {
        let used = self.sign_in(path, what).await?;
        let again = request.try_clone();
        let response = self.send(&used, request, what).await?;
        match again {
            // A token may have been withdrawn before its time, or anonymous requests end here: one silent renewal.
            Some(again) if response.status() == StatusCode::UNAUTHORIZED && self.renewable(path, &used) => {
                self.heed(Challenge::of(response.headers()));
                let renewed = self.sign_in(path, what).await?;
                self.send(&renewed, again, what).await
            }
            Some(_) | None => Ok(response),
        }
    }

    async fn send(
        &self,
        authorization: &Authorization,
        request: RequestBuilder,
        what: &str,
    ) -> Result<Response, RegistryError> {
        let request = match (authorization, &self.credential) {
            (Authorization::Bearer(token), _) => request.bearer_auth(token),
            (Authorization::Basic, Credential::Basic { username, password }) => {
                request.basic_auth(username, Some(password))
            }
            (Authorization::Basic | Authorization::None, _) => request,
        };
        let response = self.http.send(request, what).await?;
        self.rest.note(response.status(), response.headers());
        Ok(response)
    }

    /// Finds out how requests for this repository have to be signed, or recalls it.
    async fn sign_in(&self, path: &str, what: &str) -> Result<Authorization, RegistryError> {
        let kept = self.lock().get(path).filter(|kept| kept.until > Instant::now()).cloned();
        if let Some(kept) = kept {
            return Ok(kept.authorization);
        }
        let sign_in = match self.challenge(what).await? {
            Challenge::None => SignIn::lasting(Authorization::None, CHALLENGE_SECONDS_MAX),
            Challenge::Basic => SignIn::lasting(Authorization::Basic, CHALLENGE_SECONDS_MAX),
            Challenge::Bearer { realm, service } => {
                // The host may name another token server by now.
                let token = self.token(path, &realm, service.as_deref(), what).await;
                token.inspect_err(|_| *self.known_challenge() = None)?
            }
        };
        let mut sign_ins = self.lock();
        if sign_ins.len() >= SIGN_INS_MAX {
            sign_ins.clear();
        }
        sign_ins.insert(path.to_owned(), sign_in.clone());
        Ok(sign_in.authorization)
    }

    /// Asks the host what it wants, or recalls it.
    async fn challenge(&self, what: &str) -> Result<Challenge, RegistryError> {
        let kept = self.known_challenge().clone();
        if let Some((challenge, _)) = kept.filter(|(_, until)| *until > Instant::now()) {
            return Ok(challenge);
        }
        let ping = self.http.send(self.http.request(Method::GET, self.url("/v2/")?), what).await?;
        let is_open = ping.status().is_success();
        let challenge = answer::challenge(ping, what).await?;
        if is_open {
            self.remember(challenge.clone());
        } else {
            self.heed(challenge.clone());
        }
        Ok(challenge)
    }

    /// What a refused request was told to show. A proxy that refuses without a word says nothing of the registry behind it.
    fn heed(&self, challenge: Challenge) {
        if challenge != Challenge::None {
            self.remember(challenge);
        }
    }

    fn remember(&self, challenge: Challenge) {
        let until = Instant::now() + Duration::from_secs(CHALLENGE_SECONDS_MAX);
        *self.known_challenge() = Some((challenge, until));
    }

    fn known_challenge(&self) -> MutexGuard<'_, Option<(Challenge, Instant)>> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the token server for leave to do in this repository what the session is for.
    async fn token(
        &self,
        path: &str,
        realm: &str,
        service: Option<&str>,
        what: &str,
    ) -> Result<SignIn, RegistryError> {
        let mut url = realm_url(realm, &self.host, &self.settings).map_err(|reason| denied(what, reason))?;
        url.query_pairs_mut().append_pair("scope", &format!("repository:{path}:{}", self.purpose.actions()));
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let mut request = self.http.request(Method::GET, url);
        if let Credential::Basic { username, password } = &self.credential {
            request = request.basic_auth(username, Some(password));
        }
        let response = self.http.send(request, what).await?;
        let answer = answer::read(response, TOKEN_BYTES_MAX, what).await.map_err(|error| match error {
            // The token server is what is missing here, not the image.
            RegistryError::NotFound { what } => {
                denied(&what, "its token server knows no such place".to_owned())
            }
            RegistryError::Denied { .. }
            | RegistryError::Unavailable { .. }
            | RegistryError::Untrusted { .. } => error,
        })?;
        token_in(&answer.body).map_err(|reason| untrusted(what, reason))
    }

    /// Whether signing in once more could help, where `used` was refused. What was known is forgotten, unless somebody
    /// renewed it meanwhile: the host may have changed what it asks for.
    fn renewable(&self, path: &str, used: &Authorization) -> bool {
        let mut sign_ins = self.lock();
        if sign_ins.get(path).is_some_and(|kept| kept.authorization == *used) {
            sign_ins.remove(path);
            *self.known_challenge() = None;
        }
        *used != Authorization::Basic
    }

    async fn in_time<T>(
        &self,
        what: &str,
        exchange: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let unavailable = |reason: String, retry_after: Option<Duration>| RegistryError::Unavailable {
            what: what.to_owned(),
            reason,
            retry_after,
        };
        if let Some(rest) = self.rest.left() {
            let reason = format!("it asked not to be asked for {} s more", rest.as_secs() + 1);
            return Err(unavailable(reason, Some(rest)));
        }
        let limit = self.settings.timeout;
        let late = |_| Err(unavailable(format!("no answer within {} s", limit.as_secs_f32()), None));
        let result = tokio::time::timeout(limit, exchange).await.unwrap_or_else(late);
        if let Err(RegistryError::Unavailable { retry_after: Some(rest), .. }) = &result {
            // Also where it was the token server that said so.
            self.rest.asked_for(*rest);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SignIn>> {
        self.sign_ins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Sign-in and sign-out.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;

use super::body::Frame;
use super::posted::{Posted, Tied, Unsigned};
use super::problem::{Detour, Problem, page, redirect};
use super::session::SessionId;
use super::visitor::Visitor;
use super::{App, SignIn, Site};
use crate::forge::local::Identified;
use crate::forge::local::people::Known;

/// The longest place to go on to, in bytes.
const NEXT_BYTES_MAX: usize = 3_000;
/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 512;

/// Where to go on after the sign-in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

/// What is sent to sign in: a token, or in the demo a name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterForm {
    form_token: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
}

/// What is sent to sign out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaveForm {
    form_token: String,
}

#[derive(Template)]
#[template(path = "forge/sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    names: Vec<String>,
    error: &'static str,
}

pub(super) async fn show(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad(error.body_text()))?;
    let next = site.next(&wanted.next);
    if visitor.known.is_some() {
        return Ok(redirect(&next));
    }
    if is_from_elsewhere(&headers) {
        return Err(Problem::elsewhere(Detour::Page(sign_in_path(&site, &next))));
    }
    site.sign_in_page(visitor, next, StatusCode::OK, "").await
}

pub(super) async fn enter(
    State(site): State<App>,
    Unsigned { form, visitor }: Unsigned<EnterForm>,
) -> Result<Response, Problem> {
    let next = site.next(&form.next);
    let Some((known, identified)) = site.identify(&form).await? else {
        let error = match site.options.sign_in {
            SignIn::Token => "Nobody here has this token.",
            SignIn::ChooseName => "Nobody here has this name.",
        };
        return site.sign_in_page(visitor, next, StatusCode::UNAUTHORIZED, error).await;
    };
    visitor.session.iter().for_each(|old| site.sessions.end(old));
    let id = site.sessions.begin(known.person.id, identified, site.forge.now());
    tracing::info!(person = known.person.id, how = identified.words(), "signed in");
    Ok(with_cookie(redirect(&next), &site, &id))
}

pub(super) async fn leave(State(site): State<App>, posted: Posted<LeaveForm>) -> Result<Response, Problem> {
    posted.session.iter().for_each(|id| site.sessions.end(id));
    Ok(with_cookie(redirect(&site.path("/sign-in")), &site, &SessionId::random()))
}

/// Sends a visitor without a session to the sign-in. One that comes from another site gets there over a page of ours:
/// our cookie is `SameSite=Strict`, so this request came without it even if the visitor is signed in, and the next
/// one, from our own page, brings it.
pub(super) fn detour(site: &Site, headers: &HeaderMap, uri: &Uri) -> Problem {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let next = site.path(&format!("{}{query}", uri.path()));
    let to = sign_in_path(site, &next);
    Problem::elsewhere(if is_from_elsewhere(headers) { Detour::Page(to) } else { Detour::Redirect(to) })
}

/// Whether a link on another site led here, so that the browser kept our cookie back.
///
/// Source: W3C Fetch Metadata Request Headers, section 2.4.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let from = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(from, Some(b"cross-site" | b"same-site"))
}

fn sign_in_path(site: &Site, next: &str) -> String {
    format!("{}?next={}", site.path("/sign-in"), encoded(next))
}

impl Site {
    async fn sign_in_page(
        &self,
        mut visitor: Visitor,
        next: String,
        status: StatusCode,
        error: &'static str,
    ) -> Result<Response, Problem> {
        let id = visitor.session.get_or_insert_with(SessionId::random).clone();
        let names = match self.options.sign_in {
            SignIn::Token => Vec::new(),
            SignIn::ChooseName => self.forge.people().names().await?,
        };
        let frame = Frame::new(self, Some(&visitor), "Sign in");
        Ok(with_cookie(page(status, &SignInPage { frame, next, names, error }), self, &id))
    }

    async fn identify(&self, form: &EnterForm) -> Result<Option<(Known, Identified)>, Problem> {
        let people = self.forge.people();
        match self.options.sign_in {
            SignIn::Token if form.token.is_empty() || form.token.len() > TOKEN_BYTES_MAX => Ok(None),
            SignIn::Token => {
                let known = people.holder(form.token.trim()).await?.filter(|known| !known.person.bot);
                Ok(known.map(|known| (known, Identified::Token)))
            }
            SignIn::ChooseName => {
                Ok(people.named(&form.name).await?.map(|known| (known, Identified::ChosenName)))
            }
        }
    }

    /// The page to go on to: one of ours, else the list. Never another site's.
    fn next(&self, wanted: &str) -> String {
        let inside = wanted.strip_prefix(&self.prefix).unwrap_or_default();
        let is_ours = inside.starts_with('/') && !inside.starts_with("//");
        let is_plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if is_ours && is_plain && wanted.len() <= NEXT_BYTES_MAX {
            return wanted.to_owned();
        }
        self.path("/pulls")
    }
}

fn with_cookie(mut response: Response, site: &Site, id: &SessionId) -> Response {
    if let Ok(value) = HeaderValue::from_str(&site.set_cookie(id)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The text as a value in a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(shown).collect()
}

impl Tied for EnterForm {
    fn form_token(&self) -> &str {
        &self.form_token
    }
}

impl Tied for LeaveForm {
    fn form_token(&self) -> &str {
        &self.form_token
    }
}

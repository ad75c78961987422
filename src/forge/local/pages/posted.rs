//! A form that was sent: it counts only from a signed-in person, from our own page, with the token of its session.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, Request};
use http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::session::SessionId;
use super::visitor::Visitor;
use super::{FORM_BYTES_MAX, Site};
use crate::forge::local::Actor;

/// A form with a session's token in it.
pub(super) trait Tied: DeserializeOwned + Send {
    /// The token that the form carries.
    fn form_token(&self) -> &str;
}

/// A form of a person who is signed in, proved to come from a page of ours.
pub(super) struct Posted<T> {
    pub(super) form: T,
    pub(super) actor: Actor,
    /// The session that the form belongs to.
    pub(super) session: Option<SessionId>,
}

/// The same, where nobody is signed in yet.
pub(super) struct Unsigned<T> {
    pub(super) form: T,
    pub(super) visitor: Visitor,
}

impl<T: Tied> FromRequest<Arc<Site>> for Unsigned<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Problem> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let visitor = visitor.ok_or_else(|| Problem::refused("Nobody is known to have sent this form."))?;
        if let Some(origin) =
            request.headers().get(header::ORIGIN).filter(|origin| !site.is_our_origin(origin))
        {
            tracing::warn!(?origin, "form of another site was refused");
            return Err(Problem::refused("This form was sent by a page of another site."));
        }
        let Form(form) = Form::<T>::from_request(request, site).await.map_err(|error| wrong(&error))?;
        let is_ours = |session| site.sessions.is_form_token(session, form.form_token());
        if !visitor.session.as_ref().is_some_and(is_ours) {
            let text = "This form does not belong to your session: it may be older than your sign-in, or come from a \
                        page of somebody else. Nothing was done. Open the page again and repeat it.";
            return Err(Problem::refused(text));
        }
        Ok(Self { form, visitor })
    }
}

impl<T: Tied> FromRequest<Arc<Site>> for Posted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Problem> {
        let Unsigned { form, visitor } = Unsigned::<T>::from_request(request, site).await?;
        let text = "You are not signed in, or no longer. Nothing was done.";
        let missing = || Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", text);
        Ok(Self { form, actor: visitor.actor().ok_or_else(missing)?, session: visitor.session })
    }
}

fn wrong(error: &axum::extract::rejection::FormRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let text = format!("The form has more than {FORM_BYTES_MAX} bytes. Write a shorter text.");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Too long", text);
    }
    Problem::bad(error.body_text())
}

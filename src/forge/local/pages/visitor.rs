//! Who asks for a page: found anew at every request, with the permission of now.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderMap, header};

use super::session::SessionId;
use super::{ProxyHeader, SignIn, Site};
use crate::forge::local::people::Known;
use crate::forge::local::{Actor, Identified};
use crate::forge::{ForgeError, Permission};

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Who they are; none if they did not sign in.
    pub(super) known: Option<(Known, Identified)>,
    /// The session of their browser; none if it sent no cookie.
    pub(super) session: Option<SessionId>,
    /// Whether the browser does not have the session's cookie yet.
    pub(super) is_new: bool,
}

impl Visitor {
    /// The one who acts; none if they did not sign in.
    pub(super) fn actor(&self) -> Option<Actor> {
        let (known, identified) = self.known.as_ref()?;
        Some(Actor { person: known.person.clone(), identified: *identified })
    }

    /// What they may do. In the demo everybody may read.
    pub(super) fn permission(&self, sign_in: SignIn) -> Permission {
        let least = match sign_in {
            SignIn::Token => Permission::None,
            SignIn::ChooseName => Permission::Read,
        };
        self.known.as_ref().map_or(least, |(known, _)| known.permission)
    }
}

impl Site {
    /// Finds out who asks: the person a trusted proxy names, else the one of the session.
    pub(super) async fn visitor(
        &self,
        headers: &HeaderMap,
        peer: Option<ConnectInfo<SocketAddr>>,
    ) -> Result<Visitor, ForgeError> {
        let session = self.cookie_in(headers);
        if let Some(name) = proxied(self.options.proxy_header.as_ref(), headers, peer)? {
            let known = self.forge.people().named(&name).await?;
            let known = known.ok_or_else(|| ForgeError::Refused {
                what: "sign-in".to_owned(),
                reason: "the proxy names somebody who is not in the people file".to_owned(),
            })?;
            return Ok(Visitor { known: Some((known, Identified::Proxy)), session, is_new: false });
        }
        let found = session.as_ref().and_then(|id| self.sessions.find(id, self.forge.now()));
        let known = match found {
            Some(found) => {
                self.forge.people().known(found.person).await?.map(|known| (known, found.identified))
            }
            None => None,
        };
        Ok(Visitor { known, session, is_new: false })
    }

    /// The name of our cookie: one per forge, as several may be served under one host. With `__Host-` a browser
    /// refuses one that was set for the whole domain or without TLS.
    pub(super) fn cookie_name(&self) -> String {
        let is_word = |letter: char| letter.is_ascii_alphanumeric();
        let forge: String =
            self.prefix.chars().map(|letter| if is_word(letter) { letter } else { '-' }).collect();
        let host = if self.is_https { "__Host-" } else { "" };
        format!("{host}lockkeeper{forge}")
    }

    /// The value of `Set-Cookie` for this session.
    pub(super) fn set_cookie(&self, id: &SessionId) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie_name(), id.cookie())
    }

    fn cookie_in(&self, headers: &HeaderMap) -> Option<SessionId> {
        let name = self.cookie_name();
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| SessionId::parse(value))
    }
}

/// The name that a trusted proxy gives. From anybody else the header is as if it were not there.
fn proxied(
    proxy: Option<&ProxyHeader>,
    headers: &HeaderMap,
    peer: Option<ConnectInfo<SocketAddr>>,
) -> Result<Option<String>, ForgeError> {
    let (Some(proxy), Some(ConnectInfo(peer))) = (proxy, peer) else { return Ok(None) };
    if !proxy.trusted.iter().any(|trusted| plain(*trusted) == plain(peer.ip())) {
        return Ok(None);
    }
    let refused =
        |reason: &str| ForgeError::Refused { what: "sign-in".to_owned(), reason: reason.to_owned() };
    let mut values = headers.get_all(&proxy.name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(name) => Ok(Some(name.to_owned())),
            Err(_) => Err(refused("the name from the proxy is no text")),
        },
        // One from the proxy and one from the visitor, perhaps: nobody can tell which.
        (Some(_), Some(_)) => Err(refused("the proxy sent the name more than once")),
    }
}

/// An IPv4 address that came over an IPv6 socket is the same address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

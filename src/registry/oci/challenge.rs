//! The registry's answer to "who are you?": what it wants, and where tokens are to be had.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use reqwest::Url;

use super::settings::{OciSettings, is_loopback};

/// What a registry asks for before it answers.
///
/// Source: RFC 9110, section 11.6.1; the distribution project's token specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Nothing: the registry is open.
    None,
    /// The credentials themselves, with each request.
    Basic,
    /// A token from this server.
    Bearer {
        /// The server's address.
        realm: String,
        /// The registry's name at that server.
        service: Option<String>,
    },
}

impl Challenge {
    /// The challenge in these headers; a token is preferred to the bare password where both are offered.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let offers = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let offers: Vec<&str> = offers.collect();
        let bearer = offers.iter().find_map(|offer| bearer(offer));
        let basic = offers.iter().any(|offer| scheme_at(offer, "basic").is_some()).then_some(Self::Basic);
        bearer.or(basic).unwrap_or(Self::None)
    }
}

/// The token server of a `Bearer` challenge within one header value.
fn bearer(offer: &str) -> Option<Challenge> {
    let parameters = scheme_at(offer, "bearer")?;
    let (mut realm, mut service) = (None, None);
    for (name, value) in Parameters(parameters) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = realm.or(Some(value)),
            "service" => service = service.or(Some(value)),
            _ => {}
        }
    }
    Some(Challenge::Bearer { realm: realm?, service })
}

/// What follows the name of the scheme, where the value has that scheme at its start or after a comma.
fn scheme_at<'a>(offer: &'a str, scheme: &str) -> Option<&'a str> {
    let starts = std::iter::once(0).chain(offer.match_indices(',').map(|(at, _)| at + 1));
    starts.filter_map(|start| offer.get(start..)).find_map(|rest| {
        let rest = rest.trim_start();
        let name = rest.get(..scheme.len())?;
        let after = rest.get(scheme.len()..)?;
        let ends = after.is_empty() || after.starts_with(' ');
        (ends && name.eq_ignore_ascii_case(scheme)).then_some(after)
    })
}

/// The `name=value` and `name="value"` pairs up to the next scheme.
struct Parameters<'a>(&'a str);

impl Iterator for Parameters<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.trim_start_matches([' ', ',']).split_once('=')?;
        let name = name.trim();
        if name.contains([' ', ',', '"']) {
            return None;
        }
        let (value, rest) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        self.0 = rest;
        Some((name.to_owned(), value.trim().to_owned()))
    }
}

/// Checks that tokens may be asked for at this address on behalf of the registry at `host`.
///
/// The registry chooses the address, and the password goes there; so it has to be the registry's own host or an
/// allowed one, and TLS, except where the registry itself is spoken to without.
///
/// # Errors
/// Why not.
pub(super) fn realm_url(realm: &str, host: &str, settings: &OciSettings) -> Result<Url, String> {
    let url: Url = realm.parse().map_err(|_| format!("its token server `{realm:.100}` is no address"))?;
    let name = url.host_str().unwrap_or_default();
    let name_and_port = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    let is_own = host_name(host) == name;
    if !is_own && !settings.realm_hosts.iter().any(|allowed| allowed == name || *allowed == name_and_port) {
        return Err(format!(
            "its token server `{name_and_port:.100}` is neither its own host nor in `realm_hosts` of `[registry]` in the settings (variable \
             LOCKKEEPER__REGISTRY__REALM_HOSTS)"
        ));
    }
    let is_plain_allowed = is_loopback(name) || settings.scheme(&name_and_port) == "http";
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_plain_allowed => Ok(url),
        scheme => Err(format!("its token server `{name_and_port:.100}` wants `{scheme}`, expected `https`")),
    }
}

/// The host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offers: &[&str], want: &Challenge) {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(WWW_AUTHENTICATE, offer.parse().unwrap());
        }
        assert_eq!(&Challenge::of(&headers), want, "{offers:?}");
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(ToOwned::to_owned),
        };
        check(&[], &Challenge::None);
        check(&["Basic realm=\"reg\""], &Challenge::Basic);
        check(&["basic"], &Challenge::Basic);
        check(&["Negotiate"], &Challenge::None);
        let hub = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\"";
        check(&[hub], &bearer("https://auth.docker.io/token", Some("registry.docker.io")));
        check(&["bearer service=s, realm=https://a/t"], &bearer("https://a/t", Some("s")));
        check(&["Basic realm=\"r\", Bearer realm=\"https://a/t\""], &bearer("https://a/t", None));
        check(&["Bearer realm=\"https://a/t\", Basic realm=\"https://b\""], &bearer("https://a/t", None));
        check(
            &["Basic realm=\"r\"", "Bearer realm=\"https://a/t\",scope=\"*\""],
            &bearer("https://a/t", None),
        );
        check(&["Bearer service=\"s\""], &Challenge::None);
        check(&["Bearer realm=\"https://a"], &Challenge::None);
        check(&["Bearerrealm=\"https://a\""], &Challenge::None);
    }

    #[test]
    fn the_password_goes_to_the_own_host_or_an_allowed_one_and_not_in_the_clear() {
        let settings =
            OciSettings { plain_http_hosts: vec!["reg.local:5000".to_owned()], ..Default::default() };
        for (realm, host) in [
            ("https://reg.example/token", "reg.example"),
            ("https://reg.example:8443/token", "reg.example:443"),
            ("https://auth.docker.io/token", "docker.io"),
            ("http://127.0.0.1:1/token", "127.0.0.1:5000"),
            ("http://localhost:1/token", "localhost:5000"),
            ("http://reg.local:5000/token", "reg.local:5000"),
        ] {
            assert!(realm_url(realm, host, &settings).is_ok(), "{realm} {host}");
        }
        for (realm, host) in [
            ("https://evil.example/token", "reg.example"),
            ("https://reg.example.evil.example/token", "reg.example"),
            ("https://reg.example@evil.example/", "reg.example"),
            ("http://reg.example/token", "reg.example"),
            ("http://auth.docker.io/token", "docker.io"),
            ("http://127.0.0.1:1/token", "reg.example"),
            ("http://reg.local:5001/token", "reg.local:5000"),
            ("ftp://reg.example/", "reg.example"),
            ("file:///etc/passwd", "reg.example"),
            ("/token", "reg.example"),
            ("", "reg.example"),
        ] {
            assert!(realm_url(realm, host, &settings).is_err(), "{realm} {host}");
        }
    }
}

//! Where a repository is: a folder, a smart HTTP address or an ssh address.

use std::fmt;
use std::path::PathBuf;

/// Bytes of a location; a path of Linux fits.
const LOCATION_BYTES_MAX: usize = 4_096;

/// Where the environment repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A bare repository on this machine.
    File(PathBuf),
    /// Smart HTTP, `http://` or `https://`, never with credentials in it.
    Http(String),
    /// `ssh://`, through the `ssh` program.
    Ssh(String),
}

/// The text is no location. None of the messages repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// None of the forms.
    #[error("location is no absolute path and does not start with file:///, https://, http:// or ssh://")]
    Form,
    /// A user or password before the host; they belong into a file.
    #[error(
        "location has credentials before its host: put the token into a file and name the file in the settings"
    )]
    Credentials,
    /// The host is missing or has other characters than letters, digits, `.`, `-`, `_` and `:`.
    #[error("location has no valid host")]
    Host,
    /// The path is missing or has characters that are refused.
    #[error("location has no valid path: {reason}")]
    Path {
        /// Why.
        reason: &'static str,
    },
    /// Longer than 4,096 bytes.
    #[error("location has {found} bytes, at most 4096")]
    TooLong {
        /// The bytes found.
        found: usize,
    },
}

impl Location {
    /// Reads `file:///…`, an absolute path, `http://…`, `https://…` or `ssh://[user@]host[:port]/path`.
    ///
    /// # Errors
    /// [`LocationError`] for every other form, and for credentials in an address.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if text.len() > LOCATION_BYTES_MAX {
            return Err(LocationError::TooLong { found: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(LocationError::Path { reason: "it has a control character" });
        }
        if let Some(path) = text.strip_prefix("file://") {
            return folder(path);
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return http(text).map(Self::Http);
        }
        if text.starts_with("ssh://") {
            SshAddress::parse(text)?;
            return Ok(Self::Ssh(text.to_owned()));
        }
        folder(text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file://{}", path.display()),
            Self::Http(address) | Self::Ssh(address) => formatter.write_str(address),
        }
    }
}

fn folder(path: &str) -> Result<Location, LocationError> {
    if path.starts_with('/') { Ok(Location::File(PathBuf::from(path))) } else { Err(LocationError::Form) }
}

fn http(text: &str) -> Result<String, LocationError> {
    let address = reqwest::Url::parse(text).map_err(|_| LocationError::Host)?;
    if !address.username().is_empty() || address.password().is_some() || text.contains('@') {
        return Err(LocationError::Credentials);
    }
    if address.host_str().is_none_or(str::is_empty) {
        return Err(LocationError::Host);
    }
    if address.query().is_some() || address.fragment().is_some() {
        return Err(LocationError::Path { reason: "it has a query or fragment" });
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The parts of an `ssh://` address, each checked so that none can become an option of the `ssh` program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshAddress {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// As the far side gets it: `/srv/x.git`, or `~user/x.git`.
    pub(super) path: String,
}

impl SshAddress {
    pub(super) fn parse(text: &str) -> Result<Self, LocationError> {
        let rest = text.strip_prefix("ssh://").ok_or(LocationError::Form)?;
        let at = rest.find('/').ok_or(LocationError::Path { reason: "it is missing" })?;
        let (authority, path) = rest.split_at(at);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if let Some(user) = user {
            check_user(user)?;
        }
        let (host, port) = host_and_port(host)?;
        Ok(Self { user: user.map(str::to_owned), host, port, path: ssh_path(path)? })
    }
}

fn check_user(user: &str) -> Result<(), LocationError> {
    if user.contains(':') {
        return Err(LocationError::Credentials);
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
        return Err(LocationError::Host);
    }
    Ok(())
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), LocationError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(LocationError::Host)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| LocationError::Host)?;
            (
                host,
                if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(LocationError::Host)?) },
            )
        }
        None => match text.split_once(':') {
            Some((host, port)) => (plain_host(host)?, Some(port)),
            None => (plain_host(text)?, None),
        },
    };
    let digits =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    let port = port.map(|port| digits(port).ok_or(LocationError::Host)).transpose()?;
    Ok((host.to_owned(), port))
}

fn plain_host(host: &str) -> Result<&str, LocationError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let good = !host.is_empty() && host.len() <= 253 && !host.starts_with('-') && host.chars().all(plain);
    if good { Ok(host) } else { Err(LocationError::Host) }
}

fn ssh_path(path: &str) -> Result<String, LocationError> {
    if path.contains(['%', '?', '#']) {
        return Err(LocationError::Path { reason: "it has `%`, `?` or `#`" });
    }
    let path = path.strip_prefix('/').filter(|home| home.starts_with('~')).unwrap_or(path);
    if path.len() < 2 {
        return Err(LocationError::Path { reason: "it is empty" });
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        for (text, want) in [
            ("file:///srv/env.git", Location::File("/srv/env.git".into())),
            ("/srv/env.git", Location::File("/srv/env.git".into())),
            (
                "https://git.example.com/acme/env.git/",
                Location::Http("https://git.example.com/acme/env.git".into()),
            ),
            ("http://127.0.0.1:8080/env", Location::Http("http://127.0.0.1:8080/env".into())),
            (
                "ssh://git@git.example.com:22/env.git",
                Location::Ssh("ssh://git@git.example.com:22/env.git".into()),
            ),
        ] {
            assert_eq!(Location::parse(text).unwrap(), want);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let credentials = LocationError::Credentials;
        for text in ["https://user:pass@h/x", "https://token@h/x", "ssh://git:pass@h/x"] {
            assert_eq!(Location::parse(text).unwrap_err(), credentials, "{text}");
            assert!(!Location::parse(text).unwrap_err().to_string().contains("pass@"));
        }
        for text in [
            "",
            "env.git",
            "file://srv/env.git",
            "git://h/x",
            "git@h:x",
            "ftp://h/x",
            "https://",
            "https://h/x?y",
            "https://h/x#y",
            "ssh://h",
            "ssh://h/",
            "ssh:///x",
            "ssh://-oProxyCommand=x/y",
            "ssh://-x@h/y",
            "ssh://h:x/y",
            "ssh://h:70000/y",
            "ssh://h/%41",
            "ssh://h o/y",
            "ssh://[::1/x",
            "ssh://[x]/y",
            "ssh://h:+22/y",
            "/a\nb",
        ] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
        assert!(Location::parse(&format!("/{}", "a".repeat(LOCATION_BYTES_MAX - 1))).is_ok());
        assert!(Location::parse(&format!("/{}", "a".repeat(LOCATION_BYTES_MAX))).is_err());
    }

    #[test]
    fn an_ssh_address_has_its_parts() {
        let address = SshAddress::parse("ssh://git@[::1]:2222/~ops/env.git").unwrap();
        assert_eq!(
            (address.user.as_deref(), address.host.as_str(), address.port),
            (Some("git"), "::1", Some(2222))
        );
        assert_eq!(address.path, "~ops/env.git");
        assert_eq!(SshAddress::parse("ssh://h/it's").unwrap().path, "/it's");
    }
}

//! How registries are reached.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::Name;

/// How registries are reached, whatever their host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciSettings {
    /// How long one request may take, sign-in and body included.
    pub timeout: Duration,
    /// Hosts (with their port, where they have one) that are spoken to without TLS, beside the loopback ones.
    pub plain_http_hosts: Vec<String>,
    /// Hosts of token servers that serve a registry on another host; a registry's own host needs no entry.
    pub realm_hosts: Vec<String>,
    /// Hosts that remove a tag, and only that, when asked to.
    pub untag_hosts: Vec<String>,
    /// Hosts of Azure's where what has an anchor is locked against deletion.
    pub lock_hosts: Vec<String>,
    /// The `cosign` that verifies keyless signatures; none: nobody does, and they count for nothing.
    pub cosign_program: Option<PathBuf>,
}

impl Default for OciSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            plain_http_hosts: Vec::new(),
            // The token servers of docker.io and registry.gitlab.com.
            realm_hosts: vec!["auth.docker.io".to_owned(), "gitlab.com".to_owned()],
            untag_hosts: Vec::new(),
            lock_hosts: Vec::new(),
            cosign_program: None,
        }
    }
}

impl OciSettings {
    /// `http` for loopback hosts and those named, else `https`.
    pub(super) fn scheme(&self, host: &str) -> &'static str {
        let is_named = || self.plain_http_hosts.iter().any(|plain| plain.eq_ignore_ascii_case(host));
        let is_plain = is_loopback(host) || is_named();
        if is_plain { "http" } else { "https" }
    }
}

/// Whether these hosts have that of a repository: as it is spelled there, or as it is spoken to.
pub(super) fn has_host(hosts: &[String], name: &Name) -> bool {
    let spelled = name.canonical.split_once('/').map_or("", |(host, _)| host);
    hosts.iter().any(|host| [spelled, &name.host].iter().any(|known| known.eq_ignore_ascii_case(host)))
}

/// Whether this host (and port) is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let is_v6 = || name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).is_some_and(is_v6_loopback);
    name == "localhost" || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()) || is_v6()
}

/// Whether this host is an address that only its own network can ask: `169.254.0.0/16` or `fe80::/10`.
pub(super) fn is_link_local(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_link_local())
        || name.parse::<Ipv6Addr>().is_ok_and(|address| address.is_unicast_link_local())
}

fn is_v6_loopback(name: &str) -> bool {
    name.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_known() {
        for host in ["169.254.169.254", "[fe80::1]", "fe80::a"] {
            assert!(is_link_local(host), "{host}");
        }
        for host in ["169.253.1.1", "169.254.169.254.example", "[fd00::1]", "reg.example", ""] {
            assert!(!is_link_local(host), "{host}");
        }
    }

    #[test]
    fn hosts_are_those_of_names_and_of_connections() {
        for (host, image, want) in [
            ("docker.io", "nginx", true),
            ("index.docker.io", "acme/web", true),
            ("reg.example:5000", "Reg.Example:5000/web", true),
            ("reg.example", "reg.example:5000/web", false),
            ("reg.example", "reg.example.evil/web", false),
        ] {
            assert_eq!(
                has_host(&[host.to_owned()], &Name::of(&image.parse().unwrap())),
                want,
                "{host} {image}"
            );
        }
    }

    #[test]
    fn loopback_and_named_hosts_are_spoken_to_without_tls() {
        let settings =
            OciSettings { plain_http_hosts: vec!["registry.local:5000".to_owned()], ..Default::default() };
        for host in ["127.0.0.1:5000", "127.9.9.9", "localhost", "localhost:1", "[::1]:5000", "[::1]"] {
            assert_eq!(settings.scheme(host), "http", "{host}");
        }
        assert_eq!(settings.scheme("registry.local:5000"), "http");
        for host in [
            "registry.local",
            "registry.local:5001",
            "128.0.0.1",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
        ] {
            assert_eq!(settings.scheme(host), "https", "{host}");
        }
    }
}

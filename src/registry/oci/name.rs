//! Repositories as registries name them.

use oci_client::Reference;

use crate::image::Repository;

/// A repository as registries name it: host to speak to, and path there.
pub(super) struct Name {
    pub(super) canonical: String,
    pub(super) host: String,
    pub(super) path: String,
}

impl Name {
    /// `nginx` is spoken to as `index.docker.io` and `library/nginx`.
    pub(super) fn of(repository: &Repository) -> Self {
        let canonical = repository.canonical();
        let (host, path) = canonical.split_once('/').unwrap_or(("docker.io", &canonical));
        let reference = Reference::with_tag(host.to_owned(), path.to_owned(), "latest".to_owned());
        let host = reference.resolve_registry().to_owned();
        Self { path: path.to_owned(), host, canonical: canonical.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_host_are_those_of_docker_hub() {
        for (text, host, path) in [
            ("nginx", "index.docker.io", "library/nginx"),
            ("acme/web", "index.docker.io", "acme/web"),
            ("docker.io/acme/web", "index.docker.io", "acme/web"),
            ("index.docker.io/acme/web", "index.docker.io", "acme/web"),
            ("ghcr.io/acme/web", "ghcr.io", "acme/web"),
            ("localhost:5000/web", "localhost:5000", "web"),
        ] {
            let name = Name::of(&text.parse().unwrap());
            assert_eq!((name.host.as_str(), name.path.as_str()), (host, path), "{text}");
        }
    }
}

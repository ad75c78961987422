//! The few fields that are read of a body; every one of them may be missing.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::absent;
use crate::server::webhooks::list::First;
use crate::server::webhooks::{HOST_BYTES_MAX, ParseError, read, repository_path, shown, split_host};
use crate::settings::FullName;

#[derive(Deserialize)]
pub(super) struct Payload {
    action: Option<String>,
    pub(super) sender: Option<Account>,
    repository: Option<Named>,
    pub(super) comment: Option<Comment>,
    issue: Option<Numbered>,
    pull_request: Option<Numbered>,
    pub(super) check_run: Option<Check>,
    pub(super) check_suite: Option<Check>,
    branches: Option<First<Branch>>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) package: Option<Package>,
    pub(super) registry_package: Option<Package>,
    repositories: Option<First<Named>>,
    repositories_added: Option<First<Named>>,
    repositories_removed: Option<First<Named>>,
}

#[derive(Deserialize)]
struct Listed {
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    payload: Option<Payload>,
}

#[derive(Deserialize)]
pub(super) struct Account {
    pub(super) id: Option<u64>,
    pub(super) login: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    id: Option<u64>,
    full_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Comment {
    pub(super) id: Option<u64>,
    pub(super) user: Option<Account>,
    pub(super) body: Option<String>,
    pub(super) performed_via_github_app: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Numbered {
    number: Option<u64>,
    base: Option<Base>,
}

#[derive(Deserialize)]
struct Base {
    repo: Option<Named>,
}

#[derive(Deserialize)]
struct Branch {
    name: Option<String>,
}

/// A check run or check suite.
#[derive(Deserialize)]
pub(super) struct Check {
    pub(super) app: Option<App>,
    head_branch: Option<String>,
    #[serde(rename = "check_suite")]
    suite: Option<Suite>,
    pull_requests: Option<First<Numbered>>,
}

#[derive(Deserialize)]
struct Suite {
    head_branch: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct App {
    pub(super) id: Option<u64>,
    pub(super) slug: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: Option<String>,
    namespace: Option<String>,
    #[serde(rename = "package_type")]
    kind: Option<String>,
    owner: Option<Account>,
    #[serde(rename = "package_version")]
    version: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    package_url: Option<String>,
    container_metadata: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    tag: Option<ContainerTag>,
}

#[derive(Deserialize)]
struct ContainerTag {
    name: Option<String>,
    digest: Option<String>,
}

impl Payload {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ParseError> {
        read(body)
    }

    /// What was sent, in an entry of GitHub's list of deliveries.
    pub(super) fn parse_listed(listed: &[u8]) -> Result<Self, ParseError> {
        let listed: Listed = read(listed)?;
        listed.request.payload.ok_or_else(|| absent("request.payload"))
    }

    /// Whether the action is one of these.
    pub(super) fn is(&self, actions: &[&str]) -> bool {
        self.action.as_deref().is_some_and(|action| actions.contains(&action))
    }

    pub(super) fn full_name(&self) -> Result<FullName, ParseError> {
        const FIELD: &str = "repository.full_name";
        let text = self.repository.as_ref().and_then(|repository| repository.full_name.as_deref());
        let text = text.ok_or_else(|| absent(FIELD))?;
        text.parse().map_err(|_| ParseError::Field { field: FIELD, found: shown(text) })
    }

    pub(super) fn issue_number(&self) -> Option<u64> {
        self.issue.as_ref()?.number
    }

    pub(super) fn pull_request_number(&self) -> Option<u64> {
        self.pull_request.as_ref()?.number
    }

    pub(super) fn branches(&self) -> impl Iterator<Item = &str> {
        let branches = self.branches.iter().flat_map(|branches| &branches.items);
        branches.filter_map(|branch| branch.name.as_deref())
    }

    /// The pull requests of a check. The same head may be that of pull requests in other repositories.
    pub(super) fn numbers_of(&self, check: &Check) -> Vec<u64> {
        let here = self.repository.as_ref().and_then(|repository| repository.id);
        let is_here = |found: &&Numbered| {
            let base = found.base.as_ref().and_then(|base| base.repo.as_ref()?.id);
            here.zip(base).is_none_or(|(here, base)| here == base)
        };
        let found = check.pull_requests.iter().flat_map(|list| &list.items);
        found.filter(is_here).filter_map(|found| found.number).collect()
    }

    /// The repositories that an App was given, or lost.
    pub(super) fn access_lists(&self) -> Vec<&First<Named>> {
        let lists = [&self.repositories, &self.repositories_added, &self.repositories_removed];
        lists.into_iter().flatten().collect()
    }
}

impl Account {
    pub(super) fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot")
    }
}

impl Named {
    pub(super) fn full_name(&self) -> Option<FullName> {
        self.full_name.as_deref()?.parse().ok()
    }
}

impl Check {
    pub(super) fn head_branch(&self) -> Option<&str> {
        let of_suite = || self.suite.as_ref()?.head_branch.as_deref();
        self.head_branch.as_deref().or_else(of_suite)
    }
}

impl Package {
    pub(super) fn is_container(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("container"))
    }

    pub(super) fn owner(&self) -> Option<&str> {
        let login = self.owner.as_ref().and_then(|owner| owner.login.as_deref());
        login.or_else(|| self.namespace.as_deref()?.split('/').next())
    }

    pub(super) fn tag(&self) -> Option<&str> {
        self.container_tag()?.name.as_deref()
    }

    pub(super) fn digest(&self) -> Option<&str> {
        self.container_tag()?.digest.as_deref()
    }

    fn container_tag(&self) -> Option<&ContainerTag> {
        self.version.as_ref()?.container_metadata.as_ref()?.tag.as_ref()
    }

    /// The host and path under which the image is pulled: `ghcr.io/Acme/web:1.4.2` → `ghcr.io`, `Acme/web`. Where there
    /// is no tag, the `:` stands all the same. The payload's `registry.url` is another place (`container.pkg.…`).
    pub(super) fn place(&self) -> Option<(&str, &str)> {
        let reference = self.version.as_ref()?.package_url.as_deref()?;
        let (host, path) = split_host(reference.split('@').next()?)?;
        let path = path.split(':').next()?;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        let is_host = host.len() <= HOST_BYTES_MAX && host.bytes().all(is_letter);
        (is_host && repository_path(path).is_some()).then_some((host, path))
    }
}

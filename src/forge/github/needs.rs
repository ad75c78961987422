//! What the App has to be given. `deploy/github-app.json` and `docs/github.md` are held to this list by a test, and an
//! installation is by `lockkeeper doctor`.

/// A permission of the App.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// As the API names it.
    pub name: &'static str,
    /// As GitHub's pages name it.
    pub title: &'static str,
    /// How much of it.
    pub access: Access,
    /// Whether promotions go on without it, and what is missing then.
    pub without: Option<&'static str>,
}

/// How much of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

impl Access {
    /// The word of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// Whether this word of the API gives as much.
    #[must_use]
    pub fn is_in(self, word: &str) -> bool {
        match self {
            Self::Read => matches!(word, "read" | "write" | "admin"),
            Self::Write => matches!(word, "write" | "admin"),
        }
    }
}

/// The permissions.
pub const PERMISSIONS: [Need; 9] = [
    needed("metadata", "Metadata", Access::Read),
    needed("contents", "Contents", Access::Write),
    needed("pull_requests", "Pull requests", Access::Write),
    needed("issues", "Issues", Access::Write),
    needed("checks", "Checks", Access::Write),
    needed("statuses", "Commit statuses", Access::Read),
    needed("members", "Members (organisation)", Access::Read),
    Need {
        name: "deployments",
        title: "Deployments",
        access: Access::Write,
        without: Some("GitHub does not show what was deployed when"),
    },
    Need {
        name: "packages",
        title: "Packages",
        access: Access::Read,
        without: Some("pushes to GitHub's own registry are found by polling"),
    },
];

/// The events.
pub const EVENTS: [&str; 8] = [
    "pull_request",
    "pull_request_review",
    "issue_comment",
    "check_run",
    "check_suite",
    "status",
    "push",
    "registry_package",
];

const fn needed(name: &'static str, title: &'static str, access: Access) -> Need {
    Need { name, title, access, without: None }
}

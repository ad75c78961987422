//! What the fake remembers; commits and branches it leaves to git.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::upkeep::Upkeep;
/// What has ids of its own; no two tables have one in common, so that none passes for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Table {
    Threads,
    Comments,
    Reviews,
    Reactions,
    Checks,
    Statuses,
    Deployments,
    Tokens,
    Deliveries,
}

/// One repository and the people around it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Model {
    pub repository: Repository,
    pub app: App,
    pub people: Vec<Person>,
    /// Team and, by id, its members.
    pub teams: BTreeMap<String, BTreeMap<u64, Membership>>,
    /// Who is taken to have pushed what comes by git.
    pub pusher: u64,
    /// Pull requests and issues, by number.
    pub threads: BTreeMap<u64, Thread>,
    pub comments: BTreeMap<u64, Comment>,
    pub reviews: BTreeMap<u64, Review>,
    pub reactions: BTreeMap<u64, Reaction>,
    pub checks: BTreeMap<u64, CheckRun>,
    pub statuses: BTreeMap<u64, Status>,
    pub deployments: BTreeMap<u64, Deployment>,
    pub tokens: BTreeMap<String, Token>,
    pub deliveries: Vec<Delivery>,
    /// Of those, the ones that the test has not taken yet.
    pub queue: Vec<u64>,
    /// The branches as last seen.
    pub heads: BTreeMap<String, String>,
    /// The check that the default branch requires, of our app.
    pub required_check: Option<String>,
    /// Where the default branch requires signed commits.
    #[serde(default)]
    pub signatures: Option<Signatures>,
    /// Whether GitHub puts a line of its own under each commit that it is asked for.
    #[serde(default)]
    pub adds_a_line: bool,
    /// The commits that GitHub made, and signed.
    #[serde(default)]
    pub signed: BTreeSet<String>,
    /// Other repositories, for comparisons: `owner/name` and where they are.
    pub sources: BTreeMap<String, PathBuf>,
    /// How the App and the base branch are set up.
    pub upkeep: Upkeep,
    /// The last id of each table: each counts for itself, so that one that is told again has the id that it had.
    pub last_ids: BTreeMap<Table, u64>,
    pub last_number: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Repository {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub default_branch: String,
}

/// What requires signed commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signatures {
    /// A ruleset, which everybody reads.
    Ruleset,
    /// Classic protection, which administrators read.
    Protection,
}

/// The App that we are; its bot is one of the people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    pub id: u64,
    pub slug: String,
    pub installation: u64,
    pub bot: u64,
    /// PEM. None: any JWT of that App is believed.
    pub public_key: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    pub id: u64,
    pub login: String,
    /// `User`, `Bot` or `Organization`.
    pub kind: String,
    pub role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    None,
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    Active,
    /// Invited, not accepted yet.
    Pending,
}

/// A pull request or an issue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Thread {
    pub number: u64,
    pub id: u64,
    pub title: String,
    pub body: Option<String>,
    pub author: u64,
    pub labels: BTreeSet<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed: Option<(u64, Timestamp)>,
    /// `completed`, `not_planned` or `reopened`, of an issue.
    pub state_reason: Option<String>,
    pub pull: Option<Pull>,
}

/// What a pull request has beside an issue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pull {
    pub head_branch: String,
    pub head: String,
    pub base_branch: String,
    /// The tip of the base while open; what it was merged to afterwards.
    pub base: String,
    pub draft: bool,
    /// The id of the fork that the head is in.
    pub fork: Option<u64>,
    /// Who turned auto-merge on.
    pub auto_merge: Option<u64>,
    pub merged: Option<Merged>,
    pub reviewers: BTreeSet<u64>,
    pub team_reviewers: BTreeSet<String>,
    /// The pair of head and base that somebody asked about, and the answer once it is known.
    pub asked: Option<(String, String)>,
    pub mergeable: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Merged {
    pub commit: String,
    pub by: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comment {
    pub id: u64,
    pub thread: u64,
    pub author: u64,
    pub body: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Written with the token of our App.
    pub by_app: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Review {
    pub id: u64,
    pub thread: u64,
    pub author: u64,
    pub body: String,
    pub verdict: Verdict,
    pub head: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    Approved,
    ChangesRequested,
    Commented,
    Dismissed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reaction {
    pub id: u64,
    pub comment: u64,
    pub author: u64,
    pub content: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckRun {
    pub id: u64,
    /// The slug of the app that reported it, and its id.
    pub app: String,
    pub app_id: u64,
    pub name: String,
    pub head: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub external_id: Option<String>,
    pub details_url: Option<String>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    pub started_at: Timestamp,
    pub completed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub id: u64,
    pub head: String,
    pub context: String,
    pub state: String,
    pub description: Option<String>,
    pub author: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    pub id: u64,
    pub commit: String,
    pub reference: String,
    pub environment: String,
    pub task: String,
    pub description: Option<String>,
    pub payload: serde_json::Value,
    pub is_transient: bool,
    pub is_production: bool,
    pub author: u64,
    pub at: Timestamp,
    pub statuses: Vec<DeploymentStatus>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeploymentStatus {
    pub id: u64,
    pub state: String,
    pub description: String,
    pub environment: String,
    pub log_url: String,
    pub environment_url: String,
    pub author: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    pub owner: Owner,
    pub expires_at: Option<Timestamp>,
}

/// Whom a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// The App itself, by a JWT: it may ask for tokens and look after its hook.
    App,
    /// The App in the repository.
    Installation,
    /// A person.
    Person(u64),
}

/// An event on its way to the App's hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: u64,
    pub guid: String,
    pub event: String,
    pub action: Option<String>,
    pub at: Timestamp,
    pub is_redelivery: bool,
    /// What the test's server answered, by `Fake::answered`; 0 until then.
    pub status_code: u16,
    pub body: String,
}

impl Model {
    /// The next id in a table.
    pub fn next_id(&mut self, of: Table) -> u64 {
        let last = self.last_ids.entry(of).or_insert(10_000 + 100_000_000 * of as u64);
        *last += 1;
        *last
    }

    pub fn person(&self, id: u64) -> &Person {
        self.people.iter().find(|person| person.id == id).expect("people are never removed")
    }

    /// Logins do not tell capitals from small letters.
    pub fn by_login(&self, login: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.login.eq_ignore_ascii_case(login))
    }

    pub fn full_name(&self) -> String {
        format!("{}/{}", self.repository.owner, self.repository.name)
    }

    /// The person of an address in a commit, by GitHub's own form of it.
    pub fn by_email(&self, email: &str) -> Option<&Person> {
        let id = email.strip_suffix("@users.noreply.github.com")?.split('+').next()?;
        let id: u64 = id.parse().ok()?;
        self.people.iter().find(|person| person.id == id)
    }
}

impl Person {
    /// The address that GitHub puts into commits of a person.
    pub fn email(&self) -> String {
        format!("{}+{}@users.noreply.github.com", self.id, self.login)
    }
}

impl Thread {
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub fn state(&self) -> &'static str {
        if self.is_open() { "open" } else { "closed" }
    }
}

impl Role {
    /// The word in `role_name`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// The older word in `permission`, which knows four.
    pub fn permission(self) -> &'static str {
        match self {
            Self::Triage => "read",
            Self::Maintain => "write",
            Self::None | Self::Read | Self::Write | Self::Admin => self.word(),
        }
    }
}

impl Verdict {
    /// The word in the API: `CHANGES_REQUESTED`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::ChangesRequested => "CHANGES_REQUESTED",
            Self::Commented => "COMMENTED",
            Self::Dismissed => "DISMISSED",
        }
    }
}

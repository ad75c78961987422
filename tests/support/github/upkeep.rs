//! How the App and the base branch are set up: what `doctor` looks at.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Fake;
use super::answer::{Answer, Done};
use super::model::Model;

/// What is set up, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upkeep {
    /// What the installation was given.
    pub permissions: BTreeMap<String, String>,
    /// What the App asks for beyond that, and nobody has accepted yet.
    pub wanted: BTreeMap<String, String>,
    pub events: Vec<String>,
    pub is_installed: bool,
    pub suspended_at: Option<Timestamp>,
    /// What is laid over the configuration of the hook; null takes a field away.
    pub hook: Value,
    /// How far the clock of GitHub is ahead of ours; JWTs are refused then.
    pub clock_ahead_seconds: i64,
    /// The rules of the base, in place of those that follow from the required check.
    pub rules: Option<Vec<Value>>,
    pub rulesets: BTreeMap<u64, Value>,
    /// The classic protection of the base; null: none.
    pub classic: Value,
    /// Whether it is hidden from us.
    pub is_protection_hidden: bool,
}

impl Default for Upkeep {
    fn default() -> Self {
        let permissions = [
            ("checks", "write"),
            ("contents", "write"),
            ("deployments", "write"),
            ("issues", "write"),
            ("members", "read"),
            ("metadata", "read"),
            ("packages", "read"),
            ("pull_requests", "write"),
            ("statuses", "read"),
        ];
        let events = [
            "pull_request",
            "pull_request_review",
            "issue_comment",
            "check_run",
            "check_suite",
            "status",
            "push",
            "registry_package",
        ];
        Self {
            permissions: permissions.map(|(name, access)| (name.to_owned(), access.to_owned())).into(),
            wanted: BTreeMap::new(),
            events: events.map(str::to_owned).to_vec(),
            is_installed: true,
            suspended_at: None,
            hook: json!({}),
            clock_ahead_seconds: 0,
            rules: None,
            rulesets: BTreeMap::new(),
            classic: Value::Null,
            is_protection_hidden: false,
        }
    }
}

impl Upkeep {
    /// What the App asks for.
    pub fn app_permissions(&self) -> BTreeMap<String, String> {
        let all = self.permissions.iter().chain(&self.wanted);
        all.map(|(name, access)| (name.clone(), access.clone())).collect()
    }

    /// # Errors
    /// The refusal of a JWT that is from the future or the past, with the time that it is here.
    pub fn clock_is_right(&self) -> Done<()> {
        if self.clock_ahead_seconds == 0 {
            return Ok(());
        }
        let message = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
        let now = Timestamp::now() + SignedDuration::from_secs(self.clock_ahead_seconds);
        let mut answer = Answer::refused(401, message);
        answer.headers.push(("date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        Err(answer)
    }
}

impl Fake {
    /// A copy of all that it remembers, but for the deliveries.
    pub fn copy(&self) -> Model {
        let mut copy = self.world().model.clone();
        copy.deliveries.clear();
        copy.queue.clear();
        copy
    }

    /// Goes back to a copy. Ids and numbers go on, and tokens stay, so that nothing that a client remembers has another's
    /// name. The branches must be put back by the test.
    pub fn go_back(&self, copy: &Model) {
        let mut world = self.world();
        let mut model = copy.clone();
        model.last_ids.clone_from(&world.model.last_ids);
        model.last_number = world.model.last_number;
        model.tokens.clone_from(&world.model.tokens);
        world.model = model;
    }

    /// Sets up the App and the base branch otherwise.
    pub fn set_up(&self, change: impl FnOnce(&mut Upkeep)) {
        change(&mut self.world().model.upkeep);
    }
}

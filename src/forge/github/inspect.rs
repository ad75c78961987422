//! How we and the base branch are set up at GitHub, for `lockkeeper doctor`. Everything here only reads.
//!
//! Source: GitHub's REST API: "Apps", "Get rules for a branch", "Get a repository ruleset", "Get a branch", "Get branch
//! protection" (which only administrators see).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::GitHubForge;
use super::pulls::query;
use crate::forge::ForgeError;

/// Pages of rules: a branch has some.
const RULE_PAGES_MAX: u32 = 10;

/// The App, as GitHub has it.
#[derive(Debug, Clone, Deserialize)]
pub struct AppFacts {
    /// Its id.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// What it asks for.
    pub permissions: BTreeMap<String, String>,
}

/// The App in a repository.
#[derive(Debug, Clone, Deserialize)]
pub struct InstallationFacts {
    /// The page where it is set up.
    pub html_url: String,
    /// What it was given.
    pub permissions: BTreeMap<String, String>,
    /// What it is told of.
    pub events: Vec<String>,
    /// Since when it is out of force.
    pub suspended_at: Option<Timestamp>,
}

/// Where the App's hook leads.
#[derive(Debug, Clone, Deserialize)]
pub struct HookFacts {
    /// The address.
    pub url: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
    /// Stars where there is a secret.
    pub secret: Option<String>,
    /// `1` where certificates are not looked at.
    #[serde(default)]
    pub insecure_ssl: serde_json::Value,
}

/// The repository, as far as we may see it.
#[derive(Debug, Clone, Deserialize)]
pub struct RepositoryFacts {
    /// What our token may do.
    #[serde(default)]
    pub permissions: BTreeMap<String, bool>,
    /// Whether pull requests may be merged by a merge commit; told only to some.
    pub allow_merge_commit: Option<bool>,
    /// Whether they may be squashed.
    pub allow_squash_merge: Option<bool>,
    /// Whether people may have GitHub merge them when their checks are green.
    pub allow_auto_merge: Option<bool>,
}

/// One rule that is in force on a branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its parameters, as far as they matter here.
    #[serde(default)]
    pub parameters: Option<RuleParameters>,
    /// The ruleset that it is in.
    pub ruleset_id: Option<u64>,
}

/// The parameters of all rules that matter here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "GitHub describes each of them so")]
pub struct RuleParameters {
    /// The checks that are required.
    pub required_status_checks: Vec<RequiredCheck>,
    /// Whether a branch has to be up to date with its base.
    pub strict_required_status_checks_policy: bool,
    /// Approving reviews that GitHub itself asks for.
    pub required_approving_review_count: u64,
    /// Whether owners of the code have to approve.
    pub require_code_owner_review: bool,
    /// Whether somebody other than the last to push has to approve.
    pub require_last_push_approval: bool,
    /// Whether every conversation has to be resolved.
    pub required_review_thread_resolution: bool,
    /// The ways to merge that are left.
    pub allowed_merge_methods: Option<Vec<String>>,
}

/// A check that is required.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RequiredCheck {
    /// Its name.
    pub context: String,
    /// The App that it has to come from: `integration_id` in a ruleset, `app_id` in classic protection.
    #[serde(alias = "app_id")]
    pub integration_id: Option<i64>,
}

/// A set of rules.
#[derive(Debug, Clone, Deserialize)]
pub struct Ruleset {
    /// What people call it.
    pub name: String,
    /// Whether we may go past it: `always`, `pull_requests_only`, `exempt` or `never`.
    pub current_user_can_bypass: Option<String>,
    /// Who may; told only to those who may change it.
    pub bypass_actors: Option<Vec<BypassActor>>,
}

/// Somebody who may go past a set of rules.
#[derive(Debug, Clone, Deserialize)]
pub struct BypassActor {
    /// The id, of whatever kind it is.
    pub actor_id: Option<u64>,
    /// `Team`, `RepositoryRole`, `Integration` and so on.
    pub actor_type: String,
    /// `always`, `pull_request` or `exempt`.
    pub bypass_mode: Option<String>,
}

/// A branch, with what everybody is told of its classic protection.
#[derive(Debug, Clone, Deserialize)]
pub struct BranchFacts {
    /// The summary.
    pub protection: Summary,
}

/// What everybody is told of classic protection.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Whether there is one.
    pub enabled: bool,
    /// The checks that it requires.
    pub required_status_checks: Option<ClassicChecks>,
}

/// The checks that classic protection requires.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ClassicChecks {
    /// Each with its App; -1 or nothing: any.
    pub checks: Vec<RequiredCheck>,
    /// Whether a branch has to be up to date with its base.
    pub strict: bool,
}

/// Classic protection whole.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Classic {
    /// The checks.
    pub required_status_checks: Option<ClassicChecks>,
    /// The reviews.
    pub required_pull_request_reviews: Option<ClassicReviews>,
    /// Whether every conversation has to be resolved.
    pub required_conversation_resolution: Switch,
    /// Whether merge commits are refused.
    pub required_linear_history: Switch,
    /// Whether nobody may push.
    pub lock_branch: Switch,
}

/// The reviews that classic protection requires.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ClassicReviews {
    /// How many.
    pub required_approving_review_count: u64,
    /// Whether owners of the code have to approve.
    pub require_code_owner_reviews: bool,
    /// Whether somebody other than the last to push has to approve.
    pub require_last_push_approval: bool,
}

/// Something that is on or off.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Switch {
    /// Which.
    pub enabled: bool,
}

impl GitHubForge {
    /// The App; none with a token.
    ///
    /// # Errors
    /// [`ForgeError`], here and below, if GitHub does not say: `Refused` and `NotFound` where we may not see it.
    pub async fn app_facts(&self) -> Result<Option<AppFacts>, ForgeError> {
        self.client.as_app("/app").await.transpose()
    }

    /// How far the clock of GitHub is ahead of ours; none where it says no time, or with a token.
    pub async fn clock_ahead(&self) -> Option<SignedDuration> {
        let answer = self.client.answer_as_app("/app").await?.ok()?;
        let date = answer.headers.get(http::header::DATE)?.to_str().ok()?;
        let there = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
        Some(there.duration_since(Timestamp::now()))
    }

    /// The App in this repository; none with a token.
    ///
    /// # Errors
    /// As above.
    pub async fn installation_facts(&self) -> Result<Option<InstallationFacts>, ForgeError> {
        self.client.as_app(&self.path("installation")).await.transpose()
    }

    /// Where the hook of the App leads; none with a token.
    ///
    /// # Errors
    /// As above.
    pub async fn hook_facts(&self) -> Result<Option<HookFacts>, ForgeError> {
        self.client.as_app("/app/hook/config").await.transpose()
    }

    /// The repository.
    ///
    /// # Errors
    /// As above.
    pub async fn repository_facts(&self) -> Result<RepositoryFacts, ForgeError> {
        let path = format!("/repos/{}", self.name);
        self.client.get(&path).await
    }

    /// Every rule that is in force on a branch, from all sets.
    ///
    /// # Errors
    /// As above.
    pub async fn rules_of(&self, branch: &str) -> Result<Vec<Rule>, ForgeError> {
        let path = self.path(format!("rules/branches/{}", query(branch)));
        self.client.pages(&path, RULE_PAGES_MAX).await
    }

    /// A set of rules.
    ///
    /// # Errors
    /// As above.
    pub async fn ruleset(&self, id: u64) -> Result<Ruleset, ForgeError> {
        self.client.get(&self.path(format!("rulesets/{id}"))).await
    }

    /// A branch.
    ///
    /// # Errors
    /// As above.
    pub async fn branch_facts(&self, branch: &str) -> Result<BranchFacts, ForgeError> {
        self.client.get(&self.path(format!("branches/{}", query(branch)))).await
    }

    /// The classic protection of a branch, which GitHub shows to administrators.
    ///
    /// # Errors
    /// As above.
    pub async fn classic_protection(&self, branch: &str) -> Result<Classic, ForgeError> {
        self.client.get(&self.path(format!("branches/{}/protection", query(branch)))).await
    }
}

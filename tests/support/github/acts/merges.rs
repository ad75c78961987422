//! Whether a pull request can be merged, and the merge.

use serde_json::json;

use super::super::answer::{Answer, Done};
use super::super::git::Signature;
use super::super::model::{Merged, Pull};
use super::super::world::World;

/// What the API takes for a merge.
#[derive(Debug, Clone, Default)]
pub struct MergeRequest {
    pub head: Option<String>,
    pub title: Option<String>,
    pub message: Option<String>,
    pub squash: bool,
}

impl World {
    /// Somebody looks at a pull request: the first look at a pair of head and base starts the computation, the next
    /// one sees its result.
    pub fn look_at(&mut self, number: u64) -> Done<()> {
        let (thread, pull) = self.pull(number)?;
        if !thread.is_open() {
            return Ok(());
        }
        let pair = (pull.head.clone(), pull.base.clone());
        let is_asked = pull.asked.as_ref() == Some(&pair);
        let mergeable = is_asked.then(|| self.git.merged_tree(&pair.1, &pair.0).is_some());
        let pull = self.model.threads.get_mut(&number).unwrap().pull.as_mut().unwrap();
        (pull.asked, pull.mergeable) = (Some(pair), mergeable);
        Ok(())
    }

    /// Merges for real, if GitHub would; returns the commit on the base.
    pub fn merge(&mut self, by: u64, number: u64, request: &MergeRequest) -> Done<String> {
        let tree = self.may_merge(number, request)?;
        let (thread, pull) = self.pull(number)?;
        let (head, base) = (pull.head.clone(), pull.base.clone());
        let author = self.model.person(if request.squash { thread.author } else { by });
        let author = Signature { name: author.login.clone(), email: author.email(), at: self.now() };
        let owner = &self.model.repository.owner;
        let (title, message) = if request.squash {
            (format!("{} (#{number})", thread.title), thread.body.clone().unwrap_or_default())
        } else {
            (format!("Merge pull request #{number} from {owner}/{}", pull.head_branch), thread.title.clone())
        };
        let title = request.title.clone().unwrap_or(title);
        let message = request.message.clone().unwrap_or(message);
        let message = if message.is_empty() { title } else { format!("{title}\n\n{message}") };
        let parents = [base.as_str(), head.as_str()];
        let parents = if request.squash { &parents[..1] } else { &parents[..] };
        let commit = self.git.write_commit(&tree, parents, &message, &author);
        let branch = format!("refs/heads/{}", pull.base_branch);
        let moved = |_| Answer::refused(405, "Base branch was modified. Review and try the merge again.");
        self.git.update(&branch, &commit, &base).map_err(moved)?;
        self.model.signed.insert(commit.clone());
        let at = self.now();
        let thread = self.model.threads.get_mut(&number).unwrap();
        thread.closed = Some((by, at));
        thread.updated_at = at;
        thread.pull.as_mut().unwrap().merged = Some(Merged { commit: commit.clone(), by, at });
        self.look_after(by);
        self.emit_pull("closed", number, by, json!({}));
        Ok(commit)
    }

    /// The merged tree.
    fn may_merge(&self, number: u64, request: &MergeRequest) -> Done<String> {
        let (thread, pull) = self.pull(number)?;
        let refused = |message: &str| Answer::refused(405, message);
        if !thread.is_open() {
            return Err(refused("Pull Request is not mergeable"));
        }
        if request.head.as_ref().is_some_and(|head| *head != pull.head) {
            return Err(Answer::refused(409, "Head branch was modified. Review and try the merge again."));
        }
        if pull.draft {
            return Err(refused("Pull Request is still a draft"));
        }
        if let Some(wanted) = self.missing_check(&pull.base_branch, &pull.head) {
            return Err(refused(&format!("Required status check \"{wanted}\" is expected.")));
        }
        if !request.squash && self.is_unsigned(pull) {
            return Err(refused("Commits must have verified signatures."));
        }
        self.git.merged_tree(&pull.base, &pull.head).ok_or_else(|| refused("Pull Request is not mergeable"))
    }

    /// Whether the base takes signed commits alone and the pull request has another one. What is squashed GitHub signs.
    fn is_unsigned(&self, pull: &Pull) -> bool {
        self.model.signatures.is_some()
            && pull.base_branch == self.model.repository.default_branch
            && self
                .git
                .commits(&pull.base, &pull.head)
                .iter()
                .any(|commit| !self.model.signed.contains(&commit.id))
    }

    /// The required check, if it is not successful: reported by our App, which nobody else can do.
    fn missing_check(&self, base: &str, head: &str) -> Option<String> {
        let wanted = self.model.required_check.as_ref()?;
        if base != self.model.repository.default_branch {
            return None;
        }
        let is_it = |id: &u64| {
            let check = &self.model.checks[id];
            check.app_id == self.model.app.id
                && check.name == *wanted
                && matches!(check.conclusion.as_deref(), Some("success" | "neutral" | "skipped"))
        };
        (!self.latest_checks(head).iter().any(is_it)).then(|| wanted.clone())
    }
}

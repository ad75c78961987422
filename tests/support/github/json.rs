//! How the model is shown: what varies. What else GitHub's description requires, `fill` puts in.

use serde_json::{Value, json};

use super::fill;
use super::git::{Changed, Commit, Git, Signature};
use super::model::{
    CheckRun, Comment, Deployment, DeploymentStatus, Model, Pull, Reaction, Review, Status, Thread,
};

/// The model as seen from an address.
#[derive(Clone, Copy)]
pub struct Show<'a> {
    pub model: &'a Model,
    pub git: &'a Git,
    /// Without the path of the API: `http://127.0.0.1:1`.
    pub host: &'a str,
    /// With it: `http://127.0.0.1:1/api/v3`.
    pub api: &'a str,
}

impl Show<'_> {
    pub fn user(&self, id: u64) -> Value {
        let person = self.model.person(id);
        let login = person.login.replace('[', "%5B").replace(']', "%5D");
        let page = match person.login.strip_suffix("[bot]") {
            Some(slug) => format!("{}/apps/{slug}", self.host),
            None => format!("{}/{login}", self.host),
        };
        let user = json!({
            "login": person.login, "id": person.id, "node_id": format!("U_{id}"), "type": person.kind,
            "user_view_type": "public", "gravatar_id": "", "site_admin": false, "name": person.login,
            "url": format!("{}/users/{login}", self.api), "html_url": page,
            "avatar_url": format!("{}/avatars/{id}", self.host),
        });
        // Whole everywhere, also where a schema asks for less: clients have one type for it.
        fill::whole("/components/schemas/simple-user", user, self.api)
    }

    /// A person inside another thing.
    fn by(&self, id: u64) -> Value {
        let mut user = self.user(id);
        user.as_object_mut().unwrap().remove("name");
        user
    }

    /// The address of something of the repository.
    pub fn at(&self, rest: &str) -> String {
        format!("{}/repos/{}{rest}", self.api, self.model.full_name())
    }

    /// The page of something of the repository.
    fn page(&self, rest: &str) -> String {
        format!("{}/{}{rest}", self.host, self.model.full_name())
    }

    pub fn repository(&self) -> Value {
        let of = &self.model.repository;
        let owner = self.by(self.model.by_login(&of.owner).expect("the owner is one of the people").id);
        json!({
            "id": of.id, "node_id": format!("R_{}", of.id), "name": of.name, "full_name": self.model.full_name(),
            "owner": owner, "default_branch": of.default_branch, "private": true, "visibility": "private",
            "url": self.at(""), "html_url": self.page(""), "clone_url": self.page(".git"), "fork": false,
            "archived": false, "disabled": false, "allow_merge_commit": true, "allow_squash_merge": true,
            "allow_rebase_merge": false, "custom_properties": {}, "permissions": {
                "admin": false, "maintain": false, "push": true, "triage": true, "pull": true
            },
        })
    }

    pub fn app(&self) -> Value {
        let app = &self.model.app;
        self.some_app(app.id, &app.slug)
    }

    fn some_app(&self, id: u64, slug: &str) -> Value {
        json!({
            "id": id, "slug": slug, "node_id": format!("A_{id}"), "name": slug, "owner": self.repository()["owner"],
            "html_url": format!("{}/apps/{slug}", self.host), "external_url": self.host, "client_id": format!("Iv1.{id}"),
            "permissions": self.model.upkeep.app_permissions(), "events": self.model.upkeep.events, "description": null,
        })
    }

    pub fn installation(&self) -> Value {
        let app = &self.model.app;
        json!({
            "id": app.installation, "app_id": app.id, "app_slug": app.slug, "client_id": format!("Iv1.{}", app.id),
            "account": self.repository()["owner"], "target_type": "Organization", "permissions": self.model.upkeep.permissions,
            "events": self.model.upkeep.events, "repository_selection": "selected", "single_file_name": null,
            "suspended_at": self.model.upkeep.suspended_at, "suspended_by": null,
        })
    }

    pub fn issue(&self, thread: &Thread) -> Value {
        let number = thread.number;
        let kind = if thread.pull.is_some() { "pull" } else { "issues" };
        let mut issue = self.thread(thread);
        let fields = issue.as_object_mut().unwrap();
        fields.insert("url".into(), json!(self.at(&format!("/issues/{number}"))));
        fields.insert("html_url".into(), json!(self.page(&format!("/{kind}/{number}"))));
        fields.insert("repository_url".into(), json!(self.at("")));
        fields.insert("state_reason".into(), json!(thread.state_reason));
        fields.insert("closed_by".into(), thread.closed.map_or(Value::Null, |(by, _)| self.by(by)));
        fields.insert("reactions".into(), json!({}));
        if let Some(pull) = &thread.pull {
            let url = self.at(&format!("/pulls/{number}"));
            let page = self.page(&format!("/pull/{number}"));
            let merged_at = pull.merged.as_ref().map(|merged| merged.at);
            let links = json!({
                "url": url, "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
                "merged_at": merged_at,
            });
            fields.insert("pull_request".into(), links);
            fields.insert("draft".into(), json!(pull.draft));
        }
        issue
    }

    /// What issues and pull requests have in common.
    fn thread(&self, thread: &Thread) -> Value {
        let labels = thread.labels.iter().map(|name| self.label(name)).collect::<Vec<_>>();
        let comments = self.model.comments.values().filter(|comment| comment.thread == thread.number).count();
        json!({
            "id": thread.id, "node_id": format!("T_{}", thread.id), "number": thread.number, "state": thread.state(),
            "title": thread.title, "body": thread.body, "user": self.by(thread.author), "labels": labels,
            "locked": false, "active_lock_reason": null, "assignee": null, "assignees": [], "milestone": null,
            "comments": comments, "created_at": thread.created_at, "updated_at": thread.updated_at,
            "closed_at": thread.closed.map(|(_, at)| at), "author_association": self.association(thread.author),
            "comments_url": self.at(&format!("/issues/{}/comments", thread.number)),
        })
    }

    pub fn label(&self, name: &str) -> Value {
        let id = name.bytes().fold(1u64, |id, byte| (id * 31 + u64::from(byte)) % 1_000_000_007);
        json!({
            "id": id, "node_id": format!("LA_{id}"), "name": name, "color": "ededed", "default": false,
            "description": "", "url": self.at(&format!("/labels/{name}")),
        })
    }

    /// A pull request in a list: without what GitHub must compute.
    pub fn listed_pull(&self, thread: &Thread, pull: &Pull) -> Value {
        let number = thread.number;
        let (url, page) = (self.at(&format!("/pulls/{number}")), self.page(&format!("/pull/{number}")));
        let side = |branch: &str, id: &str, fork: Option<u64>| {
            let label = format!("{}:{branch}", self.model.repository.owner);
            let mut repository = self.repository();
            repository["id"] = json!(fork.unwrap_or(self.model.repository.id));
            repository["fork"] = json!(fork.is_some());
            json!({"label": label, "ref": branch, "sha": id, "user": self.repository()["owner"], "repo": repository})
        };
        let auto_merge = pull.auto_merge.map(|by| {
            json!({"enabled_by": self.by(by), "merge_method": "merge", "commit_title": "", "commit_message": ""})
        });
        let link = |rest: String| json!({ "href": rest });
        let mut shown = self.thread(thread);
        let more = json!({
            "url": url, "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            "issue_url": self.at(&format!("/issues/{number}")), "commits_url": format!("{url}/commits"),
            "head": side(&pull.head_branch, &pull.head, pull.fork), "base": side(&pull.base_branch, &pull.base, None),
            "draft": pull.draft, "merged_at": pull.merged.as_ref().map(|merged| merged.at),
            "merge_commit_sha": pull.merged.as_ref().map(|merged| &merged.commit), "auto_merge": auto_merge,
            "requested_reviewers": pull.reviewers.iter().map(|id| self.by(*id)).collect::<Vec<_>>(),
            "requested_teams": pull.team_reviewers.iter().map(|slug| Self::team(slug)).collect::<Vec<_>>(),
            "_links": {"self": link(url.clone()), "html": link(page.clone()), "commits": link(format!("{url}/commits"))},
        });
        put(&mut shown, more);
        shown
    }

    /// A pull request by itself.
    pub fn pull(&self, thread: &Thread, pull: &Pull) -> Value {
        let mut shown = self.listed_pull(thread, pull);
        let changed = self.git.changed(&pull.base, &pull.head);
        let sum = |of: fn(&Changed) -> u64| changed.iter().map(of).sum::<u64>();
        let mergeable_state = match pull.mergeable {
            _ if pull.merged.is_some() => "unknown",
            Some(true) if pull.draft => "draft",
            Some(true) => "clean",
            Some(false) => "dirty",
            None => "unknown",
        };
        let more = json!({
            "merged": pull.merged.is_some(), "mergeable": pull.mergeable, "rebaseable": pull.mergeable,
            "mergeable_state": mergeable_state,
            "merged_by": pull.merged.as_ref().map(|merged| self.by(merged.by)),
            "review_comments": 0, "maintainer_can_modify": false,
            "commits": self.git.commits(&pull.base, &pull.head).len(), "changed_files": changed.len(),
            "additions": sum(|changed| changed.additions), "deletions": sum(|changed| changed.deletions),
        });
        put(&mut shown, more);
        shown
    }

    pub fn team(slug: &str) -> Value {
        json!({"id": 1, "node_id": "T", "name": slug, "slug": slug, "privacy": "closed", "permission": "pull"})
    }

    pub fn comment(&self, comment: &Comment) -> Value {
        let kind = if self.model.threads[&comment.thread].pull.is_some() { "pull" } else { "issues" };
        let page = self.page(&format!("/{kind}/{}#issuecomment-{}", comment.thread, comment.id));
        json!({
            "id": comment.id, "node_id": format!("IC_{}", comment.id), "body": comment.body, "html_url": page,
            "url": self.at(&format!("/issues/comments/{}", comment.id)), "user": self.by(comment.author),
            "issue_url": self.at(&format!("/issues/{}", comment.thread)),
            "created_at": comment.created_at, "updated_at": comment.updated_at, "reactions": {},
            "author_association": self.association(comment.author),
            "performed_via_github_app": comment.by_app.then(|| self.app()),
        })
    }

    pub fn reaction(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id, "node_id": format!("RE_{}", reaction.id), "user": self.by(reaction.author),
            "content": reaction.content, "created_at": reaction.at,
        })
    }

    pub fn review(&self, review: &Review) -> Value {
        let pull = self.at(&format!("/pulls/{}", review.thread));
        let page = self.page(&format!("/pull/{}#pullrequestreview-{}", review.thread, review.id));
        json!({
            "id": review.id, "node_id": format!("PRR_{}", review.id), "user": self.by(review.author),
            "body": review.body, "state": review.verdict.word(), "commit_id": review.head, "submitted_at": review.at,
            "html_url": page, "pull_request_url": pull, "author_association": self.association(review.author),
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
        })
    }

    pub fn check(&self, check: &CheckRun) -> Value {
        json!({
            "id": check.id, "node_id": format!("CR_{}", check.id), "head_sha": check.head, "name": check.name,
            "external_id": check.external_id.as_deref().unwrap_or(""), "status": check.status,
            "conclusion": check.conclusion, "started_at": check.started_at, "completed_at": check.completed_at,
            "details_url": check.details_url.clone().unwrap_or_else(|| format!("{}/apps/{}", self.host, check.app)), "url": self.at(&format!("/check-runs/{}", check.id)),
            "html_url": self.page(&format!("/runs/{}", check.id)), "check_suite": {"id": suite(check)},
            "output": {"title": check.title, "summary": check.summary, "text": check.text, "annotations_count": 0},
            "app": self.some_app(check.app_id, &check.app), "pull_requests": [],
        })
    }

    /// The suite of a check: all runs of one app on one commit.
    pub fn suite(&self, check: &CheckRun) -> Value {
        json!({
            "id": suite(check), "node_id": format!("CS_{}", suite(check)), "head_sha": check.head, "status": check.status,
            "conclusion": check.conclusion, "app": self.some_app(check.app_id, &check.app), "pull_requests": [],
            "before": null, "after": check.head, "latest_check_runs_count": 1,
            "head_branch": self.model.heads.iter().find(|(_, id)| **id == check.head).map(|(name, _)| name),
            "created_at": check.started_at, "updated_at": check.completed_at.unwrap_or(check.started_at),
            "head_commit": {
                "id": check.head, "tree_id": "", "message": "", "timestamp": check.started_at,
                "author": {"name": "a", "email": "a@b.example"}, "committer": {"name": "a", "email": "a@b.example"},
            },
        })
    }

    pub fn status(&self, status: &Status) -> Value {
        json!({
            "id": status.id, "node_id": format!("SC_{}", status.id), "state": status.state, "context": status.context,
            "description": status.description, "target_url": null, "creator": self.by(status.author), "avatar_url": null,
            "created_at": status.at, "updated_at": status.at, "url": self.at(&format!("/statuses/{}", status.head)),
        })
    }

    pub fn commit(&self, commit: &Commit) -> Value {
        let url = self.at(&format!("/commits/{}", commit.id));
        let person = |who: &Signature| self.model.by_email(&who.email).map(|person| self.by(person.id));
        let parent = |id: &String| json!({"sha": id, "url": self.at(&format!("/commits/{id}"))});
        json!({
            "sha": commit.id, "node_id": format!("C_{}", commit.id), "url": url, "comments_url": format!("{url}/comments"),
            "html_url": self.page(&format!("/commit/{}", commit.id)),
            "author": person(&commit.author), "committer": person(&commit.committer),
            "parents": commit.parents.iter().map(parent).collect::<Vec<_>>(),
            "commit": {
                "message": commit.message, "comment_count": 0, "url": self.at(&format!("/git/commits/{}", commit.id)),
                "author": signature(&commit.author), "committer": signature(&commit.committer),
                "tree": {"sha": commit.tree, "url": self.at(&format!("/git/trees/{}", commit.tree))},
                "verification": self.verification(&commit.id),
            },
        })
    }

    fn verification(&self, commit: &str) -> Value {
        let is_signed = self.model.signed.contains(commit);
        let signature = is_signed.then_some("-----BEGIN PGP SIGNATURE-----");
        json!({
            "verified": is_signed, "reason": if is_signed { "valid" } else { "unsigned" }, "signature": signature,
            "payload": is_signed.then(|| format!("commit {commit}")), "verified_at": null,
        })
    }

    pub fn file(changed: &Changed) -> Value {
        json!({
            "sha": changed.blob, "filename": changed.name, "status": changed.status, "additions": changed.additions,
            "deletions": changed.deletions, "changes": changed.additions + changed.deletions, "patch": changed.patch,
        })
    }

    pub fn reference(&self, name: &str, id: &str) -> Value {
        let object = json!({"type": "commit", "sha": id, "url": self.at(&format!("/git/commits/{id}"))});
        json!({"ref": name, "node_id": "REF", "url": self.at(&format!("/git/{name}")), "object": object})
    }

    pub fn deployment(&self, of: &Deployment) -> Value {
        let url = self.at(&format!("/deployments/{}", of.id));
        json!({
            "id": of.id, "node_id": format!("DE_{}", of.id), "sha": of.commit, "ref": of.reference, "task": of.task,
            "payload": of.payload, "original_environment": of.environment, "environment": of.environment,
            "description": of.description, "creator": self.by(of.author), "created_at": of.at, "updated_at": of.at,
            "transient_environment": of.is_transient, "production_environment": of.is_production,
            "statuses_url": format!("{url}/statuses"), "repository_url": self.at(""), "url": url,
        })
    }

    pub fn deployment_status(&self, of: &Deployment, status: &DeploymentStatus) -> Value {
        let deployment = self.at(&format!("/deployments/{}", of.id));
        json!({
            "id": status.id, "node_id": format!("DES_{}", status.id), "state": status.state, "creator": self.by(status.author),
            "description": status.description, "environment": status.environment, "target_url": status.log_url,
            "log_url": status.log_url, "environment_url": status.environment_url, "created_at": status.at,
            "updated_at": status.at, "deployment_url": deployment, "repository_url": self.at(""),
            "url": format!("{deployment}/statuses/{}", status.id),
        })
    }

    fn association(&self, id: u64) -> &'static str {
        if self.model.person(id).role >= super::model::Role::Triage { "MEMBER" } else { "NONE" }
    }
}

/// One suite for each app and commit.
fn suite(check: &CheckRun) -> u64 {
    let head = u64::from_str_radix(check.head.get(..8).unwrap_or("0"), 16).unwrap_or(0);
    head * 1_000 + check.app_id % 1_000
}

fn signature(of: &Signature) -> Value {
    json!({"name": of.name, "email": of.email, "date": of.at})
}

/// Puts these fields on top.
pub fn put(value: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    value.as_object_mut().unwrap().extend(more);
}

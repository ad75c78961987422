//! The model, git and the clock together: what happened is noticed here and told to the App's hook.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::contract::Contract;
use super::fill;
use super::git::Git;
use super::json::Show;
use super::model::{Delivery, Merged, Model, Person, Pull, Table};

/// What time it is.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The state behind the server.
pub struct World {
    pub model: Model,
    pub git: Git,
    pub clock: Clock,
    pub host: String,
    pub violations: Vec<String>,
}

impl World {
    /// Now, in whole seconds: GitHub tells no finer time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_second((self.clock)().as_second()).unwrap()
    }

    pub fn show(&self) -> Show<'_> {
        Show { model: &self.model, git: &self.git, host: &self.host, api: &self.host }
    }

    pub fn person(&self, login: &str) -> &Person {
        self.model.by_login(login).unwrap_or_else(|| panic!("nobody is called {login}"))
    }

    /// Tells the App's hook.
    pub fn emit(&mut self, event: &str, action: Option<&str>, sender: u64, fields: Value) {
        let mut payload = json!({});
        if let Some(action) = action {
            payload["action"] = json!(action);
        }
        let show = self.show();
        super::json::put(&mut payload, fields);
        let common = json!({
            "repository": show.repository(), "sender": show.user(sender),
            "installation": {"id": self.model.app.installation, "node_id": "I"},
        });
        for (name, value) in common.as_object().unwrap() {
            payload.as_object_mut().unwrap().entry(name.clone()).or_insert_with(|| value.clone());
        }
        let place = Contract::webhook_place(event, action).unwrap_or_else(|reason| panic!("{reason}"));
        let payload = fill::whole(&place, payload, &self.host);
        if let Err(reason) = Contract::webhook(event, &payload) {
            self.violations.push(reason);
        }
        self.deliver(event, action, payload.to_string());
    }

    fn deliver(&mut self, event: &str, action: Option<&str>, body: String) {
        let (id, at) = (self.model.next_id(Table::Deliveries), self.now());
        let guid = format!("{:08x}-11ef-4000-8000-{id:012x}", self.model.app.id);
        let action = action.map(str::to_owned);
        let delivery = Delivery {
            id,
            guid,
            event: event.to_owned(),
            action,
            at,
            is_redelivery: false,
            status_code: 0,
            body,
        };
        self.model.queue.push(id);
        self.model.deliveries.push(delivery);
    }

    /// Looks at the branches, and tells what was pushed since.
    pub fn look(&mut self) {
        self.look_after(self.model.pusher);
    }

    /// The same after this person did something.
    pub fn look_after(&mut self, by: u64) {
        let heads = self.git.heads();
        let before = std::mem::replace(&mut self.model.heads, heads.clone());
        let branches: BTreeSet<&String> = before.keys().chain(heads.keys()).collect();
        for branch in branches {
            let (old, new) = (before.get(branch), heads.get(branch));
            if old != new {
                self.pushed(branch, old, new, by);
            }
        }
    }

    fn pushed(&mut self, branch: &str, old: Option<&String>, new: Option<&String>, by: u64) {
        self.emit_push(branch, old, new, by);
        let of_head = self.open_pulls(|head, _| head == branch);
        for number in of_head {
            match new {
                Some(new) => self.synchronize(number, new, by),
                None => drop(self.close(by, number)),
            }
        }
        let Some(new) = new else { return };
        for number in self.open_pulls(|_, base| base == branch) {
            let now = self.now();
            let git = self.git.clone();
            let thread = self.model.threads.get_mut(&number).unwrap();
            let pull = thread.pull.as_mut().unwrap();
            let is_in = !git.is_ancestor(&pull.head, &pull.base) && git.is_ancestor(&pull.head, new);
            if is_in {
                // Somebody pushed the merge themselves: GitHub takes the pull request for merged.
                pull.merged = Some(Merged { commit: new.clone(), by, at: now });
                thread.closed = Some((by, now));
                self.emit_pull("closed", number, by, json!({}));
            } else {
                pull.base.clone_from(new);
            }
        }
    }

    fn open_pulls(&self, of: impl Fn(&str, &str) -> bool) -> Vec<u64> {
        let open = self.model.threads.values().filter(|thread| thread.is_open());
        open.filter(|thread| {
            // What a fork calls its branch is no branch of ours.
            let head =
                |pull: &Pull| if pull.fork.is_some() { String::new() } else { pull.head_branch.clone() };
            thread.pull.as_ref().is_some_and(|pull| of(&head(pull), &pull.base_branch))
        })
        .map(|thread| thread.number)
        .collect()
    }

    fn synchronize(&mut self, number: u64, new: &str, by: u64) {
        let now = self.now();
        let thread = self.model.threads.get_mut(&number).unwrap();
        thread.updated_at = now;
        let pull = thread.pull.as_mut().unwrap();
        let before = std::mem::replace(&mut pull.head, new.to_owned());
        self.emit_pull("synchronize", number, by, json!({"before": before, "after": new}));
    }

    fn emit_push(&mut self, branch: &str, old: Option<&String>, new: Option<&String>, by: u64) {
        let nothing = "0".repeat(40);
        let (before, after) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
        let show = self.show();
        let commits: Vec<Value> = match (old, new) {
            (Some(old), Some(new)) => {
                self.git.commits(old, new).iter().map(|commit| pushed_commit(&show, commit)).collect()
            }
            (Some(_) | None, _) => Vec::new(),
        };
        let head_commit = new.map(|new| pushed_commit(&show, &self.git.show(new)));
        let forced = matches!((old, new), (Some(old), Some(new)) if !self.git.is_ancestor(old, new));
        let pusher = self.model.person(by);
        let mut repository = show.repository();
        repository["created_at"] = json!(0);
        repository["pushed_at"] = json!(0);
        let fields = json!({
            "ref": format!("refs/heads/{branch}"), "before": before, "after": after, "created": old.is_none(),
            "deleted": new.is_none(), "forced": forced, "base_ref": null, "commits": commits,
            "head_commit": head_commit, "compare": format!("{}/compare", self.host), "repository": repository,
            "pusher": {"name": pusher.login, "email": pusher.email()},
        });
        self.emit("push", None, by, fields);
    }

    /// Tells of a pull request, with these fields beside it.
    pub fn emit_pull(&mut self, action: &str, number: u64, by: u64, more: Value) {
        let thread = &self.model.threads[&number];
        let pull = self.show().pull(thread, thread.pull.as_ref().unwrap());
        let mut fields = json!({"number": number, "pull_request": pull});
        super::json::put(&mut fields, more);
        self.emit("pull_request", Some(action), by, fields);
    }

    /// The latest check runs of a commit: one for each app and name.
    pub fn latest_checks(&self, head: &str) -> Vec<u64> {
        let of_head = self.model.checks.values().filter(|check| check.head == head);
        let latest: BTreeMap<_, _> = of_head.map(|check| ((check.app_id, &check.name), check.id)).collect();
        latest.into_values().collect()
    }
}

fn pushed_commit(show: &Show<'_>, commit: &super::git::Commit) -> Value {
    let person = |of: &super::git::Signature| json!({"name": of.name, "email": of.email, "date": of.at});
    let mut shown = json!({
        "id": commit.id, "tree_id": commit.tree, "distinct": true, "message": commit.message,
        "timestamp": commit.committer.at, "url": format!("{}/commit/{}", show.host, commit.id),
        "author": person(&commit.author), "committer": person(&commit.committer),
        "added": [], "removed": [], "modified": [],
    });
    let Some(parent) = commit.parents.first() else { return shown };
    for changed in show.git.changed(parent, &commit.id) {
        shown[changed.status].as_array_mut().unwrap().push(json!(changed.name));
    }
    shown
}

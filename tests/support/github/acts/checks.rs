//! Check runs and commit statuses.

use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::model::{CheckRun, Status, Table};
use super::super::world::World;

/// The app that reports a check.
#[derive(Debug, Clone)]
pub struct Report {
    pub app: String,
    pub app_id: u64,
}

impl World {
    /// Our own App as the one that reports.
    pub fn our_report(&self) -> Report {
        Report { app: self.model.app.slug.clone(), app_id: self.model.app.id }
    }

    /// Creates a check run from the fields of a request.
    pub fn create_check(&mut self, of: &Report, body: &Value) -> Done<u64> {
        let head = body["head_sha"].as_str().unwrap_or("");
        if head.len() != 40 || self.git.commit(head).is_none() {
            return Err(Answer::refused(422, &format!("No commit found for SHA: {head}")));
        }
        let (id, now) = (self.model.next_id(Table::Checks), self.now());
        let check = CheckRun {
            id,
            app: of.app.clone(),
            app_id: of.app_id,
            name: body["name"].as_str().unwrap_or("").to_owned(),
            head: head.to_owned(),
            status: "queued".to_owned(),
            conclusion: None,
            external_id: None,
            details_url: None,
            title: None,
            summary: None,
            text: None,
            started_at: now,
            completed_at: None,
        };
        self.model.checks.insert(id, check);
        if let Err(answer) = self.set_check(id, body) {
            self.model.checks.remove(&id);
            return Err(answer);
        }
        self.emit_check("created", id);
        self.tell_completed(id);
        Ok(id)
    }

    /// Sets the fields of a check run that are given.
    pub fn update_check(&mut self, id: u64, body: &Value) -> Done<()> {
        self.set_check(id, body)?;
        self.tell_completed(id);
        Ok(())
    }

    fn set_check(&mut self, id: u64, body: &Value) -> Done<()> {
        let now = self.now();
        let check = self.model.checks.get_mut(&id).ok_or_else(Answer::not_found)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let status = text(&body["status"]);
        if status.as_deref() == Some("completed")
            && body["conclusion"].is_null()
            && check.conclusion.is_none()
        {
            return Err(Answer::invalid("CheckRun", Some("conclusion"), "missing_field", ""));
        }
        check.name = text(&body["name"]).unwrap_or_else(|| check.name.clone());
        check.status = status.unwrap_or_else(|| check.status.clone());
        check.external_id = text(&body["external_id"]).or(check.external_id.take());
        check.details_url = text(&body["details_url"]).or(check.details_url.take());
        if let Some(conclusion) = text(&body["conclusion"]) {
            // A conclusion completes the run, whatever the status says.
            check.conclusion = Some(conclusion);
            "completed".clone_into(&mut check.status);
        }
        if check.status == "completed" {
            check.completed_at = check.completed_at.or(Some(now));
        } else {
            (check.conclusion, check.completed_at) = (None, None);
        }
        if body["output"].is_object() {
            let output = &body["output"];
            (check.title, check.summary) = (text(&output["title"]), text(&output["summary"]));
            check.text = text(&output["text"]);
        }
        Ok(())
    }

    fn tell_completed(&mut self, id: u64) {
        let check = &self.model.checks[&id];
        if check.conclusion.is_some() {
            let (suite, sender) = (self.show().suite(check), self.sender_of(check));
            self.emit_check("completed", id);
            self.emit("check_suite", Some("completed"), sender, json!({ "check_suite": suite }));
        }
    }

    /// Tells of a check run, whose sender is the bot of its app, where that is one of the people.
    fn emit_check(&mut self, action: &str, id: u64) {
        let check = &self.model.checks[&id];
        let (shown, sender) = (self.whole_check(id), self.sender_of(check));
        self.emit("check_run", Some(action), sender, json!({ "check_run": shown }));
    }

    fn whole_check(&self, id: u64) -> Value {
        let check = &self.model.checks[&id];
        let mut shown = self.show().check(check);
        shown["check_suite"] = self.show().suite(check);
        shown
    }

    fn sender_of(&self, check: &CheckRun) -> u64 {
        let bot = self.model.by_login(&format!("{}[bot]", check.app));
        bot.map_or(self.model.pusher, |bot| bot.id)
    }

    /// A person asks for a check to be run again.
    pub fn rerequest(&mut self, by: u64, id: u64) -> Done<()> {
        if !self.model.checks.contains_key(&id) {
            return Err(Answer::not_found());
        }
        let shown = self.whole_check(id);
        self.emit("check_run", Some("rerequested"), by, json!({ "check_run": shown }));
        Ok(())
    }

    /// A person presses a button of a check.
    pub fn press(&mut self, by: u64, id: u64, identifier: &str) -> Done<()> {
        if !self.model.checks.contains_key(&id) {
            return Err(Answer::not_found());
        }
        let fields =
            json!({"check_run": self.whole_check(id), "requested_action": {"identifier": identifier}});
        self.emit("check_run", Some("requested_action"), by, fields);
        Ok(())
    }

    /// Sets a commit status.
    pub fn set_status(
        &mut self,
        by: u64,
        head: &str,
        context: &str,
        state: &str,
        description: Option<String>,
    ) -> u64 {
        let (id, at) = (self.model.next_id(Table::Statuses), self.now());
        let (head, context, state) = (head.to_owned(), context.to_owned(), state.to_owned());
        let status = Status { id, head, context, state, description, author: by, at };
        let shown = self.show().commit(&self.git.show(&status.head));
        let fields = json!({
            "id": id, "sha": status.head, "name": self.model.full_name(), "context": status.context,
            "state": status.state, "description": status.description, "target_url": null, "branches": [], "commit": shown,
            "created_at": at, "updated_at": at,
        });
        self.model.statuses.insert(id, status);
        self.emit("status", None, by, fields);
        id
    }
}

//! Pull requests are opened, edited, reviewed and closed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::json::Show;
use super::super::model::{Pull, Review, Table, Thread, Verdict};
use super::super::world::World;

impl World {
    /// Opens a pull request.
    pub fn open(
        &mut self,
        by: u64,
        head: &str,
        base: &str,
        title: &str,
        body: Option<String>,
        is_draft: bool,
    ) -> Done<u64> {
        let owner = &self.model.repository.owner;
        let head = head.strip_prefix(&format!("{owner}:")).unwrap_or(head).to_owned();
        let invalid = |field| Answer::invalid("PullRequest", Some(field), "invalid", "");
        let head_id = self.model.heads.get(&head).cloned().ok_or_else(|| invalid("head"))?;
        let base_id = self.model.heads.get(base).cloned().ok_or_else(|| invalid("base"))?;
        let custom = |message: &str| Answer::invalid("PullRequest", None, "custom", message);
        let is_same = |pull: &Pull| pull.head_branch == head && pull.base_branch == base;
        if self
            .model
            .threads
            .values()
            .any(|thread| thread.is_open() && thread.pull.as_ref().is_some_and(is_same))
        {
            return Err(custom(&format!("A pull request already exists for {owner}:{head}.")));
        }
        if self.git.is_ancestor(&head_id, &base_id) {
            return Err(custom(&format!("No commits between {base} and {head}")));
        }
        let pull = Pull {
            head_branch: head,
            head: head_id,
            base_branch: base.to_owned(),
            base: base_id,
            draft: is_draft,
            fork: None,
            auto_merge: None,
            merged: None,
            reviewers: BTreeSet::new(),
            team_reviewers: BTreeSet::new(),
            asked: None,
            mergeable: None,
        };
        let number = self.new_thread(by, title, body, Some(pull));
        self.emit_pull("opened", number, by, json!({}));
        Ok(number)
    }

    /// The next number, taken by this thread.
    pub fn new_thread(&mut self, by: u64, title: &str, body: Option<String>, pull: Option<Pull>) -> u64 {
        let now = self.now();
        let id = self.model.next_id(Table::Threads);
        self.model.last_number += 1;
        let number = self.model.last_number;
        let thread = Thread {
            number,
            id,
            title: title.to_owned(),
            body,
            author: by,
            labels: BTreeSet::new(),
            created_at: now,
            updated_at: now,
            closed: None,
            state_reason: None,
            pull,
        };
        self.model.threads.insert(number, thread);
        number
    }

    /// The thread, if it is a pull request.
    pub fn pull(&self, number: u64) -> Done<(&Thread, &Pull)> {
        let thread = self.model.threads.get(&number).ok_or_else(Answer::not_found)?;
        Ok((thread, thread.pull.as_ref().ok_or_else(Answer::not_found)?))
    }

    /// Closes without a merge; a closed one stays as it is.
    pub fn close(&mut self, by: u64, number: u64) -> Done<()> {
        let now = self.now();
        let thread = self.model.threads.get_mut(&number).ok_or_else(Answer::not_found)?;
        if thread.closed.is_some() {
            return Ok(());
        }
        thread.closed = Some((by, now));
        thread.updated_at = now;
        if thread.pull.is_some() {
            self.emit_pull("closed", number, by, json!({}));
        } else {
            thread.state_reason = Some("completed".to_owned());
        }
        Ok(())
    }

    /// Opens a closed one again.
    pub fn reopen(&mut self, by: u64, number: u64) -> Done<()> {
        let heads = self.model.heads.clone();
        let now = self.now();
        let thread = self.model.threads.get_mut(&number).ok_or_else(Answer::not_found)?;
        if thread.is_open() {
            return Ok(());
        }
        if let Some(pull) = &mut thread.pull {
            let refused = |message: &str| Answer::invalid("PullRequest", Some("state"), "invalid", message);
            if pull.merged.is_some() {
                return Err(refused("state cannot be changed. The pull request is merged."));
            }
            let Some(head) = heads.get(&pull.head_branch) else {
                let message =
                    format!("state cannot be changed. The {} branch has been deleted.", pull.head_branch);
                return Err(refused(&message));
            };
            pull.head.clone_from(head);
        } else {
            thread.state_reason = Some("reopened".to_owned());
        }
        thread.closed = None;
        thread.updated_at = now;
        if self.model.threads[&number].pull.is_some() {
            self.emit_pull("reopened", number, by, json!({}));
        }
        Ok(())
    }

    /// Sets title, body and state as far as they are given.
    pub fn edit_thread(&mut self, by: u64, number: u64, body: &Value) -> Done<()> {
        let now = self.now();
        let thread = self.model.threads.get_mut(&number).ok_or_else(Answer::not_found)?;
        let mut changes = json!({});
        if let Some(title) = body["title"].as_str().filter(|title| *title != thread.title) {
            changes["title"] = json!({"from": thread.title});
            title.clone_into(&mut thread.title);
        }
        if let Some(text) = body.get("body") {
            let text = text.as_str().map(str::to_owned);
            if text != thread.body {
                changes["body"] = json!({"from": thread.body.as_deref().unwrap_or("")});
                thread.body = text;
            }
        }
        let is_pull = thread.pull.is_some();
        if changes != json!({}) {
            thread.updated_at = now;
            if is_pull {
                self.emit_pull("edited", number, by, json!({ "changes": changes }));
            }
        }
        match body["state"].as_str() {
            Some("closed") => self.close(by, number),
            Some(_) => self.reopen(by, number),
            None => Ok(()),
        }
    }

    /// Sets labels beside those there are.
    pub fn label(&mut self, by: u64, number: u64, labels: &[String]) -> Done<()> {
        let now = self.now();
        let thread = self.model.threads.get_mut(&number).ok_or_else(Answer::not_found)?;
        thread.updated_at = now;
        let is_pull = thread.pull.is_some();
        for name in labels {
            let is_new = self.model.threads.get_mut(&number).unwrap().labels.insert(name.clone());
            if is_new && is_pull {
                let label = self.show().label(name);
                self.emit_pull("labeled", number, by, json!({ "label": label }));
            }
        }
        Ok(())
    }

    /// Asks people and teams for a review.
    pub fn request_reviews(&mut self, by: u64, number: u64, people: &[String], teams: &[String]) -> Done<()> {
        let (thread, _) = self.pull(number)?;
        let refused = |message: &str| Answer::refused(422, message);
        if people.iter().any(|login| self.model.person(thread.author).login == *login) {
            return Err(refused("Review cannot be requested from pull request author."));
        }
        let found: Option<Vec<u64>> =
            people.iter().map(|login| Some(self.model.by_login(login)?.id)).collect();
        let no_collaborator = "Reviews may only be requested from collaborators. One or more of the users or teams \
                               you specified is not a collaborator of the repository.";
        let found = found.ok_or_else(|| refused(no_collaborator))?;
        if teams.iter().any(|slug| !self.model.teams.contains_key(slug)) {
            return Err(refused(no_collaborator));
        }
        let pull = self.model.threads.get_mut(&number).unwrap().pull.as_mut().unwrap();
        pull.reviewers.extend(&found);
        pull.team_reviewers.extend(teams.iter().cloned());
        for id in found {
            let reviewer = self.show().user(id);
            self.emit_pull("review_requested", number, by, json!({ "requested_reviewer": reviewer }));
        }
        for slug in teams {
            self.emit_pull("review_requested", number, by, json!({ "requested_team": Show::team(slug) }));
        }
        Ok(())
    }

    /// Reviews the head as it is.
    pub fn review(&mut self, by: u64, number: u64, verdict: Verdict, body: &str) -> Done<u64> {
        let head = self.pull(number)?.1.head.clone();
        self.review_of(by, number, verdict, body, head)
    }

    /// Reviews a head that may be an older one: whoever had the page open before somebody pushed.
    pub fn review_of(
        &mut self,
        by: u64,
        number: u64,
        verdict: Verdict,
        body: &str,
        head: String,
    ) -> Done<u64> {
        let (thread, _) = self.pull(number)?;
        if thread.author == by && verdict != Verdict::Commented {
            return Err(Answer::refused(422, "Can not approve your own pull request"));
        }
        let at = self.now();
        let id = self.model.next_id(Table::Reviews);
        let review = Review { id, thread: number, author: by, body: body.to_owned(), verdict, head, at };
        self.model.reviews.insert(id, review);
        let thread = self.model.threads.get_mut(&number).unwrap();
        thread.updated_at = at;
        thread.pull.as_mut().unwrap().reviewers.remove(&by);
        self.emit_review("submitted", id, by);
        Ok(id)
    }

    /// Takes the word of a review back.
    pub fn dismiss(&mut self, by: u64, review: u64) -> Done<()> {
        self.model.reviews.get_mut(&review).ok_or_else(Answer::not_found)?.verdict = Verdict::Dismissed;
        self.emit_review("dismissed", review, by);
        Ok(())
    }

    fn emit_review(&mut self, action: &str, id: u64, by: u64) {
        let show = self.show();
        let review = &self.model.reviews[&id];
        let thread = &self.model.threads[&review.thread];
        let mut shown = show.review(review);
        // Upper case in the API, lower case in events.
        shown["state"] = json!(review.verdict.word().to_lowercase());
        let pull = show.listed_pull(thread, thread.pull.as_ref().unwrap());
        self.emit("pull_request_review", Some(action), by, json!({"review": shown, "pull_request": pull}));
    }
}

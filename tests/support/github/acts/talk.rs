//! Comments and reactions.

use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::model::{Comment, Reaction, Table};
use super::super::world::World;

const BODY_CHARACTERS_MAX: usize = 65_536;

impl World {
    /// Writes a comment.
    pub fn comment(&mut self, by: u64, number: u64, body: &str) -> Done<u64> {
        if !self.model.threads.contains_key(&number) {
            return Err(Answer::not_found());
        }
        body_is_right(body)?;
        let now = self.now();
        let id = self.model.next_id(Table::Comments);
        let comment = Comment {
            id,
            thread: number,
            author: by,
            body: body.to_owned(),
            created_at: now,
            updated_at: now,
            by_app: by == self.model.app.bot,
        };
        self.model.comments.insert(id, comment);
        self.model.threads.get_mut(&number).unwrap().updated_at = now;
        self.emit_comment("created", id, by, json!({}));
        Ok(id)
    }

    /// Edits a comment, one's own or, with the right to, anybody's.
    pub fn edit_comment(&mut self, by: u64, id: u64, body: &str) -> Done<()> {
        body_is_right(body)?;
        let now = self.now();
        let comment = self.model.comments.get_mut(&id).ok_or_else(Answer::not_found)?;
        let before = std::mem::replace(&mut comment.body, body.to_owned());
        if before == body {
            return Ok(());
        }
        comment.updated_at = now;
        self.emit_comment("edited", id, by, json!({"changes": {"body": {"from": before}}}));
        Ok(())
    }

    /// Removes a comment for good.
    pub fn delete_comment(&mut self, by: u64, id: u64) -> Done<()> {
        if !self.model.comments.contains_key(&id) {
            return Err(Answer::not_found());
        }
        self.emit_comment("deleted", id, by, json!({}));
        self.model.comments.remove(&id);
        Ok(())
    }

    pub fn emit_comment(&mut self, action: &str, id: u64, by: u64, more: Value) {
        let comment = &self.model.comments[&id];
        let show = self.show();
        let issue = show.issue(&self.model.threads[&comment.thread]);
        let mut fields = json!({"comment": show.comment(comment), "issue": issue});
        super::super::json::put(&mut fields, more);
        self.emit("issue_comment", Some(action), by, fields);
    }

    /// Reacts to a comment; whether the reaction is new. The same one again is the one there is.
    pub fn react(&mut self, by: u64, comment: u64, content: &str) -> Done<(u64, bool)> {
        if !self.model.comments.contains_key(&comment) {
            return Err(Answer::not_found());
        }
        let is_it = |found: &&Reaction| {
            (found.comment, found.author, found.content.as_str()) == (comment, by, content)
        };
        if let Some(found) = self.model.reactions.values().find(is_it) {
            return Ok((found.id, false));
        }
        let (id, at) = (self.model.next_id(Table::Reactions), self.now());
        let reaction = Reaction { id, comment, author: by, content: content.to_owned(), at };
        self.model.reactions.insert(id, reaction);
        Ok((id, true))
    }
}

fn body_is_right(body: &str) -> Done<()> {
    if body.trim().is_empty() {
        return Err(Answer::invalid("IssueComment", Some("body"), "missing_field", ""));
    }
    if body.chars().count() > BODY_CHARACTERS_MAX {
        let message = format!("body is too long (maximum is {BODY_CHARACTERS_MAX} characters)");
        return Err(Answer::invalid("IssueComment", Some("body"), "custom", &message));
    }
    Ok(())
}

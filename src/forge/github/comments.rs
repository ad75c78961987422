//! Comments on pull requests and issues, and our reactions to them.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::GitHubForge;
use super::answer::{named, unavailable};
use super::client::PAGE_ENTRIES;
use super::wire;
use crate::forge::{Comment, CommentId, ForgeError, Number, Priority, Reaction};

/// Pages of comments of one thread in which ours are looked for.
const THREAD_PAGES_MAX: u32 = 30;
/// Pages of comments read at one time by the sweep.
const NEW_PAGES_MAX: u32 = 10;
/// How far back comments are read where nothing is known: what was written before is too old to be carried out, but for
/// a hold or a veto, which is honoured for a day.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(24);
/// The longest text that is written.
///
/// Source: GitHub refuses bodies of more than 65,536 characters.
const BODY_CHARACTERS_MAX: usize = 65_000;

impl GitHubForge {
    pub(super) async fn one_comment(&self, id: CommentId) -> Result<Comment, ForgeError> {
        let found: wire::Comment = self.client.get(&self.path(format!("issues/comments/{id}"))).await?;
        self.known().comment_times.insert(found.id, found.created_at);
        read(found)
    }

    /// Comments of the whole repository with an id above `after`, oldest first, at most `limit`.
    ///
    /// GitHub lists by the time of the last change; ids grow with the time of writing.
    pub(super) async fn comments_above(
        &self,
        after: CommentId,
        limit: usize,
    ) -> Result<Vec<Comment>, ForgeError> {
        let since = self.time_of(after).await?;
        let path = self.path(format!("issues/comments?sort=created&direction=asc&since={since}"));
        let mut found: Vec<Comment> = Vec::new();
        for page in 1..=NEW_PAGES_MAX {
            let at = format!("{path}&per_page={PAGE_ENTRIES}&page={page}");
            let comments: Vec<wire::Comment> = self.client.get(&at).await?;
            let count = comments.len();
            for comment in comments.into_iter().filter(|comment| comment.id > after) {
                found.push(read(comment)?);
            }
            if count < PAGE_ENTRIES || found.len() >= limit {
                break;
            }
        }
        found.sort_by_key(|comment| comment.id);
        found.truncate(limit);
        if let Some(newest) = found.last() {
            self.known().newest_comment = Some((newest.id, newest.created_at));
        }
        Ok(found)
    }

    /// When this comment was written; a day ago where it is not known.
    async fn time_of(&self, id: CommentId) -> Result<Timestamp, ForgeError> {
        let known = self.known().newest_comment;
        if let Some((_, at)) = known.filter(|(newest, _)| *newest == id) {
            return Ok(at);
        }
        let long_ago = (self.clock)().checked_sub(FIRST_LOOK).unwrap_or(Timestamp::UNIX_EPOCH);
        if id == 0 {
            return Ok(long_ago);
        }
        match self.one_comment(id).await {
            Ok(comment) => Ok(comment.created_at),
            Err(ForgeError::NotFound { .. }) => Ok(long_ago),
            Err(error) => Err(error),
        }
    }

    /// Writes our comment with this marker, or edits it, or leaves it where it says the same.
    pub(super) async fn keep_comment(
        &self,
        thread: Number,
        marker: &str,
        body: &str,
        after: Option<CommentId>,
    ) -> Result<CommentId, ForgeError> {
        let text = format!("<!-- {marker} -->\n{body}");
        let text: String = text.chars().take(BODY_CHARACTERS_MAX).collect();
        let key = (thread, marker.to_owned());
        let known = self.known().comments.get(&key).cloned();
        let known = match known {
            Some(known) => Some(known),
            None => self.own_comment(thread, marker, after).await?,
        };
        if let Some((id, said)) = known {
            if said == text {
                self.known().comments.insert(key, (id, text));
                return Ok(id);
            }
            let path = self.path(format!("issues/comments/{id}"));
            let edit =
                self.client.write(Priority::Note, Method::PATCH, &path, &json!({ "body": text })).await?;
            match edit.good(&named(&Method::PATCH, &path)) {
                Ok(()) => {
                    self.known().comments.insert(key, (id, text));
                    return Ok(id);
                }
                // Somebody deleted it.
                Err(ForgeError::NotFound { .. }) => self.known().comments.remove(&key),
                Err(error) => return Err(error),
            };
        }
        let path = self.path(format!("issues/{thread}/comments"));
        let answer = self.client.write(Priority::Note, Method::POST, &path, &json!({ "body": text })).await?;
        let written: wire::Comment = answer.read(&named(&Method::POST, &path))?;
        self.known().comments.insert(key, (written.id, text));
        Ok(written.id)
    }

    /// Our comment with this marker: the first line has to be it, and the author has to be us.
    async fn own_comment(
        &self,
        thread: Number,
        marker: &str,
        after: Option<CommentId>,
    ) -> Result<Option<(CommentId, String)>, ForgeError> {
        let me = self.me().await?.person;
        // What answers a comment that was just read is no older, however long the thread is.
        let after = after.and_then(|after| self.known().comment_times.get(&after).copied());
        let since = after.map_or_else(String::new, |at| format!("?since={at}"));
        let path = self.path(format!("issues/{thread}/comments{since}"));
        let comments: Vec<wire::Comment> = self.client.pages(&path, THREAD_PAGES_MAX).await?;
        let line = format!("<!-- {marker} -->");
        Ok(comments.into_iter().find_map(|comment| {
            let body = comment.body.unwrap_or_default();
            let is_ours = comment.user.is_some_and(|user| user.id == me.id);
            (is_ours && body.lines().next() == Some(&line)).then_some((comment.id, body))
        }))
    }

    /// Our one reaction on a comment.
    pub(super) async fn put_reaction(&self, id: CommentId, reaction: Reaction) -> Result<(), ForgeError> {
        let me = self.me().await?.person;
        let path = self.path(format!("issues/comments/{id}/reactions"));
        let found: Vec<wire::Reaction> = self.client.pages(&path, THREAD_PAGES_MAX).await?;
        let (wanted, mut is_there) = (content(reaction), false);
        for old in found.into_iter().filter(|old| old.user.as_ref().is_some_and(|user| user.id == me.id)) {
            if old.content == wanted {
                is_there = true;
                continue;
            }
            let path = format!("{path}/{}", old.id);
            let removed = self.client.write(Priority::Note, Method::DELETE, &path, &json!(null)).await?;
            match removed.good(&named(&Method::DELETE, &path)) {
                Ok(()) | Err(ForgeError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if is_there {
            return Ok(());
        }
        let written =
            self.client.write(Priority::Note, Method::POST, &path, &json!({ "content": wanted })).await?;
        written.good(&named(&Method::POST, &path))
    }
}

/// One that came through an App in a person's name is the App's: nobody typed it here.
fn read(comment: wire::Comment) -> Result<Comment, ForgeError> {
    let number = comment.issue_url.rsplit('/').next().and_then(|number| number.parse().ok());
    let thread = number.ok_or_else(|| unavailable(format!("comment {} names no thread", comment.id)))?;
    let mut author = wire::person(comment.user);
    author.bot |= comment.performed_via_github_app.is_some();
    Ok(Comment {
        id: comment.id,
        thread,
        author,
        body: comment.body.unwrap_or_default(),
        created_at: comment.created_at,
        updated_at: comment.updated_at,
    })
}

fn content(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Eyes => "eyes",
        Reaction::Rocket => "rocket",
        Reaction::Confused => "confused",
        Reaction::ThumbsDown => "-1",
    }
}

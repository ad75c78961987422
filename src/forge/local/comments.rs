//! Comments, the edits of them, and reactions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::folder::{Folder, Locked};
use super::thread::{Spoken, Thread, body};
use super::{Activity, Actor, BOT_ID, Identified, LocalForge};
use crate::forge::{Comment, CommentId, ForgeError, Number, Permission, Person, PersonId, Reaction};

/// How many ids are looked at in one go: a page of the index of 21 kB.
const INDEX_PAGE: usize = 1_000;

impl LocalForge {
    /// Writes a comment.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the person may not read, or the text is empty or too long; [`ForgeError::NotFound`]
    /// if there is no such thread.
    pub async fn write_comment(
        &self,
        actor: impl Into<Actor>,
        thread: Number,
        text: &str,
    ) -> Result<CommentId, ForgeError> {
        let actor = actor.into();
        let known = self.permitted(&actor, Permission::Read, "comment").await?;
        let id = self.put_comment(known.person, actor.identified, thread, text).await?;
        self.tell(Activity::Comment(id, thread));
        Ok(id)
    }

    /// Changes a comment; only its author may.
    ///
    /// # Errors
    /// As [`LocalForge::write_comment`].
    pub async fn edit_comment(
        &self,
        actor: impl Into<Actor>,
        id: CommentId,
        text: &str,
    ) -> Result<(), ForgeError> {
        let actor = actor.into();
        let known = self.permitted(&actor, Permission::Read, "comment").await?;
        let (text, now) = (words(text)?, self.now());
        self.folder
            .writing(move |locked| {
                change(locked, id, |spoken| {
                    if spoken.author.id != known.person.id {
                        let reason = format!("{} wrote it", spoken.author.name);
                        return Err(ForgeError::Refused { what: format!("edit of comment {id}"), reason });
                    }
                    (spoken.body, spoken.updated_at) = (text, now);
                    Ok(())
                })
            })
            .await
    }

    pub(super) async fn put_comment(
        &self,
        author: Person,
        identified: Identified,
        thread: Number,
        text: &str,
    ) -> Result<CommentId, ForgeError> {
        let spoken = said(author, identified, words(text)?, self.now());
        self.folder.writing(move |locked| add(locked, thread, spoken)).await
    }

    pub(super) async fn read_comment(&self, id: CommentId) -> Result<Comment, ForgeError> {
        let thread = self.folder.reading(move |folder| folder.thread_of(id)).await?;
        let found = thread.as_ref().and_then(|thread| {
            let spoken = thread.comments.iter().find(|spoken| spoken.id == id)?;
            Some(spoken.comment(thread.number))
        });
        found.ok_or_else(|| no_comment(id))
    }

    /// Comments above `after`. The index is read before the threads, so an id that is seen is there to be read: a
    /// later one is never returned while an earlier one is being written.
    pub(super) async fn read_comments(
        &self,
        after: CommentId,
        limit: usize,
    ) -> Result<Vec<Comment>, ForgeError> {
        self.folder
            .reading(move |folder| {
                let (mut found, mut after) = (Vec::new(), after);
                while found.len() < limit {
                    let numbers = folder.index_after(after, INDEX_PAGE)?;
                    let Some(last) = after.checked_add(numbers.len() as u64).filter(|last| *last > after)
                    else {
                        break;
                    };
                    found.extend(page(folder, after, &numbers)?);
                    after = last;
                }
                found.truncate(limit);
                Ok(found)
            })
            .await
    }

    /// Writes our comment with this marker, or edits it, or leaves it where it says the same.
    pub(super) async fn keep_comment(
        &self,
        thread: Number,
        marker: &str,
        text: &str,
    ) -> Result<CommentId, ForgeError> {
        let line = marker_line(marker)?;
        let text = match text.lines().next() {
            Some(first) if first == line => body(text)?,
            Some(_) | None => body(&format!("{line}\n{text}"))?,
        };
        let before = self.folder.reading(move |folder| folder.thread(thread)).await?;
        if let Some(ours) = marked(&before, &line).filter(|ours| ours.body == text) {
            return Ok(ours.id);
        }
        let new = said(Self::bot(), Identified::Directly, text, self.now());
        self.folder
            .writing(move |locked| match marked(&locked.thread(thread)?, &line) {
                None => add(locked, thread, new),
                Some(ours) => {
                    change(locked, ours.id, |spoken| {
                        (spoken.body, spoken.updated_at) = (new.body, new.updated_at);
                        Ok(())
                    })?;
                    Ok(ours.id)
                }
            })
            .await
    }

    pub(super) async fn put_reaction(
        &self,
        comment: CommentId,
        reaction: Reaction,
    ) -> Result<(), ForgeError> {
        let thread = self.folder.reading(move |folder| folder.thread_of(comment)).await?;
        let thread = thread.ok_or_else(|| no_comment(comment))?;
        let mut spoken = thread.comments.iter().filter(|spoken| spoken.id == comment);
        if spoken.any(|spoken| spoken.reactions.get(&BOT_ID) == Some(&reaction)) {
            return Ok(());
        }
        let write = move |spoken: &mut Spoken| {
            spoken.reactions.insert(BOT_ID, reaction);
            Ok(())
        };
        self.folder.writing(move |locked| change(locked, comment, write)).await
    }
}

fn said(author: Person, identified: Identified, body: String, at: Timestamp) -> Spoken {
    let reactions = BTreeMap::new();
    Spoken { id: 0, author, identified, body, created_at: at, updated_at: at, reactions }
}

/// Our comment that begins with this line. Others may write the line too; theirs does not count.
fn marked<'thread>(thread: &'thread Thread, line: &str) -> Option<&'thread Spoken> {
    let ours = thread.comments.iter().filter(|spoken| spoken.author.id == BOT_ID);
    ours.into_iter().find(|spoken| spoken.body.lines().next().is_some_and(|first| first == line))
}

/// The comments of one page of the index; each thread is read once.
fn page(folder: &Folder, after: CommentId, numbers: &[Number]) -> Result<Vec<Comment>, ForgeError> {
    let mut threads: BTreeMap<Number, Option<Thread>> = BTreeMap::new();
    let mut found = Vec::new();
    for (id, number) in (after.saturating_add(1)..).zip(numbers) {
        if !threads.contains_key(number) {
            threads.insert(*number, folder.thread_if(*number)?);
        }
        let Some(Some(thread)) = threads.get(number) else { continue };
        let spoken = thread.comments.iter().find(|spoken| spoken.id == id);
        found.extend(spoken.map(|spoken| spoken.comment(thread.number)));
    }
    Ok(found)
}

fn add(locked: &Locked<'_>, number: Number, mut spoken: Spoken) -> Result<CommentId, ForgeError> {
    let mut thread = locked.thread(number)?;
    let (id, by) = (locked.next_id(number)?, spoken.author.id);
    spoken.id = id;
    thread.comments.push(spoken);
    put(locked, &thread, by)?;
    Ok(id)
}

fn change(
    locked: &Locked<'_>,
    id: CommentId,
    write: impl FnOnce(&mut Spoken) -> Result<(), ForgeError>,
) -> Result<(), ForgeError> {
    let mut thread = locked.thread_of(id)?.ok_or_else(|| no_comment(id))?;
    let spoken = thread.comments.iter_mut().find(|spoken| spoken.id == id).ok_or_else(|| no_comment(id))?;
    write(spoken)?;
    let by = spoken.author.id;
    put(locked, &thread, by)
}

/// People may fill half of a thread's room; lockkeeper itself must still be able to answer.
fn put(locked: &Locked<'_>, thread: &Thread, by: PersonId) -> Result<(), ForgeError> {
    if by == BOT_ID { locked.put(thread) } else { locked.put_said(thread) }
}

fn words(text: &str) -> Result<String, ForgeError> {
    if text.trim().is_empty() {
        return Err(ForgeError::Refused { what: "comment".to_owned(), reason: "it is empty".to_owned() });
    }
    body(text)
}

fn marker_line(marker: &str) -> Result<String, ForgeError> {
    if marker.is_empty() || marker.contains("--") || marker.contains(char::is_control) {
        let reason = "it must be one line without `--`".to_owned();
        return Err(ForgeError::Refused { what: "marker".to_owned(), reason });
    }
    Ok(format!("<!-- {marker} -->"))
}

fn no_comment(id: CommentId) -> ForgeError {
    ForgeError::NotFound { what: format!("comment {id}") }
}

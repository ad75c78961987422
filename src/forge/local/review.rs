//! Reviews: each is bound to the head that the reviewer saw.

use jiff::SignedDuration;

use super::folder::Locked;
use super::merge::moved;
use super::thread::{Given, REVIEWS_MAX};
use super::{Activity, Actor, LocalForge};
use crate::forge::{ForgeError, Number, Permission, Review, Verdict};
use crate::repository::CommitId;

impl LocalForge {
    /// Reviews a pull request. The same verdict again on the same head is no second review.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the person may not write, is its author or no person; [`ForgeError::Moved`] if it is
    /// not open or `head` is not its head any more.
    pub async fn review(
        &self,
        actor: impl Into<Actor>,
        number: Number,
        head: CommitId,
        verdict: Verdict,
    ) -> Result<u64, ForgeError> {
        let actor = actor.into();
        let what = format!("review of {number}");
        let known = self.permitted(&actor, Permission::Write, &what).await?;
        if known.person.bot {
            return Err(ForgeError::Refused { what, reason: format!("{} is an app", known.person.name) });
        }
        let author = self.current(number).await?.thread.author;
        if author.id == known.person.id {
            return Err(ForgeError::Refused { what, reason: format!("{} opened it", author.name) });
        }
        let at = self.now();
        let review = Review { id: 0, person: known.person, verdict, head, at };
        let given = Given { review, identified: actor.identified };
        let (id, is_news) = self.folder.writing(move |locked| put_review(locked, number, given)).await?;
        if is_news {
            self.tell(Activity::Review(number));
        }
        Ok(id)
    }
}

/// The id of the review, and whether it is news.
fn put_review(locked: &Locked<'_>, number: Number, mut given: Given) -> Result<(u64, bool), ForgeError> {
    let mut thread = locked.thread(number)?;
    if !thread.is_open() {
        return Err(moved(number, "it is not open any more".to_owned()));
    }
    let pull = thread.pull_mut()?;
    if pull.head != given.review.head {
        let reason = format!("head is at {}, the review is of {}", pull.head, given.review.head);
        return Err(moved(number, reason));
    }
    let latest = pull.reviews.iter().rfind(|other| other.review.person.id == given.review.person.id);
    if let Some(latest) = latest.filter(|latest| is_same(latest, &given)) {
        return Ok((latest.review.id, false));
    }
    if pull.reviews.len() >= REVIEWS_MAX {
        let reason = format!("it has {REVIEWS_MAX} reviews already");
        return Err(ForgeError::Refused { what: format!("review of {number}"), reason });
    }
    let id = locked.next_id(number)?;
    given.review.id = id;
    pull.reviews.push(given);
    locked.put(&thread)?;
    Ok((id, true))
}

/// The same verdict on the same head within this time is a button pressed twice; later it is said anew, and counts anew
/// (what was said before may be void by then).
const REPEAT_MAX: SignedDuration = SignedDuration::from_secs(5);

fn is_same(one: &Given, other: &Given) -> bool {
    let is_equal = one.review.verdict == other.review.verdict && one.review.head == other.review.head;
    is_equal && other.review.at.duration_since(one.review.at) < REPEAT_MAX
}

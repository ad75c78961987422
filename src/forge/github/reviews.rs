//! Reviews: what each person said of which head.

use super::GitHubForge;
use super::wire;
use crate::forge::{ForgeError, Number, Review, Verdict};

/// 10 pages of reviews of one pull request.
const PAGES_MAX: u32 = 10;

impl GitHubForge {
    /// All reviews that say something, oldest first. A comment changes no verdict, at GitHub as here. Of a pull request with
    /// more than are read nobody's counts: anybody may have written them, and nothing else waits for that.
    pub(super) async fn reviews(&self, number: Number) -> Result<Vec<Review>, ForgeError> {
        let path = self.path(format!("pulls/{number}/reviews"));
        let found = self.client.pages_within(&path, PAGES_MAX, |page: Vec<wire::Review>| page).await?;
        let found = found.unwrap_or_else(|| {
            tracing::warn!(number, pages = PAGES_MAX, "more reviews than are read: none counts");
            Vec::new()
        });
        Ok(found.into_iter().filter_map(read).collect())
    }
}

/// A review that is still being written, or whose commit is gone, is none.
fn read(review: wire::Review) -> Option<Review> {
    let verdict = match review.state.as_str() {
        "APPROVED" => Verdict::Approved,
        "CHANGES_REQUESTED" => Verdict::ChangesRequested,
        "DISMISSED" => Verdict::Dismissed,
        _ => return None,
    };
    Some(Review {
        id: review.id,
        person: wire::person(review.user),
        verdict,
        head: review.commit_id?.parse().ok()?,
        at: review.submitted_at?,
    })
}

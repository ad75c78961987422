//! The tags of a repository, page by page.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use http::HeaderMap;
use http::header::LINK;
use reqwest::Url;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::answer::untrusted;
use super::session::{Ask, Session};
use crate::image::Tag;
use crate::registry::RegistryError;

/// Most tags of one repository: 50,000 × 128 bytes is 6.4 MB at most, one tag for each of 50 commits a day for three
/// years. A longer list is an error and is not cut: the newest tag could be in the rest.
pub const TAGS_MAX: usize = 50_000;
/// Most pages read: large registries give 100 tags on a page, 50,000 / 100.
const PAGES_MAX: usize = 500;
/// Largest page: registries that do not page send all at once, 50,000 × (128 + 3) bytes.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many tags are asked for at once.
const PAGE_TAGS: usize = 1000;

#[derive(Deserialize)]
struct Page {
    /// `null` for an empty repository, at Distribution 2.
    tags: Option<Tags>,
}

/// The tags of a page, each once: a page of 8 MiB could hold 2,000,000 short texts, which would take 100 MB.
#[derive(Default)]
struct Tags {
    found: BTreeSet<Tag>,
    /// Whether it has texts that are no tags.
    has_others: bool,
}

/// All tags, sorted by bytes. Texts that are no tags are left out.
///
/// Source: OCI distribution specification 1.1, section "Listing Tags". Pages are chained by `Link` alone, because
/// Distribution 2 sends everything whatever `last` says. A page without a next one ends the list, and so does an empty one, to
/// which Distribution 3 may lead. A page with a next one that brings nothing new is no end: the rest of the list is not known,
/// and the newest tag could be in it.
///
/// # Errors
/// [`RegistryError::Untrusted`] past [`TAGS_MAX`], and for a chain that leaves the registry or goes in circles.
pub(super) async fn list(session: &Session, path: &str, what: &str) -> Result<Vec<Tag>, RegistryError> {
    let mut tags = BTreeSet::new();
    let mut url = session.url(&format!("/v2/{path}/tags/list?n={PAGE_TAGS}"))?;
    for _ in 0..PAGES_MAX {
        let ask = Ask { url: &url, accept: "application/json", bytes_max: PAGE_BYTES_MAX };
        let answer = session.get(path, &ask, what).await?;
        let page: Page = serde_json::from_slice(&answer.body)
            .map_err(|error| untrusted(what, format!("no list of tags: {error}")))?;
        let Tags { found, has_others } = page.tags.unwrap_or_default();
        let is_empty = found.is_empty() && !has_others;
        let is_known = !found.is_empty() && found.is_subset(&tags);
        tags.extend(found);
        if tags.len() > TAGS_MAX {
            return Err(untrusted(what, format!("it has more than {TAGS_MAX} tags")));
        }
        match next_page(&answer.headers, &url).map_err(|reason| untrusted(what, reason))? {
            Some(_) if is_known => {
                return Err(untrusted(what, "a page of its tags repeats others and is not the last"));
            }
            Some(next) if !is_empty => url = next,
            Some(_) | None => return Ok(tags.into_iter().collect()),
        }
    }
    Err(untrusted(what, format!("its tags fill more than {PAGES_MAX} pages")))
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TagsVisitor)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Tags;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tags, A::Error> {
        let mut tags = Tags::default();
        while let Some(text) = list.next_element::<Cow<'_, str>>()? {
            match text.parse() {
                Ok(tag) => _ = tags.found.insert(tag),
                Err(_) => tags.has_others = true,
            }
            if tags.found.len() > TAGS_MAX {
                return Err(A::Error::custom(format_args!("it has more than {TAGS_MAX} tags")));
            }
        }
        Ok(tags)
    }
}

/// The address of the next page, which has to be at the same registry: the credentials go there.
pub(super) fn next_page(headers: &HeaderMap, url: &Url) -> Result<Option<Url>, String> {
    let mut links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let Some(target) = links.find_map(next_target) else { return Ok(None) };
    let next = url.join(target).map_err(|_| format!("its next page `{target:.100}` is no address"))?;
    if next.origin() != url.origin() || !next.path().starts_with("/v2/") {
        return Err(format!("its next page `{target:.100}` is at another registry"));
    }
    Ok(Some(next))
}

/// The target of a link whose relation is `next`.
fn next_target(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim_start().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| {
        let relation = parameter.trim().trim_end_matches(',');
        relation.eq_ignore_ascii_case("rel=\"next\"") || relation.eq_ignore_ascii_case("rel=next")
    });
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: &str) -> Result<Option<String>, String> {
        let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
        let url = "https://reg.example:5000/v2/shop/web/tags/list?n=2".parse().unwrap();
        next_page(&headers, &url).map(|next| next.map(|next| next.to_string()))
    }

    #[test]
    fn the_next_page_is_at_the_same_registry() {
        let next = "https://reg.example:5000/v2/shop/web/tags/list?n=2&last=b";
        for link in [
            "</v2/shop/web/tags/list?n=2&last=b>; rel=\"next\"",
            "<https://reg.example:5000/v2/shop/web/tags/list?n=2&last=b>;rel=next",
        ] {
            assert_eq!(check(link).unwrap().as_deref(), Some(next), "{link}");
        }
        for link in ["</v2/x>; rel=\"prev\"", "/v2/x; rel=next", ""] {
            assert_eq!(check(link), Ok(None), "{link}");
        }
        for link in [
            "<https://evil.example/v2/shop>; rel=\"next\"",
            "<//evil.example:5000/v2/shop>; rel=\"next\"",
            "<http://reg.example:5000/v2/shop>; rel=\"next\"",
            "<https://reg.example/v2/shop>; rel=\"next\"",
            "</admin>; rel=\"next\"",
        ] {
            assert!(check(link).is_err(), "{link}");
        }
    }
}

//! Links to where an image says that it comes from: labels are other people's text, so only what lies below an address of
//! the settings is linked to.

use super::code;
use crate::image::Image;

/// Longest address that is linked to.
const ADDRESS_BYTES_MAX: usize = 200;
/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 12;

/// The commits between two images: a link where both are known and the source may be linked to, else their ids.
pub(super) fn commits(allowed: &[String], old: Option<&Image>, new: &Image) -> Option<String> {
    let revision = |image: &Image| image.label("revision").map(str::to_owned);
    let to = revision(new)?;
    let Some(from) = old.and_then(revision) else {
        return Some(format!("built from commit {}", commit(allowed, new, &to)));
    };
    if from == to {
        return Some(format!("from the same commit {}", commit(allowed, new, &to)));
    }
    let text = format!("from commit {} to {}", code(short(&from)), code(short(&to)));
    let is_known = old.and_then(Image::commit).is_some() && new.commit().is_some();
    let link = page(allowed, new).filter(|_| is_known).and_then(|page| {
        let way = if is_gitlab(&page) { "/-/compare" } else { "/compare" };
        (!is_other(&page)).then(|| format!("{page}{way}/{from}...{to}"))
    });
    Some(match link {
        Some(link) => format!("[{text}]({link})"),
        None => text,
    })
}

/// An address that may be linked to, as a link; else as text.
pub(super) fn link(allowed: &[String], text: &str) -> String {
    match checked(allowed, text) {
        Some(address) => format!("[{address}]({address})"),
        None => code(text),
    }
}

/// A commit of the image's source: a link where it may be linked to.
pub(super) fn commit(allowed: &[String], image: &Image, revision: &str) -> String {
    let shown = code(short(revision));
    let page = page(allowed, image).filter(|page| image.commit().is_some() && !is_other(page));
    page.map_or_else(
        || shown.clone(),
        |page| {
            let way = if is_gitlab(&page) { "/-/commit" } else { "/commit" };
            format!("[{shown}]({page}{way}/{revision})")
        },
    )
}

/// The page of the source.
fn page(allowed: &[String], image: &Image) -> Option<String> {
    let address = checked(allowed, image.label("source")?)?;
    Some(address.strip_suffix(".git").unwrap_or(&address).to_owned())
}

/// The address without a slash at its end, where it lies below one of those allowed and has nothing but plain letters.
fn checked(allowed: &[String], text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    let is_sound = text.len() <= ADDRESS_BYTES_MAX && rest.bytes().all(is_plain) && !rest.contains("..");
    let is_below = |prefix: &String| {
        let prefix = prefix.trim_end_matches('/');
        rest.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    (is_sound && allowed.iter().any(is_below)).then(|| text.to_owned())
}

/// GitLab has its pages elsewhere than GitHub, Gitea and Forgejo.
fn is_gitlab(page: &str) -> bool {
    host(page).split('.').any(|label| label.contains("gitlab"))
}

/// Whether the pages of commits are elsewhere again.
fn is_other(page: &str) -> bool {
    host(page).split('.').any(|label| label.contains("bitbucket"))
}

fn host(page: &str) -> &str {
    page.strip_prefix("https://").unwrap_or(page).split('/').next().unwrap_or_default()
}

fn short(revision: &str) -> &str {
    revision.get(..COMMIT_DIGITS).unwrap_or(revision)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::image::{Digest, LABEL_PREFIX};

    fn image(source: &str, revision: &str) -> Image {
        let label = |(key, value): (&str, &str)| (format!("{LABEL_PREFIX}{key}"), value.to_owned());
        Image {
            digest: Digest::of(b"x"),
            media_type: String::new(),
            platforms: Vec::new(),
            labels: [("source", source), ("revision", revision)]
                .map(label)
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            created: None,
            parts: Vec::new(),
            missing: Vec::new(),
        }
    }

    #[test]
    fn only_allowed_sources_are_linked_to() {
        let allowed =
            ["github.com/acme".to_owned(), "gitlab.example.com".to_owned(), "bitbucket.example".to_owned()];
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = "from commit `aaaaaaaaaaaa` to `bbbbbbbbbbbb`";
        let linked = |link: &str| format!("[{text}]({link}/{a}...{b})");
        for (source, want) in [
            ("https://github.com/acme/web", linked("https://github.com/acme/web/compare")),
            ("https://github.com/acme/web.git", linked("https://github.com/acme/web/compare")),
            ("https://gitlab.example.com/a/b/", linked("https://gitlab.example.com/a/b/-/compare")),
            ("https://bitbucket.example/a/b", text.to_owned()),
            ("https://github.com/acmevil/web", text.to_owned()),
            ("https://github.com.evil.example/acme", text.to_owned()),
            ("http://github.com/acme/web", text.to_owned()),
            ("https://user@github.com/acme/web", text.to_owned()),
            ("https://github.com/acme/../evil/web", text.to_owned()),
            ("https://github.com/acme/web) [x](https://evil.example", text.to_owned()),
            ("javascript:alert(1)", text.to_owned()),
            ("", text.to_owned()),
        ] {
            let found = commits(&allowed, Some(&image("", &a)), &image(source, &b)).unwrap();
            assert_eq!(found, want, "{source}");
        }
        let web = "https://github.com/acme/web";
        let one = image(web, "main");
        assert_eq!(commits(&allowed, Some(&one), &one).unwrap(), "from the same commit `main`");
        let built = commits(&allowed, None, &image(web, &a)).unwrap();
        assert_eq!(built, format!("built from commit [`aaaaaaaaaaaa`]({web}/commit/{a})"));
        assert_eq!(commits(&allowed, None, &image(web, "")), None);
    }
}

//! Tags that can be expected to name an image, by what is known of it.

use super::{Image, Tag};

/// Tags that move from one image to the next, in many places.
const MOVING: [&str; 3] = ["latest", "main", "stable"];
/// Hex digits of a commit in tags: what `git rev-parse --short` prints, and build tools after it.
const SHORT_COMMIT_DIGITS: usize = 7;

/// The tags that may name this image beside `known`, the likeliest first: other forms of its version, its commit, its
/// build, and the tags that move. Registries have no look-up from a digest to its tags, so these are asked one by one.
#[must_use]
pub fn expected_tags(image: &Image, known: Option<&Tag>, build: Option<&str>) -> Vec<Tag> {
    let mut texts = Vec::new();
    let version = [known.map(Tag::as_str), image.label("version")].into_iter().flatten().find(is_version);
    if let Some(version) = version {
        texts.extend(forms(version));
    }
    texts.push(MOVING[0].to_owned());
    if let Some(commit) = image.commit() {
        let short = commit.get(..SHORT_COMMIT_DIGITS).unwrap_or(commit);
        texts.extend([format!("git-{short}"), format!("sha-{short}"), short.to_owned(), commit.to_owned()]);
    }
    texts.extend(build.map(|build| format!("build-{build}")));
    texts.extend(MOVING[1..].iter().map(|&text| text.to_owned()));
    let mut tags: Vec<Tag> = Vec::new();
    for tag in texts.iter().filter_map(|text| text.parse::<Tag>().ok()) {
        if known != Some(&tag) && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// Whether the text begins as a version of three parts does.
fn is_version(text: &&str) -> bool {
    let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_number(parts.next())
        && is_number(parts.next())
        && parts.next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `1.4.2` and `v1.4.2`, then `1.4` and `1` of a version that is no pre-release.
fn forms(version: &str) -> Vec<String> {
    let bare = version.strip_prefix('v').unwrap_or(version);
    let mut forms = vec![bare.to_owned(), format!("v{bare}")];
    if !bare.contains(['-', '+']) {
        let mark = if bare.len() < version.len() { "v" } else { "" };
        let minor = bare.rsplit_once('.').map(|(minor, _)| minor);
        let major = bare.split_once('.').map(|(major, _)| major);
        forms.extend([minor, major].into_iter().flatten().map(|short| format!("{mark}{short}")));
    }
    forms
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Digest, LABEL_PREFIX};
    use super::*;

    fn check(known: &str, labels: &[(&str, &str)], build: Option<&str>, want: &str) {
        let labels = labels.iter().map(|(key, value)| (format!("{LABEL_PREFIX}{key}"), (*value).to_owned()));
        let image = Image {
            digest: Digest::of(b"x"),
            media_type: String::new(),
            platforms: Vec::new(),
            labels: labels.collect::<BTreeMap<_, _>>(),
            created: None,
            parts: Vec::new(),
            missing: Vec::new(),
        };
        let known = known.parse().ok();
        let found = expected_tags(&image, known.as_ref(), build);
        let found: Vec<&str> = found.iter().map(Tag::as_str).collect();
        assert_eq!(found.join(" "), want, "{known:?}");
    }

    #[test]
    fn tags_are_expected_by_version_commit_build_and_habit() {
        check("1.4.2", &[], None, "v1.4.2 1.4 1 latest main stable");
        check("v1.4.2", &[], None, "1.4.2 v1.4 v1 latest main stable");
        check("1.4.2-rc.1", &[], None, "v1.4.2-rc.1 latest main stable");
        check("main", &[("version", "2.0.0")], None, "2.0.0 v2.0.0 2.0 2 latest stable");
        check(
            "b7",
            &[("revision", "4f0c7f1a2b")],
            Some("7"),
            "latest git-4f0c7f1 sha-4f0c7f1 4f0c7f1 4f0c7f1a2b build-7 main stable",
        );
        check("b7", &[("version", "../x"), ("revision", "main")], Some("a/b"), "latest main stable");
        check("", &[], None, "latest main stable");
    }
}

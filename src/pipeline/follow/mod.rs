//! How a pipeline's first stage picks new digests.

use std::cmp::Ordering;

use serde::Serialize;

use super::{VersionRange, version_of};
use crate::image::Tag;

/// The rule by which new digests of one image are picked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Follow {
    /// The tag with the highest version in the range; versions do not move.
    Semver(VersionRange),
    /// One tag that moves; its digest counts.
    Tag(Tag),
}

/// When several images make one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Together {
    /// Any combination of the newest of each.
    Any,
    /// Only where all have the same tag.
    SameTag,
}

/// How two tags compare under a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The first is older.
    Older,
    /// Equal in rank: the same version, or the same moving tag; only the time they were seen tells.
    Same,
    /// The first is newer.
    Newer,
    /// They cannot be compared (a tag that is no version).
    Unknown,
}

impl Follow {
    /// Picks the tag to follow from all tags of the repository; none if no tag fits.
    ///
    /// Where two tags name the same version (`1.2.3` and `v1.2.3`), the one without `v` is picked, in whatever order
    /// they come: the pick must not change from one listing to the next. Tags that belong to another image, as
    /// signatures do (`sha256-…`), name no version and are refused as a tag to follow.
    #[must_use]
    pub fn pick<'a>(&self, tags: &'a [Tag]) -> Option<&'a Tag> {
        match self {
            Self::Semver(range) => tags
                .iter()
                .filter_map(|tag| Some((version_of(tag.as_str())?, tag)))
                .filter(|(version, _)| range.matches(version))
                .max_by(|(one, tag), (other, other_tag)| {
                    one.cmp_precedence(other).then_with(|| other_tag.as_str().cmp(tag.as_str()))
                })
                .map(|(_, tag)| tag),
            Self::Tag(wanted) => tags.iter().find(|tag| *tag == wanted && !belongs_to_another_image(tag)),
        }
    }

    /// How `one` compares with `other` under this rule.
    ///
    /// Versions outside of the range compare as well: what a stage runs may be older than the range.
    #[must_use]
    pub fn compare(&self, one: Option<&Tag>, other: Option<&Tag>) -> Order {
        let (Some(one), Some(other)) = (one, other) else { return Order::Unknown };
        match self {
            Self::Semver(_) => {
                let versions = version_of(one.as_str()).zip(version_of(other.as_str()));
                versions.map_or(Order::Unknown, |(one, other)| match one.cmp_precedence(&other) {
                    Ordering::Less => Order::Older,
                    Ordering::Equal => Order::Same,
                    Ordering::Greater => Order::Newer,
                })
            }
            Self::Tag(followed) if one == followed && other == followed => Order::Same,
            Self::Tag(_) => Order::Unknown,
        }
    }
}

/// Whether the tag is the name under which registries without a referrers endpoint keep signatures and the like.
///
/// Source: OCI distribution specification 1.1, section "Referrers tag schema": `<algorithm>-<digest>`, cut to length;
/// cosign adds `.sig`, `.att`, `.sbom`.
pub(super) fn belongs_to_another_image(tag: &Tag) -> bool {
    let hex = |prefix| tag.as_str().strip_prefix(prefix).map(|rest| rest.split('.').next().unwrap_or(rest));
    let found = hex("sha256-").or_else(|| hex("sha512-"));
    found.is_some_and(|hex| hex.len() >= 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn follow(rule: &str) -> Follow {
        match rule.strip_prefix("tag ") {
            Some(tag) => Follow::Tag(tag.parse().unwrap()),
            None => Follow::Semver(rule.parse().unwrap()),
        }
    }

    fn check(rule: &str, tags: &str, want: Option<&str>) {
        let mut tags: Vec<Tag> = tags.split_whitespace().map(|tag| tag.parse().unwrap()).collect();
        for _ in 0..2 {
            assert_eq!(follow(rule).pick(&tags).map(Tag::as_str), want, "{rule} of {tags:?}");
            tags.reverse();
        }
    }

    #[test]
    fn the_highest_version_in_the_range_is_picked() {
        check(">=1.4, <2", "1.3.9 1.4.0 1.10.0 1.9.0 2.0.0", Some("1.10.0"));
        check(">=1.4, <2", "1.3.9 2.0.0 latest main 1 1.4", None);
        check("*", "", None);
        check("*", "1.0.0 1.1.0-rc.1", Some("1.0.0"));
        check(">=1.1.0-0", "1.0.0 1.1.0-rc.1 1.1.0-rc.10 1.1.0-rc.9", Some("1.1.0-rc.10"));
    }

    #[test]
    fn of_two_spellings_of_one_version_the_one_without_v_is_picked() {
        check("*", "1.2.3 v1.2.3", Some("1.2.3"));
        check("*", "1.2.2 v1.2.3", Some("v1.2.3"));
    }

    #[test]
    fn signatures_are_never_picked() {
        let hex = "0f".repeat(32);
        for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("sha512-{hex}")] {
            check(&format!("tag {tag}"), &format!("{tag} 1.0.0"), None);
            check("*", &format!("{tag} 1.0.0"), Some("1.0.0"));
        }
        check("tag sha256-abc", "sha256-abc", Some("sha256-abc"));
    }

    #[test]
    fn a_moving_tag_is_picked_by_its_name() {
        check("tag main", "dev main 1.0.0", Some("main"));
        check("tag main", "dev", None);
    }

    #[test]
    fn tags_compare_by_the_rule() {
        let semver = ">=1.4 <2";
        for (rule, one, other, want) in [
            (semver, "1.4.0", "1.4.1", Order::Older),
            (semver, "1.10.0", "1.9.0", Order::Newer),
            (semver, "v1.4.0", "1.4.0", Order::Same),
            (semver, "0.1.0", "3.0.0", Order::Older),
            (semver, "1.4.0-rc.1", "1.4.0", Order::Older),
            (semver, "main", "1.4.0", Order::Unknown),
            (semver, "main", "main", Order::Unknown),
            (semver, "", "1.4.0", Order::Unknown),
            (semver, "1.4.0", "", Order::Unknown),
            ("tag main", "main", "main", Order::Same),
            ("tag main", "main", "1.0.0", Order::Unknown),
            ("tag main", "dev", "dev", Order::Unknown),
            ("tag main", "", "", Order::Unknown),
        ] {
            let tag = |text: &str| text.parse::<Tag>().ok();
            assert_eq!(
                follow(rule).compare(tag(one).as_ref(), tag(other).as_ref()),
                want,
                "{rule}: {one} {other}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_order_has_two_sides_and_the_pick_is_newest(texts in prop::collection::vec("v?[0-9]{1,2}\\.[0-9]\\.[0-9](-rc\\.[0-9])?|[a-z0-9._-]{1,12}", 0..8)) {
            let tags: Vec<Tag> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            let rule = follow("* || >=0.0.0-0");
            for tag in &tags {
                for other in &tags {
                    let back = match rule.compare(Some(other), Some(tag)) {
                        Order::Older => Order::Newer,
                        Order::Newer => Order::Older,
                        same @ (Order::Same | Order::Unknown) => same,
                    };
                    prop_assert_eq!(rule.compare(Some(tag), Some(other)), back);
                }
            }
            if let Some(picked) = rule.pick(&tags) {
                let is_released = |tag: &&Tag| version_of(tag.as_str()).is_some_and(|version| version.pre.is_empty());
                for tag in tags.iter().filter(is_released) {
                    prop_assert_ne!(rule.compare(Some(picked), Some(tag)), Order::Older);
                }
            }
        }
    }
}

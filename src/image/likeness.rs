//! How much two images with different digests have in common.

use std::collections::BTreeSet;
use std::fmt;

use super::{Image, Part, Platform};

/// What two images have in common, the most first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Likeness {
    /// One digest.
    Same,
    /// One is the manifest of this platform in the index that the other is.
    PartOf(Platform),
    /// The manifests of all their platforms are the same; only what is wrapped around them differs.
    SameManifests,
    /// The manifests of these platforms are the same, those of others are not, or only one of the two has them.
    SomeManifests(Vec<Platform>),
    /// Other manifests over the same configurations and layers, on these platforms.
    SameContent(Vec<Platform>),
    /// Other configurations over the same layers, on these platforms.
    SameLayers(Vec<Platform>),
    /// So many layers of the larger count, on this platform.
    SomeLayers(Platform, usize, usize),
    /// Nothing that could be seen.
    Nothing,
}

impl Likeness {
    /// What `one` and `other` have in common.
    #[must_use]
    pub fn of(one: &Image, other: &Image) -> Self {
        if one.digest == other.digest {
            return Self::Same;
        }
        if let Some(platform) = part_of(one, other).or_else(|| part_of(other, one)) {
            return Self::PartOf(platform);
        }
        let pairs: Vec<(&Part, &Part)> =
            one.parts.iter().filter_map(|part| Some((part, other.part(&part.platform)?))).collect();
        let where_equal = |is_equal: fn(&Part, &Part) -> bool| -> Vec<Platform> {
            let equal = pairs.iter().filter(|(left, right)| is_equal(left, right));
            equal.map(|(part, _)| part.platform.clone()).collect()
        };
        let manifests = where_equal(|left, right| left.manifest == right.manifest);
        if !manifests.is_empty() {
            let is_all = [one, other].iter().all(|image| image.parts.len() == manifests.len());
            return if is_all { Self::SameManifests } else { Self::SomeManifests(manifests) };
        }
        let content = where_equal(|left, right| left.content.is_some() && left.content == right.content);
        if !content.is_empty() {
            return Self::SameContent(content);
        }
        let layers = where_equal(has_same_layers);
        if !layers.is_empty() {
            return Self::SameLayers(layers);
        }
        let some = one.growth(other).find(|(_, growth)| growth.shared > 0);
        some.map_or(Self::Nothing, |(platform, growth)| {
            Self::SomeLayers(platform.clone(), growth.shared, growth.shared + growth.new)
        })
    }
}

fn part_of(part: &Image, index: &Image) -> Option<Platform> {
    index.parts.iter().find(|found| found.manifest == part.digest).map(|found| found.platform.clone())
}

fn has_same_layers(left: &Part, right: &Part) -> bool {
    matches!((&left.content, &right.content), (Some(left), Some(right)) if !left.layers.is_empty() && left.layers == right.layers)
}

impl fmt::Display for Likeness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |platforms: &[Platform]| {
            let names: BTreeSet<String> = platforms.iter().map(ToString::to_string).collect();
            names.into_iter().collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Same => formatter.write_str("one digest"),
            Self::PartOf(platform) => {
                write!(formatter, "one is the manifest for {platform} in the other, an index")
            }
            Self::SameManifests => {
                formatter.write_str("the same manifest for every platform, inside different indexes")
            }
            Self::SomeManifests(platforms) => {
                write!(
                    formatter,
                    "the same manifest for {} alone, inside different indexes",
                    named(platforms)
                )
            }
            Self::SameContent(platforms) => {
                write!(
                    formatter,
                    "the same configuration and layers for {}, in another manifest",
                    named(platforms)
                )
            }
            Self::SameLayers(platforms) => {
                write!(formatter, "the same layers for {}, with another configuration", named(platforms))
            }
            Self::SomeLayers(platform, shared, all) => {
                write!(formatter, "{shared} of {all} layers are the same for {platform}")
            }
            Self::Nothing => formatter.write_str("nothing in common"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Content, Digest, Layer};
    use super::*;

    /// An image of platforms, each with its manifest, configuration and layers; the digest of a single one is that of
    /// its manifest.
    fn image(name: &str, parts: &[(&str, &str, &str, &[&str])]) -> Image {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let layer = |text: &&str| Layer { digest: digest(text), bytes: 1 };
        let part = |(platform, manifest, config, layers): &(&str, &str, &str, &[&str])| Part {
            platform: platform.parse().unwrap(),
            manifest: digest(manifest),
            content: Some(Content { config: digest(config), layers: layers.iter().map(layer).collect() }),
        };
        let parts: Vec<Part> = parts.iter().map(part).collect();
        Image {
            digest: digest(name),
            media_type: String::new(),
            platforms: parts.iter().map(|part| part.platform.clone()).collect(),
            labels: BTreeMap::new(),
            created: None,
            parts,
            missing: Vec::new(),
        }
    }

    #[test]
    fn the_most_that_two_have_in_common_is_told() {
        let (amd, arm) = ("linux/amd64", "linux/arm64");
        let index = image("index", &[(amd, "m", "c", &["a", "b"]), (arm, "n", "d", &["e"])]);
        for (other, want) in [
            (index.clone(), "one digest"),
            (
                image("m", &[(amd, "m", "c", &["a", "b"])]),
                "one is the manifest for linux/amd64 in the other, an index",
            ),
            (
                image("wrapped", &[(amd, "m", "c", &["a", "b"]), (arm, "n", "d", &["e"])]),
                "the same manifest for every platform, inside different indexes",
            ),
            (
                image("fewer", &[(amd, "m", "c", &["a", "b"])]),
                "the same manifest for linux/amd64 alone, inside different indexes",
            ),
            (
                image("o", &[(amd, "o", "c", &["a", "b"])]),
                "the same configuration and layers for linux/amd64, in another manifest",
            ),
            (
                image("o", &[(amd, "o", "x", &["a", "b"]), (arm, "p", "y", &["e"])]),
                "the same layers for linux/amd64, linux/arm64, with another configuration",
            ),
            (image("o", &[(amd, "o", "x", &["a", "z"])]), "1 of 2 layers are the same for linux/amd64"),
            (image("o", &[(amd, "o", "x", &["z"])]), "nothing in common"),
            (image("o", &[("linux/s390x", "m2", "c", &["a", "b"])]), "nothing in common"),
        ] {
            assert_eq!(Likeness::of(&index, &other).to_string(), want);
            assert_eq!(Likeness::of(&other, &index).to_string(), want);
        }
    }
}

//! The platform of an image: operating system, architecture, variant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A platform, written `os/architecture[/variant]`, such as `linux/arm64` or `linux/arm/v7`.
///
/// Source: OCI image specification 1.1, image index, property `platform`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system, `linux` for most.
    pub os: String,
    /// The CPU architecture, in Go's names: `amd64`, `arm64`, …
    pub architecture: String,
    /// The variant of the CPU, `v7` for instance.
    pub variant: Option<String>,
}

/// The text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("platform `{found}` is not `os/architecture` or `os/architecture/variant`")]
pub struct PlatformError {
    found: String,
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty()
                && part.len() <= 32
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_word) {
            return Err(PlatformError { found: text.chars().take(100).collect() });
        }
        Ok(Self {
            os: parts[0].to_owned(),
            architecture: parts[1].to_owned(),
            variant: parts.get(2).map(|&variant| variant.to_owned()),
        })
    }
}

impl Platform {
    /// Whether this platform serves what `wanted` asks for: a wanted platform without a variant accepts any.
    #[must_use]
    pub fn serves(&self, wanted: &Self) -> bool {
        self.is_alike(wanted) && (wanted.variant.is_none() || wanted.usual_variant() == self.usual_variant())
    }

    /// Whether an image for this platform runs on every machine on which one for `other` ran: on the same variant, or on
    /// an older one. `linux/arm/v6` stands in for `linux/arm/v7`, and not the other way round.
    #[must_use]
    pub fn stands_in_for(&self, other: &Self) -> bool {
        if !self.is_alike(other) {
            return false;
        }
        match (self.variant_number(), other.variant_number()) {
            (Some(own), Some(others)) => own <= others,
            _ => self.variant == other.variant,
        }
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.os == other.os && self.architecture == other.architecture
    }

    /// The variant, or the one that is meant where none is named.
    ///
    /// Source: containerd 2.0, `platforms/database.go`, `normalizeArch`.
    fn usual_variant(&self) -> Option<&str> {
        let written = self.variant.as_deref();
        match (self.architecture.as_str(), written) {
            ("amd64", None) => Some("v1"),
            ("arm", None | Some("7")) => Some("v7"),
            ("arm64", None | Some("8")) => Some("v8"),
            _ => written,
        }
    }

    /// The number of a variant that counts up, each running what the ones before it run.
    fn variant_number(&self) -> Option<u32> {
        let is_counted = matches!(self.architecture.as_str(), "amd64" | "arm" | "arm64");
        let variant = self.usual_variant().filter(|_| is_counted)?;
        variant.strip_prefix('v').unwrap_or(variant).parse().ok()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_parse_and_print_the_same() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for bad in ["", "linux", "linux/", "linux/arm/v7/x", "linux /amd64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wanted_platform_without_variant_accepts_any_variant() {
        let found: Platform = "linux/arm64/v8".parse().unwrap();
        assert!(found.serves(&"linux/arm64".parse().unwrap()));
        assert!(found.serves(&"linux/arm64/v8".parse().unwrap()));
        assert!(!found.serves(&"linux/arm64/v9".parse().unwrap()));
    }

    #[test]
    fn an_image_for_an_older_variant_stands_in_and_not_the_other_way_round() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        for (found, had, want) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/arm64", "linux/amd64", false),
            ("windows/amd64", "linux/amd64", false),
            ("linux/arm/v6", "linux/arm/v7", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm", "linux/arm/v6", false),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/8", "linux/arm64", true),
            ("linux/amd64/v3", "linux/amd64", false),
            ("linux/amd64", "linux/amd64/v3", true),
            ("linux/arm/odd", "linux/arm/odd", true),
            ("linux/arm/odd", "linux/arm/v7", false),
            ("linux/riscv64/v2", "linux/riscv64/v1", false),
        ] {
            assert_eq!(platform(found).stands_in_for(&platform(had)), want, "{found} for {had}");
        }
        assert!(platform("linux/arm64").serves(&platform("linux/arm64/v8")));
        assert!(platform("linux/arm/v7").serves(&platform("linux/arm")));
        assert!(!platform("linux/arm/v6").serves(&platform("linux/arm/v7")));
    }
}

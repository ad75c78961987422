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
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || wanted.variant_meant() == self.variant_meant())
    }

    /// The variant, also where it goes without saying: some builders write it for arm64, others do not. Of `arm` there is
    /// none to be assumed.
    ///
    /// Source: the OCI image specification 1.1, "Platform Variants" (`arm64` has `v8`); containerd's platforms package
    /// reads `linux/arm64` and `linux/arm64/v8`, `linux/amd64` and `linux/amd64/v1` alike.
    fn variant_meant(&self) -> Option<&str> {
        let default = match self.architecture.as_str() {
            "arm64" => Some("v8"),
            "amd64" => Some("v1"),
            _ => None,
        };
        self.variant.as_deref().or(default)
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
    fn a_variant_that_goes_without_saying_is_the_same_unsaid() {
        for (found, wanted, want) in [
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64", "linux/arm64/v9", false),
            ("linux/arm64/v9", "linux/arm64/v8", false),
            ("linux/amd64", "linux/amd64/v1", true),
            ("linux/amd64", "linux/amd64/v3", false),
            ("linux/arm", "linux/arm/v7", false),
            ("linux/arm/v6", "linux/arm", true),
            ("windows/arm64", "linux/arm64/v8", false),
        ] {
            let read = |text: &str| text.parse::<Platform>().unwrap();
            assert_eq!(read(found).serves(&read(wanted)), want, "{found} for {wanted}");
        }
    }
}

//! Image references and their parts.

use std::sync::LazyLock;

use lockkeeper::image::{Digest, Platform, Reference, Repository, Tag};
use lockkeeper::pipeline::{VersionRange, duration_text, parse_duration};
use regex::Regex;

/// `<name>`, `<tag>` and `<digest>` of the OCI distribution specification 1.1 (our algorithm alone), behind a host as
/// the distribution project's `reference` package has it.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let label = "[a-zA-Z0-9][a-zA-Z0-9-]*";
    let host = format!(r"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:.]+\])(?::[0-9]+)?");
    let component = "[a-z0-9]+(?:(?:[.]|_|__|[-]+)[a-z0-9]+)*";
    let name = format!("(?:{host}/)?{component}(?:/{component})*");
    let tag = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";
    Regex::new(&format!("^{name}(?::{tag})?(?:@sha256:[a-f0-9]{{64}})?$")).unwrap()
});

/// What is read is of the grammar and reads back; two spellings of one repository have one canonical name.
pub fn references(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(reference) = text.parse::<Reference>() {
        assert!(REFERENCE.is_match(&text), "{text:?} is no reference");
        assert_eq!(reference.to_string(), text);
        check_repository(&reference.repository);
    }
    if let Ok(repository) = text.parse::<Repository>() {
        check_repository(&repository);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(format!("r:{tag}").parse::<Reference>().unwrap().tag, Some(tag));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!((digest.to_string().as_str(), digest.hex().len(), digest.short().len()), (&*text, 64, 12));
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>().as_ref(), Ok(&platform));
    }
    check_ranges(&text);
}

fn check_repository(repository: &Repository) {
    let canonical: Repository = repository.canonical().parse().unwrap();
    assert!(canonical.is_same(repository) && repository.is_same(&canonical));
    assert_eq!(canonical.canonical(), canonical.as_str(), "a canonical name is its own");
    assert!(canonical.host().is_some() && repository.as_str().ends_with(repository.short_name()));
}

fn check_ranges(text: &str) {
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&duration_text(duration)), Ok(duration), "{text}");
    }
    let Ok(range) = text.parse::<VersionRange>() else { return };
    assert_eq!(range.to_string().parse::<VersionRange>().as_ref(), Ok(&range));
}

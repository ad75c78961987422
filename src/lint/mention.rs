//! A place that names an image to be pulled.

use crate::image::{Digest, Reference, Repository, Tag};
use crate::manifest::Form;

use super::place::Region;

/// A place that names an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Where.
    pub region: Region,
    /// How it is written, or what the fields together say.
    pub text: String,
    /// The repository; none where a variable is part of its name.
    pub image: Option<Repository>,
    /// The tag.
    pub tag: Option<Tag>,
    /// The digest.
    pub digest: Option<Digest>,
    /// What no tag means here.
    pub untagged: Untagged,
    /// What kind of place it is.
    pub source: Source,
    /// The document and place that a change of the pin names; none where lockkeeper changes nothing.
    pub place: Option<(usize, String)>,
}

/// What a reference without tag and digest means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untagged {
    /// `latest`.
    Latest,
    /// What another file says: a chart, or the manifest that a kustomization changes.
    Elsewhere,
}

/// Where images are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A pin of a manifest.
    Manifest(Form),
    /// A CI file.
    Ci,
    /// A Dockerfile.
    Dockerfile,
    /// A command of a script.
    Script,
}

/// The tag that moves with every push, and that no tag means.
pub(super) const LATEST: &str = "latest";

impl Mention {
    /// Whether `latest` decides what is pulled.
    #[must_use]
    pub fn means_latest(&self) -> bool {
        self.digest.is_none()
            && match &self.tag {
                Some(tag) => tag.as_str() == LATEST,
                None => self.untagged == Untagged::Latest,
            }
    }
}

/// What a text that container tools would pull says; none where variables hide it, or where it is no reference.
pub(super) fn said(text: &str) -> Option<Said> {
    if text.contains(['$', '%', '<', '{', '`']) {
        // The name is not known, the tag is.
        let name = text.strip_suffix(":latest").filter(|name| !name.is_empty() && !name.ends_with('/'))?;
        let has_end = name.ends_with('}') || name.ends_with(')') || name.ends_with(is_of_name);
        return has_end.then(|| Said { image: None, tag: LATEST.parse().ok(), digest: None });
    }
    let Reference { repository, tag, digest } = text.parse().ok()?;
    Some(Said { image: Some(repository), tag, digest })
}

fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// What a reference says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) image: Option<Repository>,
    pub(super) tag: Option<Tag>,
    pub(super) digest: Option<Digest>,
}

impl Said {
    /// The mention that it is, where nothing but the text says what is pulled.
    pub(super) fn mention(self, region: Region, text: &str, source: Source) -> Mention {
        let Self { image, tag, digest } = self;
        let text = text.to_owned();
        Mention { region, text, image, tag, digest, untagged: Untagged::Latest, source, place: None }
    }
}

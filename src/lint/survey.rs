//! One file: what it names, and what of it cannot be read.

use crate::image::Reference;
use crate::manifest::{self, Beside, Form, Pin, ReadError};

use super::kind::Kind;
use super::kustomize::{self, Kustomization};
use super::mention::{Mention, Source, Untagged};
use super::place::{Lines, Region};
use super::script::Scripts;
use super::shell::Breaks;
use super::{ci, dockerfile};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its path from the root of the checkout, `/` between parts.
    pub file: String,
    /// What it is.
    pub kind: Kind,
    /// Whether its findings are asked for; others are read for what they say about these.
    pub is_asked: bool,
    /// The images that it names.
    pub mentions: Vec<Mention>,
    /// What cannot be read.
    pub unread: Vec<Unread>,
    /// What it says as a kustomization.
    pub kustomization: Option<Kustomization>,
}

/// A file or place that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where.
    pub region: Region,
    /// The place; none where it is the whole file.
    pub path: Option<String>,
    /// Why, as a fragment.
    pub reason: String,
    /// Whether it is a template, which becomes YAML only later.
    pub is_template: bool,
}

impl Survey {
    /// Reads a file; `marked` are the places that `lockkeeper.yaml` names in it.
    #[must_use]
    pub fn of(file: &str, kind: Kind, bytes: &[u8], marked: &[&str]) -> Self {
        let mut survey = Self {
            file: file.to_owned(),
            kind,
            is_asked: true,
            mentions: Vec::new(),
            unread: Vec::new(),
            kustomization: None,
        };
        let text = String::from_utf8_lossy(bytes);
        let lines = Lines::of(&text);
        let read = match kind {
            Kind::Manifest => survey.manifest(bytes, marked, &lines),
            Kind::GitHub | Kind::GitLab | Kind::OtherCi => {
                ci::mentions(kind, bytes, &lines).map(|mentions| survey.mentions = mentions)
            }
            Kind::Dockerfile => {
                survey.mentions = dockerfile::mentions(&text, &lines);
                Ok(())
            }
            Kind::Script => {
                let mut scripts = Scripts::of(&lines);
                scripts.read(&text, 0..text.len(), Breaks::End);
                survey.mentions = scripts.into_mentions();
                Ok(())
            }
        };
        if let Err(ReadError { line, reason }) = read {
            let is_template = memchr::memmem::find(bytes, b"{{").is_some();
            let region = lines.line(line);
            survey.unread.push(Unread { region, path: None, reason, is_template });
        }
        survey
    }

    fn manifest(&mut self, bytes: &[u8], marked: &[&str], lines: &Lines<'_>) -> Result<(), ReadError> {
        let found = manifest::find(bytes, marked)?;
        let pins = found.pins.into_iter().filter(|pin| pin.beside != Beside::Build);
        self.mentions = pins.map(|pin| mention(pin, lines)).collect();
        self.unread = found
            .unreadable
            .into_iter()
            .map(|place| Unread {
                region: lines.line(place.line),
                path: Some(place.path),
                is_template: place.reason.starts_with("value is a template"),
                reason: place.reason,
            })
            .collect();
        if kustomize::is_kustomization(&self.file) {
            self.kustomization = Some(kustomize::read(bytes)?);
        }
        Ok(())
    }
}

fn mention(pin: Pin, lines: &Lines<'_>) -> Mention {
    let at_span = lines.region(pin.span.clone());
    let region = if at_span.line == pin.line { at_span } else { lines.line(pin.line) };
    let says_all = matches!(pin.form, Form::Container | Form::Compose | Form::Marked);
    let Pin { repository, tag, digest, beside, .. } = pin;
    let untagged = if says_all && beside == Beside::Nothing { Untagged::Latest } else { Untagged::Elsewhere };
    let (tag, place) = match (tag, beside) {
        // Two fields that only a chart puts together: a change of one would leave the other behind.
        (None, Beside::Tag(Some(tag))) => (Some(tag), None),
        (tag, Beside::Nothing | Beside::Tag(_) | Beside::Build) => (tag, Some((pin.document, pin.path))),
    };
    let text = Reference { repository: repository.clone(), tag: tag.clone(), digest }.to_string();
    Mention {
        region,
        text,
        image: Some(repository),
        tag,
        digest,
        untagged,
        source: Source::Manifest(pin.form),
        place,
    }
}

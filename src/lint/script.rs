//! Scripts and Dockerfiles as mentions.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::image::{Reference, Tag};

use super::mention::{LATEST, Mention, Said, Source, said};
use super::place::{Lines, Region};
use super::shell::{self, Breaks, Pulls};

/// What the scripts of one file pull, and what they build.
#[derive(Debug)]
pub(super) struct Scripts<'l> {
    lines: &'l Lines<'l>,
    mentions: Vec<Mention>,
    built: BTreeSet<String>,
}

impl<'l> Scripts<'l> {
    pub(super) fn of(lines: &'l Lines<'l>) -> Self {
        Self { lines, mentions: Vec::new(), built: BTreeSet::new() }
    }

    /// Reads the script that stands at these bytes.
    pub(super) fn read(&mut self, text: &str, at: Range<usize>, breaks: Breaks) {
        let lines = self.lines;
        self.each(text, at, breaks, |span| lines.region(span));
    }

    /// Reads a script that the file at these bytes writes in another way: all that it names stands there.
    pub(super) fn read_decoded(&mut self, text: &str, at: Range<usize>) {
        let region = self.lines.region(at);
        self.each(text, 0..text.len(), Breaks::End, |_| region);
    }

    fn each(
        &mut self,
        text: &str,
        at: Range<usize>,
        breaks: Breaks,
        region: impl Fn(Range<usize>) -> Region,
    ) {
        for command in shell::commands(text, at, breaks) {
            let Pulls { references, set, built } = shell::pulls(&command);
            for word in references {
                if let Some(said) = said(&word.text) {
                    let region = region(word.span);
                    self.mentions.push(said.mention(region, &word.text, Source::Script));
                }
            }
            for word in set {
                let said = Said { image: None, tag: LATEST.parse().ok(), digest: None };
                let region = region(word.span);
                self.mentions.push(said.mention(region, &word.text, Source::Script));
            }
            for name in built {
                self.builds(&name);
            }
        }
    }

    /// Notes a name that an image of its own gets.
    pub(super) fn builds(&mut self, name: &str) {
        self.built.insert(full(name));
    }

    /// All mentions but those of images that the file builds itself.
    pub(super) fn into_mentions(self) -> Vec<Mention> {
        let Self { mentions, built, .. } = self;
        mentions.into_iter().filter(|mention| !built.contains(&full(&mention.text))).collect()
    }
}

/// A reference with the tag that it means, in one spelling.
fn full(text: &str) -> String {
    match text.parse::<Reference>() {
        Ok(Reference { repository, tag, digest: None }) => {
            let tag = tag.as_ref().map_or(LATEST, Tag::as_str);
            format!("{}:{tag}", repository.canonical())
        }
        // A name with variables in it.
        Err(_) if text.rsplit(['/', '}']).next().is_some_and(|end| !end.contains([':', '@'])) => {
            format!("{text}:{LATEST}")
        }
        Ok(_) | Err(_) => text.to_owned(),
    }
}

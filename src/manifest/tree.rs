//! The nodes of one document with the exact bytes where each stands.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;

use granit_parser::{ScalarStyle, StructureStyle};

use super::document::Document;
use super::{ReadError, build};

/// Deepest nesting, as deep as the reader of the proof goes; manifests stay below 30.
pub(super) const DEPTH_MAX: usize = 128;
/// Most nodes of a document: 1,000,000 of 80 bytes are 80 MB; a bundle of 5 MB has 350,000.
pub(super) const NODES_MAX: usize = 1_000_000;
/// Most entries looked at to merge them in one document: twice as many as it can have nodes.
const MERGED_MAX: usize = 2 * NODES_MAX;

/// A node of a [`Tree`]; made by it alone, so it is always in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) u32);

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Scalar { text: Cow<'a, str>, style: ScalarStyle },
    Sequence { first: Option<Id> },
    Mapping { first: Option<Id>, style: StructureStyle },
    Alias { of: Id },
}

/// How a node is tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tagged {
    No,
    /// `!!str` or `!`.
    Text,
    Other,
}

/// A node: what it is and where it stands in the document.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) tagged: Tagged,
    /// The line in the file, from 1.
    pub(super) line: usize,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) next: Option<Id>,
}

/// One key and value of a mapping, own or merged into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'t> {
    pub(super) key: &'t str,
    pub(super) key_id: Id,
    /// As written: perhaps an alias.
    pub(super) value: Id,
    /// The number in its own mapping; none where it was merged in.
    pub(super) ordinal: Option<usize>,
}

/// One document as nodes.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Option<Id>,
    pub(super) has_aliases: bool,
    /// Entries that were looked at to merge them: `<<` multiplies, so they are counted.
    pub(super) merged: Cell<usize>,
}

impl Node<'_> {
    /// The bytes of the document; empty where the node is left out.
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text of a scalar that is no null; none for other nodes and other tags than `!!str`.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if self.tagged != Tagged::Other && !self.is_null() => Some(text),
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => None,
        }
    }

    /// The text of a scalar with another tag than `!!str`.
    pub(super) fn text_of_own_tag(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if self.tagged == Tagged::Other => Some(text),
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => None,
        }
    }

    /// Whether it is a scalar that reads as null: left out, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, style: ScalarStyle::Plain } => {
                self.tagged == Tagged::No && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL")
            }
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => false,
        }
    }
}

impl<'a> Tree<'a> {
    /// Reads one document.
    pub(super) fn parse(document: &'a Document<'a>) -> Result<Self, ReadError> {
        build::build(document)
    }

    pub(super) fn root(&self) -> Option<Id> {
        self.root.map(|root| self.resolve(root))
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// The node that an alias stands for; any other node itself.
    pub(super) fn resolve(&self, id: Id) -> Id {
        match self.node(id).kind {
            Kind::Alias { of } => of,
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } => id,
        }
    }

    /// The text of a node, aliases followed.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        self.node(self.resolve(id)).text()
    }

    pub(super) fn is_scalar(&self, id: Id) -> bool {
        matches!(self.node(self.resolve(id)).kind, Kind::Scalar { .. })
    }

    pub(super) fn is_mapping(&self, id: Id) -> bool {
        matches!(self.node(self.resolve(id)).kind, Kind::Mapping { .. })
    }

    /// The items of a sequence, as written; none for other nodes.
    pub(super) fn items(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let first = match self.node(self.resolve(id)).kind {
            Kind::Sequence { first } => first,
            Kind::Scalar { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => None,
        };
        self.chain(first)
    }

    /// All nodes below a mapping in the order of the file: key, value, key, value; none for other nodes.
    pub(super) fn keys_and_values(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let first = match self.node(self.resolve(id)).kind {
            Kind::Mapping { first, .. } => first,
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Alias { .. } => None,
        };
        let mut nodes = self.chain(first);
        std::iter::from_fn(move || Some((nodes.next()?, nodes.next()?)))
    }

    /// The entries a reader sees: own ones, then those merged in by `<<` that no own one hides.
    pub(super) fn entries(&self, id: Id) -> Vec<Entry<'_>> {
        let (mut entries, mut merges) = (Vec::new(), Vec::new());
        for (ordinal, (key_id, value)) in self.keys_and_values(id).enumerate() {
            match self.key(key_id) {
                Some("<<") => merges.push(value),
                Some(key) => entries.push(Entry { key, key_id, value, ordinal: Some(ordinal) }),
                None => {}
            }
        }
        if !merges.is_empty() {
            self.merge(merges, &mut entries);
        }
        entries
    }

    /// Whether merges went on for too long, so that some entries were left out.
    pub(super) fn is_merged_in_part(&self) -> bool {
        self.merged.get() > MERGED_MAX
    }

    /// The value of a key, own or merged, as written.
    pub(super) fn get(&self, id: Id, key: &str) -> Option<Id> {
        self.entries(id).iter().find(|entry| entry.key == key).map(|entry| entry.value)
    }

    /// Adds what these mappings, or lists of mappings, and those merged into them have.
    fn merge<'t>(&'t self, merges: Vec<Id>, entries: &mut Vec<Entry<'t>>) {
        let mut keys: HashSet<&str> = entries.iter().map(|entry| entry.key).collect();
        let mut done = HashSet::new();
        let mut open: Vec<Id> = merges.into_iter().rev().collect();
        while let Some(id) = open.pop().map(|id| self.resolve(id)) {
            self.merged.set(self.merged.get() + 1);
            // A mapping merged twice adds nothing the second time.
            if !done.insert(id) || self.is_merged_in_part() {
                continue;
            }
            let mut below: Vec<Id> = self.items(id).collect();
            for (key_id, value) in self.keys_and_values(id) {
                self.merged.set(self.merged.get() + 1);
                match self.key(key_id) {
                    Some("<<") => below.push(value),
                    Some(key) if keys.insert(key) => {
                        entries.push(Entry { key, key_id, value, ordinal: None });
                    }
                    Some(_) | None => {}
                }
            }
            open.extend(below.into_iter().rev());
        }
    }

    /// The text of a key that is a scalar; `<<` only where it merges.
    fn key(&self, id: Id) -> Option<&str> {
        match &self.node(id).kind {
            Kind::Scalar { text, style } if text != "<<" || *style == ScalarStyle::Plain => Some(text),
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => None,
        }
    }

    fn chain(&self, first: Option<Id>) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(first, |id| self.node(*id).next)
    }
}

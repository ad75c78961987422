//! Turns the events of granit-parser into the nodes of a [`Tree`].

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, TryLoadError, TrySpannedEventReceiver};

use super::ReadError;
use super::document::Document;
use super::tree::{DEPTH_MAX, Id, Kind, NODES_MAX, Node, Tagged, Tree};

/// Keys of a mapping that are compared one with another; above, a set is cheaper.
const KEYS_COMPARED_MAX: usize = 12;

/// Text for each node, usually more: 14 to 25 bytes in the public files that were looked at.
const BYTES_OF_A_NODE_USUAL: usize = 12;

/// Reads one document.
pub(super) fn build<'a>(document: &'a Document<'a>) -> Result<Tree<'a>, ReadError> {
    let mut builder = Builder::new(document);
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    // Events are large: given to a receiver, they are moved least often.
    match Parser::new_from_str_with_options(document.text, options).try_load(&mut builder, true) {
        Ok(()) => Ok(builder.tree),
        Err(TryLoadError::Receiver(error)) => Err(error),
        Err(TryLoadError::Scan(error)) => Err(builder.scan_error(&error)),
    }
}

impl<'a> TrySpannedEventReceiver<'a> for Builder<'a> {
    type Error = ReadError;

    fn on_event(&mut self, event: Event<'a>, span: Span) -> Result<(), ReadError> {
        self.documents += usize::from(matches!(event, Event::DocumentStart(..)));
        if self.documents > 1 {
            return Err(self.error(&span, "a second document where no marker line stands"));
        }
        self.add(event, &span)
    }
}

/// A collection that is still open.
struct Open {
    id: Id,
    last: Option<Id>,
}

/// Turns events into nodes.
struct Builder<'a> {
    tree: Tree<'a>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Id>,
    documents: usize,
}

impl<'a> Builder<'a> {
    fn new(document: &'a Document<'a>) -> Self {
        let nodes = Vec::with_capacity(document.text.len() / BYTES_OF_A_NODE_USUAL);
        let tree = Tree { document, nodes, root: None, has_aliases: false, merged: Cell::new(0) };
        Self { tree, open: Vec::new(), anchors: BTreeMap::new(), documents: 0 }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the crate may add events; those of options turned off never come"
    )]
    fn add(&mut self, event: Event<'a>, span: &Span) -> Result<(), ReadError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tagged = tagged(tag.as_deref());
                let is_left_out = span.is_empty() && style == ScalarStyle::Plain;
                let text = if is_left_out { Cow::Borrowed("") } else { text };
                self.push(Kind::Scalar { text, style }, tagged, anchor, span)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                let id = self.push(Kind::Sequence { first: None }, tagged(tag.as_deref()), anchor, span)?;
                self.enter(id, span)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                let id =
                    self.push(Kind::Mapping { first: None, style }, tagged(tag.as_deref()), anchor, span)?;
                self.enter(id, span)?;
            }
            Event::SequenceEnd => self.leave(span),
            Event::MappingEnd => self.leave_mapping(span)?,
            Event::Alias(anchor) => {
                let of = *self
                    .anchors
                    .get(&anchor)
                    .ok_or_else(|| self.error(span, "an alias without an anchor"))?;
                self.tree.has_aliases = true;
                self.push(Kind::Alias { of }, Tagged::No, 0, span)?;
            }
            // Marks of the stream and its documents.
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind<'a>, tagged: Tagged, anchor: usize, span: &Span) -> Result<Id, ReadError> {
        let (true, Ok(number)) = (self.tree.nodes.len() < NODES_MAX, u32::try_from(self.tree.nodes.len()))
        else {
            return Err(self.error(span, &format!("document has more than {NODES_MAX} nodes")));
        };
        let id = Id(number);
        let bytes = span.byte_range().unwrap_or_default();
        let (Ok(start), Ok(end)) = (u32::try_from(bytes.start), u32::try_from(bytes.end)) else {
            return Err(self.error(span, "document is too large"));
        };
        let line = self.line(span.start.line());
        self.tree.nodes.push(Node { kind, tagged, line, start, end, next: None });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.link(id);
        Ok(id)
    }

    /// Hangs a new node below the collection that is open, or makes it the root.
    fn link(&mut self, id: Id) {
        let Some(open) = self.open.last_mut() else {
            self.tree.root = Some(id);
            return;
        };
        let (parent, last) = (open.id, open.last.replace(id));
        match last {
            Some(last) => self.tree.nodes[last.0 as usize].next = Some(id),
            None => match &mut self.tree.nodes[parent.0 as usize].kind {
                Kind::Sequence { first } | Kind::Mapping { first, .. } => *first = Some(id),
                Kind::Scalar { .. } | Kind::Alias { .. } => {}
            },
        }
    }

    fn enter(&mut self, id: Id, span: &Span) -> Result<(), ReadError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.error(span, &format!("nested deeper than {DEPTH_MAX}")));
        }
        self.open.push(Open { id, last: None });
        Ok(())
    }

    fn leave(&mut self, span: &Span) {
        let Some(open) = self.open.pop() else { return };
        // The end event of a block collection stands at the next token, so its last node says where it ends; a flow
        // collection ends with its bracket.
        let end = match open.last.map(|last| self.tree.node(last).end) {
            Some(last) if span.is_empty() => last,
            _ => span.byte_range().and_then(|bytes| u32::try_from(bytes.end).ok()).unwrap_or_default(),
        };
        let node = &mut self.tree.nodes[open.id.0 as usize];
        node.end = end.max(node.start);
    }

    fn leave_mapping(&mut self, span: &Span) -> Result<(), ReadError> {
        if let Some(twice) = self.open.last().and_then(|open| key_given_twice(&self.tree, open.id)) {
            let node = self.tree.node(twice);
            let key: String = node.text().unwrap_or_default().chars().take(60).collect();
            return Err(ReadError {
                line: node.line,
                reason: format!("key `{key}` stands twice in one mapping"),
            });
        }
        self.leave(span);
        Ok(())
    }

    fn line(&self, line_in_document: usize) -> usize {
        self.tree.document.line + line_in_document.saturating_sub(1)
    }

    fn error(&self, span: &Span, reason: &str) -> ReadError {
        ReadError { line: self.line(span.start.line()), reason: reason.to_owned() }
    }

    fn scan_error(&self, error: &ScanError) -> ReadError {
        ReadError { line: self.line(error.marker().line()), reason: error.info() }
    }
}

fn tagged(tag: Option<&granit_parser::Tag>) -> Tagged {
    match tag {
        None => Tagged::No,
        Some(tag) if tag.is_yaml_core_schema_tag("str") || tag.original() == "!" => Tagged::Text,
        Some(_) => Tagged::Other,
    }
}

/// The second of two equal keys.
fn key_given_twice(tree: &Tree<'_>, mapping: Id) -> Option<Id> {
    let keys = tree.keys_and_values(mapping).filter_map(|(key, _)| match &tree.node(key).kind {
        Kind::Scalar { text, .. } => Some((key, text.as_ref())),
        Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => None,
    });
    let (mut few, mut many) = ([""; KEYS_COMPARED_MAX], HashSet::new());
    for (number, (id, text)) in keys.enumerate() {
        let is_known = few.iter().take(number).any(|known| *known == text);
        match few.get_mut(number) {
            _ if is_known => return Some(id),
            Some(free) => *free = text,
            None if !many.insert(text) => return Some(id),
            None => {}
        }
    }
    None
}

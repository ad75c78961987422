//! Every text of a file with its place: for what is no pin, such as the scripts and images of CI files.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::document;
use super::path::Path;
use super::site::span_in_file;
use super::tree::{DEPTH_MAX, Id, Kind, Tree};
use super::{PINS_MAX, ReadError};

/// Most texts of a file; the largest CI files seen have some thousands.
const TEXTS_MAX: usize = 10 * PINS_MAX;

/// A text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The document in the file, from 0.
    pub document: usize,
    /// The keys down to it; an item of a list is `[]`.
    pub keys: Vec<String>,
    /// The place, as [`super::Pin::path`] spells it.
    pub path: String,
    /// What it reads as.
    pub text: String,
    /// Where it stands: bytes of the file, with its quotes; of a block what stands behind `|` or `>`.
    pub span: Range<usize>,
    /// How it is written.
    pub style: TextStyle,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextStyle {
    /// Plain or quoted: line breaks are blanks.
    Flow,
    /// A block behind `>`, whose bytes are its lines, indented: line breaks are blanks.
    Folded,
    /// A block behind `|`, whose bytes are its lines, indented.
    Literal,
}

/// All texts of a file in the order in which a reader sees them; what an alias stands for counts where it stands.
///
/// # Errors
/// [`ReadError`] if the bytes are no YAML or exceed the bounds.
pub fn texts(bytes: &[u8]) -> Result<Vec<Text>, ReadError> {
    let mut found = Vec::new();
    for document in document::documents(document::text_of(bytes)?) {
        let tree = Tree::parse(&document)?;
        let mut walk = Walk { tree: &tree, keys: Vec::new(), found: &mut found, visits: 0 };
        if let Some(root) = tree.root() {
            walk.node(root, &Path::Root)?;
        }
        if tree.is_merged_in_part() {
            let reason = "merges (`<<`) make too many entries".to_owned();
            return Err(ReadError { line: document.line, reason });
        }
    }
    Ok(found)
}

struct Walk<'w, 't> {
    tree: &'w Tree<'t>,
    keys: Vec<String>,
    found: &'w mut Vec<Text>,
    visits: usize,
}

impl Walk<'_, '_> {
    fn node(&mut self, id: Id, path: &Path<'_>) -> Result<(), ReadError> {
        let (tree, id) = (self.tree, self.tree.resolve(id));
        self.visits += 1;
        if self.visits > TEXTS_MAX || self.keys.len() > DEPTH_MAX {
            let reason = format!("file has more than {TEXTS_MAX} texts, or aliases nest too deep");
            return Err(ReadError { line: tree.node(id).line, reason });
        }
        match &tree.node(id).kind {
            Kind::Scalar { style, .. } => {
                let style = match style {
                    ScalarStyle::Literal => TextStyle::Literal,
                    ScalarStyle::Folded => TextStyle::Folded,
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        TextStyle::Flow
                    }
                };
                if let Some(text) = tree.node(id).text() {
                    self.found.push(Text {
                        document: tree.document.index,
                        keys: self.keys.clone(),
                        path: path.to_string(),
                        text: text.to_owned(),
                        span: span_in_file(tree, id),
                        style,
                    });
                }
            }
            Kind::Sequence { .. } => {
                for (index, item) in tree.items(id).enumerate() {
                    self.below("[]", item, &path.index(index))?;
                }
            }
            Kind::Mapping { .. } => {
                for entry in tree.entries(id) {
                    self.below(entry.key, entry.value, &path.key(entry.key))?;
                }
            }
            Kind::Alias { .. } => {}
        }
        Ok(())
    }

    fn below(&mut self, key: &str, id: Id, path: &Path<'_>) -> Result<(), ReadError> {
        self.keys.push(key.to_owned());
        let walked = self.node(id, path);
        self.keys.pop();
        walked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_keys_and_bytes() {
        let file = "a: &x [b, 'c']\nd: {e: *x}\n---\nf: |\n  g\n  h\ni: >\n  j\nk: 1\nl: null\n";
        let found: Vec<String> = texts(file.as_bytes())
            .unwrap()
            .into_iter()
            .map(|text| {
                let bytes = &file[text.span.clone()];
                format!("{} {} {} {bytes:?} {:?}", text.document, text.keys.join("/"), text.path, text.style)
            })
            .collect();
        assert_eq!(
            found,
            [
                "0 a/[] a[0] \"b\" Flow",
                "0 a/[] a[1] \"'c'\" Flow",
                "0 d/e/[] d.e[0] \"b\" Flow",
                "0 d/e/[] d.e[1] \"'c'\" Flow",
                "1 f f \"g\\n  h\\n\" Literal",
                "1 i i \"j\\n\" Folded",
                "1 k k \"1\" Flow",
            ]
        );
    }

    #[test]
    fn a_bomb_of_aliases_ends() {
        let level = |level: usize| {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("a{level}: &a{level} [{below}]\n")
        };
        let levels: String = (1..9).map(level).collect();
        let file = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{levels}");
        assert!(texts(file.as_bytes()).unwrap_err().reason.contains("more than"));
    }
}

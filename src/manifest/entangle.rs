//! Where the nodes of a document stand once aliases are followed: to see what one splice would move.

use std::collections::BTreeSet;

use super::edit::Change;
use super::path::Path;
use super::tree::{DEPTH_MAX, Id, Kind, Tree};
use super::walk::VISITS_MAX;
use super::{PINS_MAX, Refusal};

/// Most places at which the values that change are written, aliases followed: each pin twice, of its tag and digest.
const PLACES_MAX: usize = 2 * PINS_MAX;

/// Refuses changes of which a reader would see more than the places they are meant for.
pub(super) fn check(tree: &Tree<'_>, changes: &[Change]) -> Result<(), Refusal> {
    let (true, Some(root)) = (tree.has_aliases, tree.root()) else { return Ok(()) };
    let nodes = changes.iter().map(|change| change.node).collect();
    let meant: BTreeSet<(Id, &str)> =
        changes.iter().map(|change| (change.node, change.path.as_str())).collect();
    Search { tree, nodes, meant, visits: 0 }.effective(root, &Path::Root)
}

/// Whether nobody reads what stands there: the root keys that docker compose sets aside for anchors.
///
/// Source: Compose specification, section "Extensions".
fn is_ignored(path: &str) -> bool {
    path.starts_with("x-")
}

/// The places of these nodes as they are written, aliases followed: the number of the entry at each step down.
pub(super) fn written(tree: &Tree<'_>, nodes: &BTreeSet<Id>) -> Result<Vec<(Id, Vec<usize>)>, Refusal> {
    let mut found = Vec::new();
    let Some(root) = tree.root() else { return Ok(found) };
    let (mut visits, mut steps) = (0, Vec::new());
    descend(tree, root, nodes, &mut visits, &mut steps, &mut found)?;
    Ok(found)
}

fn descend(
    tree: &Tree<'_>,
    id: Id,
    nodes: &BTreeSet<Id>,
    visits: &mut usize,
    steps: &mut Vec<usize>,
    found: &mut Vec<(Id, Vec<usize>)>,
) -> Result<(), Refusal> {
    let id = tree.resolve(id);
    *visits += 1;
    if *visits > VISITS_MAX || steps.len() > DEPTH_MAX || found.len() > PLACES_MAX {
        return Err(too_much(tree, id));
    }
    if nodes.contains(&id) {
        found.push((id, steps.clone()));
    }
    for (key, _) in
        tree.keys_and_values(id).filter(|(key, _)| !matches!(tree.node(*key).kind, Kind::Scalar { .. }))
    {
        let known = found.len();
        descend(tree, key, nodes, visits, steps, found)?;
        if found.len() > known {
            let reason = "entangled: the value is also read in a key".to_owned();
            return Err(Refusal { line: tree.node(key).line, reason });
        }
    }
    let is_mapping = tree.is_mapping(id);
    let values = tree.keys_and_values(id).map(|(_, value)| value).filter(|_| is_mapping);
    for (number, below) in values.chain(tree.items(id)).enumerate() {
        steps.push(number);
        descend(tree, below, nodes, visits, steps, found)?;
        steps.pop();
    }
    Ok(())
}

struct Search<'t, 'a> {
    tree: &'t Tree<'a>,
    nodes: BTreeSet<Id>,
    meant: BTreeSet<(Id, &'t str)>,
    visits: usize,
}

impl Search<'_, '_> {
    /// Every place a reader sees: aliases followed, merges done.
    fn effective(&mut self, id: Id, path: &Path<'_>) -> Result<(), Refusal> {
        let id = self.tree.resolve(id);
        self.visits += 1;
        if self.visits > VISITS_MAX || path.depth() > DEPTH_MAX {
            return Err(too_much(self.tree, id));
        }
        if self.nodes.contains(&id) {
            self.check_use(id, &path.to_string())?;
        }
        match self.tree.node(id).kind {
            Kind::Sequence { .. } => {
                for (index, item) in self.tree.items(id).enumerate() {
                    self.effective(item, &path.index(index))?;
                }
            }
            Kind::Mapping { .. } => {
                for entry in self.tree.entries(id) {
                    self.effective(entry.value, &path.key(entry.key))?;
                }
            }
            Kind::Scalar { .. } | Kind::Alias { .. } => {}
        }
        Ok(())
    }

    fn check_use(&self, id: Id, path: &str) -> Result<(), Refusal> {
        if self.meant.contains(&(id, path)) || is_ignored(path) {
            return Ok(());
        }
        let reason = format!("entangled: the value is also read at `{path}`; give each place one of its own");
        Err(Refusal { line: self.tree.node(id).line, reason })
    }
}

fn too_much(tree: &Tree<'_>, id: Id) -> Refusal {
    Refusal { line: tree.node(id).line, reason: "entangled: aliases make too many nodes".to_owned() }
}

//! Trees as git writes them: read and changed by their bytes, so that an edit in a folder of 10,000 files costs
//! one pass over them.
//!
//! Source: git's tree.c and `base_name_compare` (2.47): `mode name NUL id`, sorted as if the name of a folder
//! ended in `/`.

use std::cmp::Ordering;

use git2::{ObjectType, Oid};

use super::error::{Fault, no_edit};

/// Bytes of a SHA-1.
pub(super) const HASH_BYTES: usize = 20;
/// Digits of a mode; `100644` has six.
const MODE_DIGITS_MAX: usize = 7;

pub(super) const MODE_FOLDER: u32 = 0o040_000;
const MODE_SUBMODULE: u32 = 0o160_000;
/// `100644` and `100755`; `100664` is in old histories.
const REGULAR_MODES: [u32; 3] = [0o100_644, 0o100_755, 0o100_664];

/// One entry, and the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    pub(super) mode: u32,
    pub(super) name: &'t [u8],
    pub(super) id: Oid,
    bytes: &'t [u8],
}

/// What a name gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct New<'n> {
    pub(super) name: &'n str,
    pub(super) mode: u32,
    pub(super) id: Oid,
}

impl Entry<'_> {
    /// The same name with another object.
    pub(super) fn with(self, id: Oid) -> Self {
        Self { id, ..self }
    }

    pub(super) fn is_folder(&self) -> bool {
        self.mode == MODE_FOLDER
    }

    pub(super) fn is_regular(&self) -> bool {
        REGULAR_MODES.contains(&self.mode)
    }

    /// The kind of the object that is named; none for a submodule, whose commit is in another repository.
    pub(super) fn kind(&self) -> Option<ObjectType> {
        match self.mode {
            MODE_FOLDER => Some(ObjectType::Tree),
            MODE_SUBMODULE => None,
            _ => Some(ObjectType::Blob),
        }
    }

    /// What stands there, for people.
    pub(super) fn shown(&self) -> &'static str {
        match self.mode {
            0o120_000 => "a symlink",
            MODE_SUBMODULE => "a submodule",
            MODE_FOLDER => "a folder",
            _ => "a file",
        }
    }
}

/// The entries in order; one that cannot be read ends them with an error.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Fault>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = first(rest);
        rest = entry.and_then(|entry| rest.get(entry.bytes.len()..)).unwrap_or_default();
        Some(entry.ok_or_else(unreadable))
    })
}

/// Its bytes are those of its hash: somebody made it so, and fetching it anew would not help.
fn unreadable() -> Fault {
    no_edit("a tree", "it has an entry that cannot be read").into()
}

fn first(bytes: &[u8]) -> Option<Entry<'_>> {
    let blank = bytes.iter().take(MODE_DIGITS_MAX + 1).position(|byte| *byte == b' ')?;
    let mode = u32::from_str_radix(std::str::from_utf8(bytes.get(..blank)?).ok()?, 8).ok()?;
    let after = bytes.get(blank + 1..)?;
    let name = after.get(..memchr::memchr(0, after)?).filter(|name| !name.is_empty())?;
    let id_at = blank + 1 + name.len() + 1;
    let whole = bytes.get(..id_at + HASH_BYTES)?;
    Some(Entry { mode, name, id: Oid::from_bytes(whole.get(id_at..)?).ok()?, bytes: whole })
}

/// The entry of this name.
pub(super) fn find<'t>(bytes: &'t [u8], name: &[u8]) -> Result<Option<Entry<'t>>, Fault> {
    entries(bytes).find(|entry| entry.as_ref().map_or(true, |entry| entry.name == name)).transpose()
}

/// The tree with these names set; each is new, or of the same kind as before.
pub(super) fn with(bytes: &[u8], mut new: Vec<New<'_>>) -> Result<Vec<u8>, Fault> {
    new.sort_by(|one, other| order((one.name.as_bytes(), one.mode), (other.name.as_bytes(), other.mode)));
    let mut new = new.into_iter().peekable();
    let mut changed = Vec::with_capacity(bytes.len() + 64);
    // What stays is copied in stretches.
    let (mut copied, mut at) = (0, 0);
    let stretch = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    for entry in entries(bytes) {
        let entry = entry?;
        let to = |new: &New<'_>| order((new.name.as_bytes(), new.mode), (entry.name, entry.mode));
        while let Some(before) = new.next_if(|new| to(new).is_lt()) {
            changed.extend_from_slice(stretch(copied, at));
            copied = at;
            push(&mut changed, before.mode, before.name.as_bytes(), before.id);
        }
        if let Some(new) = new.next_if(|new| new.name.as_bytes() == entry.name) {
            changed.extend_from_slice(stretch(copied, at));
            copied = at + entry.bytes.len();
            push(&mut changed, new.mode, entry.name, new.id);
        }
        at += entry.bytes.len();
    }
    changed.extend_from_slice(stretch(copied, at));
    new.for_each(|last| push(&mut changed, last.mode, last.name.as_bytes(), last.id));
    Ok(changed)
}

/// The tree of these entries.
pub(super) fn of<'t>(entries: impl Iterator<Item = Entry<'t>>) -> Vec<u8> {
    let mut entries: Vec<Entry<'_>> = entries.collect();
    entries.sort_by(|one, other| order((one.name, one.mode), (other.name, other.mode)));
    let mut tree = Vec::new();
    for entry in entries {
        push(&mut tree, entry.mode, entry.name, entry.id);
    }
    tree
}

fn push(tree: &mut Vec<u8>, mode: u32, name: &[u8], id: Oid) {
    tree.extend_from_slice(format!("{mode:o} ").as_bytes());
    tree.extend_from_slice(name);
    tree.push(0);
    tree.extend_from_slice(id.as_bytes());
}

/// The order of two entries by name and mode.
pub(super) fn order(one: (&[u8], u32), other: (&[u8], u32)) -> Ordering {
    let common = one.0.len().min(other.0.len());
    let after = |(name, mode): (&[u8], u32)| match name.get(common) {
        Some(byte) => *byte,
        None if mode == MODE_FOLDER => b'/',
        None => 0,
    };
    one.0.get(..common).cmp(&other.0.get(..common)).then_with(|| after(one).cmp(&after(other)))
}

/// Two sorted lists of entries side by side: for each of `tree`, the file or the folder of the same name in
/// `base`.
pub(super) fn beside<'t, 'b>(
    tree: &'t [u8],
    base: &'b [u8],
) -> impl Iterator<Item = Result<(Entry<'t>, Option<Entry<'b>>), Fault>> {
    let mut rest = base;
    entries(tree).map(move |entry| {
        let entry = entry?;
        loop {
            let Some(found) = same_name(&entry, rest).or_else(|| first(rest)) else {
                return if rest.is_empty() { Ok((entry, None)) } else { Err(unreadable()) };
            };
            match order((found.name, found.mode), (entry.name, entry.mode)) {
                Ordering::Less => rest = rest.get(found.bytes.len()..).unwrap_or_default(),
                Ordering::Equal => {
                    rest = rest.get(found.bytes.len()..).unwrap_or_default();
                    return Ok((entry, Some(found)));
                }
                Ordering::Greater => return Ok((entry, None)),
            }
        }
    })
}

/// The usual case without reading it: the same mode and name begin the other list.
fn same_name<'b>(entry: &Entry<'_>, base: &'b [u8]) -> Option<Entry<'b>> {
    let at = entry.bytes.len() - HASH_BYTES;
    let bytes = base.get(..entry.bytes.len()).filter(|bytes| bytes.get(..at) == entry.bytes.get(..at))?;
    let name = bytes.get(at - 1 - entry.name.len()..at - 1)?;
    Some(Entry { mode: entry.mode, name, id: Oid::from_bytes(bytes.get(at..)?).ok()?, bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(byte: u8) -> Oid {
        Oid::from_bytes(&[byte; HASH_BYTES]).unwrap()
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        entries(bytes).map(|entry| String::from_utf8(entry.unwrap().name.to_vec()).unwrap()).collect()
    }

    fn tree(names: &[(&str, u32)]) -> Vec<u8> {
        with(b"", names.iter().map(|&(name, mode)| New { name, mode, id: id(1) }).collect()).unwrap()
    }

    #[test]
    fn folders_are_sorted_as_if_they_ended_in_a_slash() {
        let made = tree(&[("a", MODE_FOLDER), ("a.b", 0o100_644), ("a0", 0o100_644), ("a-b", 0o100_644)]);
        assert_eq!(names(&made), ["a-b", "a.b", "a", "a0"]);
        assert_eq!(names(&tree(&[("a", 0o100_644), ("a.b", 0o100_644)])), ["a", "a.b"]);
    }

    #[test]
    fn only_what_is_new_differs() {
        let made = tree(&[("a", MODE_FOLDER), ("b", 0o100_755), ("c", 0o100_644)]);
        let changed = with(&made, vec![New { name: "b", mode: 0o100_755, id: id(9) }]).unwrap();
        assert_eq!(changed.len(), made.len());
        let pairs: Vec<_> = beside(&changed, &made).map(Result::unwrap).collect();
        let differ: Vec<_> =
            pairs.iter().filter(|(new, old)| Some(new.id) != old.map(|old| old.id)).collect();
        assert_eq!(differ.len(), 1);
        assert_eq!((differ[0].0.name, differ[0].0.mode), (&b"b"[..], 0o100_755));
        assert_eq!(find(&changed, b"b").unwrap().unwrap().id, id(9));
        assert!(find(&changed, b"d").unwrap().is_none());
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_has_nothing_beside_it() {
        let (old, new) =
            (tree(&[("a", MODE_FOLDER), ("a.b", 0o100_644)]), tree(&[("a", 0o100_644), ("a.b", 0o100_644)]));
        let pairs: Vec<_> = beside(&new, &old).map(Result::unwrap).collect();
        assert_eq!(pairs.iter().map(|(_, old)| old.is_some()).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_tree_that_is_cut_is_an_error() {
        let made = tree(&[("a", 0o100_644), ("b", 0o100_644)]);
        for length in 1..made.len() {
            let read: Result<Vec<_>, Fault> = entries(&made[..length]).collect();
            assert_eq!(read.is_ok(), length == made.len() / 2, "{length}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic_and_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(entries(&bytes).count() <= bytes.len());
            let _ = with(&bytes, vec![New { name: "x", mode: 0o100_644, id: id(1) }]);
        }

        #[test]
        fn trees_are_what_libgit2_makes(names in proptest::collection::btree_map("[a.0-]{1,3}", any::<bool>(), 1..12)) {
            let dir = tempfile::TempDir::new().unwrap();
            let repository = git2::Repository::init_bare(dir.path()).unwrap();
            let blob = repository.blob(b"x").unwrap();
            let folder = repository.treebuilder(None).unwrap().write().unwrap();
            let mut builder = repository.treebuilder(None).unwrap();
            let mut new = Vec::new();
            for (name, is_folder) in names.iter().filter(|(name, _)| !matches!(name.as_str(), "." | "..")) {
                let (mode, id) = if *is_folder { (MODE_FOLDER, folder) } else { (0o100_644, blob) };
                builder.insert(name, id, i32::try_from(mode).unwrap()).unwrap();
                new.push(New { name, mode, id });
            }
            let want = builder.write().unwrap();
            let half = with(b"", new.iter().step_by(2).copied().collect()).unwrap();
            let whole = with(&half, new.iter().skip(1).step_by(2).copied().collect()).unwrap();
            prop_assert_eq!(Oid::hash_object(ObjectType::Tree, &whole).unwrap(), want);
        }
    }
}

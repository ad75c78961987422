//! Packs: the one we send holds just the new objects, the one we receive is indexed into the mirror.
//!
//! Source: git documentation, gitformat-pack (version 2).

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use git2::{ObjectType, Oid, Repository, Tree};
use sha1::{Digest as _, Sha1};

use super::delta::delta;
use super::error::{Fault, not_found};
use super::name::PATH_PARTS_MAX;
use super::{CommitId, RepositoryError, text};

/// Bytes of a pack we send; it is held in memory. A promotion has under 1 kB, a first push of 10,000 manifests
/// 10 MB.
const PACK_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Commits in one push; a promotion has one, its record another.
const COMMITS_MAX: usize = 1_000;
/// Objects in one push: a commit of 100,000 files.
const OBJECTS_MAX: usize = 150_000;
/// Bytes read and indexed at a time.
const CHUNK_BYTES: usize = 256 * 1_024;
/// The header of a pack: `PACK`, version, number of objects.
const HEADER_BYTES: usize = 12;

/// The kind of an object that is a difference from another one, named by its id.
const REF_DELTA_BITS: u8 = 7;

/// Whether the far side completes deltas against objects that it already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thin {
    /// Deltas against its objects may be sent.
    Yes,
    /// Every object is sent whole (`no-thin`).
    No,
}

/// An object to send, and one that the far side has at the same path.
struct Entry {
    id: Oid,
    base: Option<Oid>,
}

/// The pack of what the commits `new` need beyond the commits `known`, which the far side has.
pub(super) fn build(
    repository: &Repository,
    new: &[CommitId],
    known: &[CommitId],
    thin: Thin,
) -> Result<Vec<u8>, Fault> {
    let mut objects = Objects { repository, entries: Vec::new(), seen: HashSet::new() };
    for id in new_commits(repository, new, known)? {
        objects.add_commit(id)?;
    }
    write(repository, &objects.entries, thin)
}

/// Oldest first, so that what an older commit brought is not sent again.
fn new_commits(repository: &Repository, new: &[CommitId], known: &[CommitId]) -> Result<Vec<Oid>, Fault> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)?;
    for id in new {
        walk.push(super::objects::commit(repository, *id)?.id())?;
    }
    for id in known {
        if repository.find_commit(id.oid()?).is_ok() {
            walk.hide(id.oid()?)?;
        }
    }
    let commits: Vec<Oid> = walk.take(COMMITS_MAX + 1).collect::<Result<_, _>>()?;
    if commits.len() > COMMITS_MAX {
        return Err(too_large("commits", COMMITS_MAX));
    }
    Ok(commits)
}

/// What is to be sent, in the order found.
struct Objects<'r> {
    repository: &'r Repository,
    entries: Vec<Entry>,
    /// Also what the far side has, where we met it: so no object is ever the base of its own base.
    seen: HashSet<Oid>,
}

impl Objects<'_> {
    fn add_commit(&mut self, id: Oid) -> Result<(), Fault> {
        let commit = self.repository.find_commit(id)?;
        self.add(id, None)?;
        let parents = commit.parents().map(|parent| parent.tree()).collect::<Result<Vec<_>, _>>()?;
        self.add_tree(&commit.tree()?, &parents, 0)
    }

    /// Returns whether the object was not there yet.
    fn add(&mut self, id: Oid, base: Option<Oid>) -> Result<bool, Fault> {
        if !self.seen.insert(id) {
            return Ok(false);
        }
        if self.entries.len() >= OBJECTS_MAX {
            return Err(too_large("objects", OBJECTS_MAX));
        }
        self.entries.push(Entry { id, base });
        Ok(true)
    }

    fn add_tree(&mut self, tree: &Tree<'_>, bases: &[Tree<'_>], depth: usize) -> Result<(), Fault> {
        if depth > PATH_PARTS_MAX {
            return Err(too_large("folders above a file", PATH_PARTS_MAX));
        }
        if bases.iter().any(|base| base.id() == tree.id()) {
            return Ok(());
        }
        self.seen.extend(bases.iter().map(Tree::id));
        if !self.add(tree.id(), bases.first().map(Tree::id))? {
            return Ok(());
        }
        for entry in tree {
            let same_name: Vec<_> =
                bases.iter().filter_map(|base| base.get_name_bytes(entry.name_bytes())).collect();
            if same_name.iter().any(|base| base.id() == entry.id()) {
                continue;
            }
            let same_kind =
                same_name.iter().filter(|base| base.kind() == entry.kind()).map(git2::TreeEntry::id);
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let bases =
                        same_kind.map(|id| self.repository.find_tree(id)).collect::<Result<Vec<_>, _>>()?;
                    self.add_tree(&self.repository.find_tree(entry.id())?, &bases, depth + 1)?;
                }
                Some(ObjectType::Blob) => {
                    let bases: Vec<Oid> = same_kind.collect();
                    self.seen.extend(&bases);
                    self.add(entry.id(), bases.first().copied())?;
                }
                // A submodule's commit is in another repository.
                Some(ObjectType::Any | ObjectType::Commit | ObjectType::Tag) | None => {}
            }
        }
        Ok(())
    }
}

fn too_large(what: &str, most: usize) -> Fault {
    let reason = format!("push needs more than {most} {what}");
    RepositoryError::Refused { name: "the push".to_owned(), reason }.into()
}

fn write(repository: &Repository, entries: &[Entry], thin: Thin) -> Result<Vec<u8>, Fault> {
    let database = repository.odb()?;
    let count = u32::try_from(entries.len()).map_err(|_| too_large("objects", OBJECTS_MAX))?;
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(count.to_be_bytes());
    for entry in entries {
        let object = database.read(entry.id)?;
        let base = if thin == Thin::Yes { entry.base } else { None };
        let difference = match base {
            Some(base) => delta(database.read(base)?.data(), object.data()).map(|bytes| (base, bytes)),
            None => None,
        };
        if let Some((base, bytes)) = difference {
            push_header(&mut pack, REF_DELTA_BITS, bytes.len());
            pack.extend_from_slice(base.as_bytes());
            pack = deflate(pack, &bytes)?;
        } else {
            push_header(&mut pack, kind_bits(object.kind())?, object.len());
            pack = deflate(pack, object.data())?;
        }
        if pack.len() > PACK_BYTES_MAX {
            return Err(too_large("bytes", PACK_BYTES_MAX));
        }
    }
    let checksum = Sha1::digest(&pack);
    pack.extend_from_slice(&checksum);
    Ok(pack)
}

fn kind_bits(kind: ObjectType) -> Result<u8, Fault> {
    match kind {
        ObjectType::Commit => Ok(1),
        ObjectType::Tree => Ok(2),
        ObjectType::Blob => Ok(3),
        ObjectType::Tag => Ok(4),
        ObjectType::Any => Err(Fault::Damaged("object has no kind".to_owned())),
    }
}

/// Three bits of kind, then the size: four bits, then seven a byte.
fn push_header(pack: &mut Vec<u8>, kind: u8, size: usize) {
    let low = |value: usize, mask: u8| value.to_le_bytes()[0] & mask;
    let mut rest = size >> 4;
    let mut byte = kind << 4 | low(size, 0x0f);
    while rest > 0 {
        pack.push(byte | 0x80);
        byte = low(rest, 0x7f);
        rest >>= 7;
    }
    pack.push(byte);
}

fn deflate(pack: Vec<u8>, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut encoder = ZlibEncoder::new(pack, Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Indexes a received pack into the object database of the repository at `folder`: hashes and deltas are
/// checked and thin packs completed. libgit2's check that all objects named are there stays off, it takes a
/// submodule's commit for one; what is missing is found when it is read. Blocks.
pub(super) fn index(folder: &Path, pack: &Path) -> Result<(), Fault> {
    let mut file = File::open(pack)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header)?;
    match header {
        [b'P', b'A', b'C', b'K', _, _, _, _, 0, 0, 0, 0] => return Ok(()),
        [b'P', b'A', b'C', b'K', ..] => {}
        _ => return Err(not_found("a pack in the answer").into()),
    }
    super::inspect::check(File::open(pack)?)?;
    let repository = Repository::open_bare(folder)?;
    let database = repository.odb()?;
    let mut indexer = git2::Indexer::new(Some(&database), &folder.join("objects/pack"), 0o444, false)?;
    indexer.write_all(&header).map_err(|error| damaged(&error))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        indexer.write_all(bytes).map_err(|error| damaged(&error))?;
    }
    indexer.commit()?;
    Ok(())
}

fn damaged(error: &std::io::Error) -> Fault {
    match error.get_ref().and_then(|source| source.downcast_ref::<git2::Error>()) {
        Some(source) if source.class() == git2::ErrorClass::Os => {
            Fault::System(text::line(source.message().as_bytes()))
        }
        Some(source) => Fault::Damaged(text::line(source.message().as_bytes())),
        None => Fault::System(error.to_string()),
    }
}

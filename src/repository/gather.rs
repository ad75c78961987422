//! Keeping a mirror small: the packs of single fetches and the loose objects of single commits are gathered into
//! one pack, each object as its difference from the version before it.
//!
//! Nothing is judged: every object that lay in one of them lies in the new pack, so a commit that was made and
//! not pushed yet stays. What it costs depends on what was added since, not on the repository: a pack is taken
//! only where those smaller than it have together half as many objects, so that each object is gathered a few
//! times in all (git calls that a geometric repack).

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use git2::{Oid, Repository};

use super::database::{Database, Object};
use super::delta::delta;
use super::error::Fault;
use super::incoming::{self, MADE_BYTES_MAX, Origin};
use super::pack::Writer;
use super::pack_index;

/// A pack with more bytes is left as it is.
const PACK_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
/// What zlib compresses best has 1,032 times as many bytes.
const ZLIB_RATIO_MAX: u64 = 1_032;
/// How many objects in a row may each be a difference from the one before; git's own bound.
const CHAIN_MAX: usize = 50;
/// Bytes at the start of a file that tell versions of one file from others of the same size.
const START_BYTES: usize = 128;
/// Bytes of versions held to write the next as differences from them.
const HELD_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// A temporary file older than this was left behind by a process that ended: none takes longer.
const LEFT_BEHIND_AFTER: Duration = Duration::from_hours(1);

/// A pack of the mirror.
struct Pack {
    index: PathBuf,
    at: SystemTime,
    bytes: u64,
    objects: Vec<Oid>,
}

/// What is gathered, the oldest first, and where it lies now.
#[derive(Default)]
struct Gathered {
    objects: Vec<Oid>,
    packs: Vec<PathBuf>,
    loose: Vec<PathBuf>,
}

/// The version of a file or folder that was written last.
struct Version {
    id: Oid,
    object: Object,
    chain: usize,
}

/// Gathers what is small in the mirror at `folder` into one pack, through the file `into`. The caller holds the
/// turn to change the mirror. Blocks, until `deadline` at most.
pub(super) fn gather(folder: &Path, into: &Path, deadline: Instant) -> Result<(), Fault> {
    remove_left_behind(&folder.join("objects"))?;
    let database = Database::new(Repository::open_bare(folder)?);
    let gathered = found(&folder.join("objects"), &database)?;
    if gathered.objects.is_empty() {
        return Ok(());
    }
    write(&database, &gathered.objects, into, deadline)?;
    let name = incoming::index(folder, into, Origin::Ourselves, deadline)?;
    let index = folder.join("objects/pack").join(format!("pack-{}.idx", name.unwrap_or_default()));
    // Nothing is removed before the new pack has been read back.
    let there: BTreeSet<Oid> = pack_index::ids(&index)?.into_iter().collect();
    if !gathered.objects.iter().all(|id| there.contains(id)) {
        return Err(Fault::Damaged("gathered pack lacks an object".to_owned()));
    }
    for old in gathered.packs.iter().filter(|old| **old != index) {
        for extension in ["idx", "pack", "rev", "bitmap"] {
            remove(&old.with_extension(extension))?;
        }
    }
    gathered.loose.iter().try_for_each(|path| remove(path))
}

fn found(objects: &Path, database: &Database) -> Result<Gathered, Fault> {
    let loose = loose(objects)?;
    let mut packs = packs(&objects.join("pack"))?;
    packs.retain(|pack| fits(pack, database));
    let packs = small(packs, loose.len());
    let mut gathered = Gathered::default();
    if packs.len() < 2 && loose.is_empty() {
        return Ok(gathered);
    }
    let mut once = BTreeSet::new();
    for pack in packs {
        gathered.objects.extend(pack.objects.into_iter().filter(|id| once.insert(*id)));
        gathered.packs.push(pack.index);
    }
    for (id, path) in loose {
        gathered.objects.extend(once.insert(id).then_some(id));
        gathered.loose.push(path);
    }
    Ok(gathered)
}

/// Whether each object of the pack can be made in memory; a file of any size may have come from the host.
fn fits(pack: &Pack, database: &Database) -> bool {
    if pack.bytes <= MADE_BYTES_MAX / ZLIB_RATIO_MAX {
        return true;
    }
    let Ok(headers) = database.odb() else { return false };
    let is_small = |id: &Oid| headers.read_header(*id).is_ok_and(|(size, _)| size as u64 <= MADE_BYTES_MAX);
    pack.objects.iter().all(is_small)
}

/// The smallest ones, as far as one has at most twice the objects of all smaller ones together; the oldest first.
fn small(mut packs: Vec<Pack>, loose: usize) -> Vec<Pack> {
    packs.sort_by_key(|pack| pack.objects.len());
    let (mut below, mut many) = (loose, 0);
    for (number, pack) in packs.iter().enumerate() {
        if pack.objects.len() <= 2 * below {
            many = number + 1;
        }
        below += pack.objects.len();
    }
    packs.truncate(many);
    packs.sort_by_key(|pack| pack.at);
    packs
}

fn packs(folder: &Path) -> Result<Vec<Pack>, Fault> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let index = entry?.path();
        let Ok(pack) = fs::metadata(index.with_extension("pack")) else { continue };
        if index.extension().is_some_and(|extension| extension == "idx") && pack.len() <= PACK_BYTES_MAX {
            let (at, bytes) = (pack.modified()?, pack.len());
            packs.push(Pack { objects: pack_index::ids(&index)?, at, bytes, index });
        }
    }
    Ok(packs)
}

/// Loose objects, the oldest first.
fn loose(objects: &Path) -> Result<Vec<(Oid, PathBuf)>, Fault> {
    let mut loose = Vec::new();
    for folder in fs::read_dir(objects)? {
        let folder = folder?;
        let start = folder.file_name().into_string().unwrap_or_default();
        if start.len() != 2 || !folder.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = format!("{start}{}", entry.file_name().to_string_lossy());
            if let Some(id) = Oid::from_str(&name).ok().filter(|_| name.len() == 40) {
                loose.push((entry.metadata()?.modified()?, id, entry.path()));
            }
        }
    }
    loose.sort_by_key(|(at, ..)| *at);
    Ok(loose.into_iter().map(|(_, id, path)| (id, path)).collect())
}

/// Writes the objects by size, so that versions of one file or folder follow each other, the oldest first.
fn write(database: &Database, objects: &[Oid], into: &Path, deadline: Instant) -> Result<(), Fault> {
    let headers = database.odb()?;
    let header = |id: &Oid| headers.read_header(*id).map(|(size, _)| (size, *id));
    let mut sorted = objects.iter().map(header).collect::<Result<Vec<_>, _>>()?;
    sorted.sort_by_key(|(size, _)| *size);
    let mut pack = Writer::begin(BufWriter::new(File::create(into)?), sorted.len())?;
    let mut versions: HashMap<(&'static str, Vec<u8>), Version> = HashMap::new();
    let (mut size_before, mut held) = (0, 0);
    for (size, id) in sorted {
        if Instant::now() >= deadline {
            return Err(Fault::System("packing of the mirror takes too long".to_owned()));
        }
        if size != size_before || held > HELD_BYTES_MAX {
            versions.clear();
            held = 0;
        }
        size_before = size;
        held += size;
        let object = database.object(id)?;
        let key = (object.kind.str(), start(&object.bytes).to_vec());
        let before = versions.get(&key).filter(|before| before.chain < CHAIN_MAX);
        let chain = add(&mut pack, before, &object)?;
        versions.insert(key, Version { id, object, chain });
    }
    pack.end().map(drop)
}

/// Returns how many differences in a row lead to it.
fn add(
    pack: &mut Writer<BufWriter<File>>,
    before: Option<&Version>,
    object: &Object,
) -> Result<usize, Fault> {
    let difference = before.and_then(|before| Some((before, delta(&before.object.bytes, &object.bytes)?)));
    match difference {
        Some((before, difference)) => pack.difference(before.id, &difference).map(|()| before.chain + 1),
        None => pack.whole(object.kind, &object.bytes).map(|()| 0),
    }
}

/// What versions have in common at their start: the name of the first entry of a folder, the head of a file.
fn start(bytes: &[u8]) -> &[u8] {
    let start = bytes.get(..START_BYTES).unwrap_or(bytes);
    start.split(|byte| *byte == 0).next().unwrap_or(start)
}

/// What a process left behind that was ended while it wrote.
fn remove_left_behind(objects: &Path) -> Result<(), Fault> {
    for folder in [objects.to_owned(), objects.join("pack")] {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // One that is gone meanwhile was renamed by its writer.
            let Ok(metadata) = entry.metadata() else { continue };
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            if is_unfinished(&entry.path()) && age > LEFT_BEHIND_AFTER {
                remove(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// A temporary file, or a pack that got no index.
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_temporary = ["tmp_", "pack_git2_"].iter().any(|start| name.starts_with(start));
    let is_pack = path.extension().is_some_and(|extension| extension == "pack");
    is_temporary || is_pack && !path.with_extension("idx").exists()
}

/// Another process may have been first.
fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

//! A pack that came from the host: looked at before anything believes it, then indexed into the mirror.
//!
//! Source: git documentation, gitformat-pack (version 2).

use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::Path;
use std::time::Instant;

use flate2::bufread::ZlibDecoder;
use git2::Repository;

use super::error::{Fault, unavailable};
use super::text;
use super::tree::HASH_BYTES;

/// Objects of a pack: the Linux kernel has ten million, and libgit2 holds some 100 bytes for each.
const OBJECTS_MAX: u32 = 12_000_000;
/// An object takes at least its header and an empty zlib stream.
const OBJECT_BYTES_MIN: u64 = 9;
/// Bytes of an object that is made in memory: each difference, each commit, tree and tag. GitHub and GitLab take
/// files of 100 MB at most.
pub(super) const MADE_BYTES_MAX: u64 = 128 * 1_024 * 1_024;
/// The two sizes at the start of a difference have at most ten bytes each.
const SIZES_BYTES_MAX: usize = 20;
/// Bytes read and indexed at a time.
const CHUNK_BYTES: usize = 256 * 1_024;
/// The header of a pack: `PACK`, version, number of objects.
const HEADER_BYTES: usize = 12;

const BLOB: u8 = 3;
const OFFSET_DIFFERENCE: u8 = 6;
const NAMED_DIFFERENCE: u8 = 7;

/// Whether the pack was made by us, or has to be looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Host,
    Ourselves,
}

/// Indexes a pack into the object database of the repository at `folder`: hashes and deltas are checked and thin
/// packs completed. libgit2's check that all objects named are there stays off, it takes a submodule's commit for
/// one; what is missing is found when it is read. Blocks, until `deadline` at most. Returns the name of the pack;
/// none where it was empty.
pub(super) fn index(
    folder: &Path,
    pack: &Path,
    origin: Origin,
    deadline: Instant,
) -> Result<Option<String>, Fault> {
    if origin == Origin::Host {
        check(pack, deadline)?;
    }
    let mut file = File::open(pack)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header)?;
    if header.ends_with(&[0; 4]) {
        return Ok(None);
    }
    let repository = Repository::open_bare(folder)?;
    let database = repository.odb()?;
    let mut indexer = git2::Indexer::new(Some(&database), &folder.join("objects/pack"), 0o444, false)?;
    indexer.progress(|_| Instant::now() < deadline);
    let fault = |error: &git2::Error| if Instant::now() < deadline { damaged(error) } else { late() };
    indexer.write_all(&header).map_err(|error| of_io(&error, fault))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        indexer.write_all(bytes).map_err(|error| of_io(&error, fault))?;
    }
    indexer.commit().map(Some).map_err(|error| fault(&error))
}

fn of_io(error: &std::io::Error, fault: impl Fn(&git2::Error) -> Fault) -> Fault {
    let source = error.get_ref().and_then(|source| source.downcast_ref::<git2::Error>());
    source.map_or_else(|| Fault::System(error.to_string()), fault)
}

fn damaged(error: &git2::Error) -> Fault {
    let reason = text::line(error.message().as_bytes());
    if error.class() == git2::ErrorClass::Os { Fault::System(reason) } else { Fault::Damaged(reason) }
}

fn late() -> Fault {
    unavailable("pack of the git host takes too long to read").into()
}

fn wrong(reason: &str) -> Fault {
    unavailable(format!("pack of the git host is not taken: {reason}")).into()
}

/// Refuses a pack that would not fit into memory once its objects are made from it. Its bytes are read once; what
/// they say is left to the indexer.
fn check(pack: &Path, deadline: Instant) -> Result<(), Fault> {
    let file = File::open(pack)?;
    let bytes = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(CHUNK_BYTES, file);
    let mut header = [0; HEADER_BYTES];
    reader.read_exact(&mut header).map_err(|_| wrong("it is cut"))?;
    let [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, count @ ..] = header else {
        return Err(wrong("it does not begin as one"));
    };
    let count = u32::from_be_bytes(count);
    if count > OBJECTS_MAX || u64::from(count) * OBJECT_BYTES_MIN > bytes {
        return Err(wrong("it names more objects than it can hold"));
    }
    let mut chunk = vec![0; CHUNK_BYTES];
    for _ in 0..count {
        object(&mut reader, &mut chunk, deadline)?;
    }
    Ok(())
}

/// Reads one object through `chunk`, and holds nothing of it.
fn object(reader: &mut BufReader<File>, chunk: &mut [u8], deadline: Instant) -> Result<(), Fault> {
    let (kind, size) = kind_and_size(reader)?;
    match kind {
        OFFSET_DIFFERENCE => while byte(reader)? & 0x80 != 0 {},
        NAMED_DIFFERENCE => drop(exactly::<HASH_BYTES>(reader)?),
        0 | 5 => return Err(wrong("an object of it has no kind")),
        _ => {}
    }
    if kind != BLOB && size > MADE_BYTES_MAX {
        return Err(wrong("an object of it is too large to be made in memory"));
    }
    let mut inflated = ZlibDecoder::new(reader.by_ref());
    let mut start = [0; SIZES_BYTES_MAX];
    let begun = fill(&mut inflated, &mut start)?;
    if matches!(kind, OFFSET_DIFFERENCE | NAMED_DIFFERENCE) {
        let sizes = start.get(..begun).unwrap_or_default();
        if sizes_of(sizes).is_none_or(|sizes| sizes.into_iter().any(|size| size > MADE_BYTES_MAX)) {
            return Err(wrong("an object of it is too large to be made in memory"));
        }
    }
    let mut inflated_bytes = begun as u64;
    // One byte more than it said is enough to know that it lies.
    while inflated_bytes <= size {
        if Instant::now() >= deadline {
            return Err(late());
        }
        match inflated.read(chunk).map_err(|_| wrong("an object of it cannot be inflated"))? {
            0 => break,
            count => inflated_bytes += count as u64,
        }
    }
    if inflated_bytes == size { Ok(()) } else { Err(wrong("an object of it has another size than it says")) }
}

/// The two sizes that a difference begins with: of what it is made from, and of what it makes.
fn sizes_of(start: &[u8]) -> Option<[u64; 2]> {
    let mut bytes = start.iter();
    let mut size = || {
        let (mut size, mut shift) = (0_u64, 0);
        loop {
            let byte = *bytes.next()?;
            size |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(size);
            }
            shift += 7;
        }
    };
    Some([size()?, size()?])
}

fn kind_and_size(reader: &mut impl Read) -> Result<(u8, u64), Fault> {
    let mut byte_read = byte(reader)?;
    let kind = byte_read >> 4 & 7;
    let (mut size, mut shift) = (u64::from(byte_read & 0x0f), 4);
    while byte_read & 0x80 != 0 {
        byte_read = byte(reader)?;
        let part = u64::from(byte_read & 0x7f).checked_shl(shift);
        size |= part.ok_or_else(|| wrong("the size of an object of it is too long"))?;
        shift += 7;
    }
    Ok((kind, size))
}

fn byte(reader: &mut impl Read) -> Result<u8, Fault> {
    exactly::<1>(reader).map(|[byte]| byte)
}

fn exactly<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(|_| wrong("it is cut"))?;
    Ok(bytes)
}

/// Reads until the buffer is full or the stream ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Fault> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room).map_err(|_| wrong("an object of it cannot be inflated"))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    use super::*;

    fn pack(count: u32, objects: &[Vec<u8>]) -> Vec<u8> {
        [&b"PACK\0\0\0\x02"[..], &count.to_be_bytes(), &objects.concat()].concat()
    }

    /// Seven bits a byte, the lowest first.
    fn written(number: u64) -> Vec<u8> {
        let (mut rest, mut bytes) = (number, Vec::new());
        while rest > 0x7f {
            bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        bytes.push(rest.to_le_bytes()[0]);
        bytes
    }

    /// An object that says it has `size` bytes.
    fn object(kind: u8, size: u64, between: &[u8], data: &[u8]) -> Vec<u8> {
        let first = kind << 4 | (size.to_le_bytes()[0] & 0x0f);
        let head = if size < 16 { vec![first] } else { [vec![first | 0x80], written(size >> 4)].concat() };
        let mut encoder = ZlibEncoder::new([&head, between].concat(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn difference(from: u64, makes: u64) -> Vec<u8> {
        let data = [written(from), written(makes), vec![1, b'x']].concat();
        object(NAMED_DIFFERENCE, data.len() as u64, &[7; HASH_BYTES], &data)
    }

    fn told(pack: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pack");
        std::fs::write(&path, pack).unwrap();
        match check(&path, Instant::now() + Duration::from_mins(1)) {
            Ok(()) => "taken".to_owned(),
            Err(Fault::Answer(error)) => error.to_string(),
            Err(Fault::Damaged(reason) | Fault::System(reason)) => reason,
        }
    }

    #[test]
    fn objects_are_bounded_by_what_they_make() {
        let blob = object(BLOB, 5, &[], b"12345");
        let zeros = vec![0; 1 << 20];
        let long = object(BLOB, 1 << 20, &[], &zeros);
        let after = object(OFFSET_DIFFERENCE, 4, &[0x81, 0x02], &[5, 6, 1, b'x']);
        for (objects, want) in [
            (vec![], "taken"),
            (vec![blob.clone(), after, long, blob.clone()], "taken"),
            (vec![difference(5, MADE_BYTES_MAX)], "taken"),
            (vec![blob.clone(), difference(5, MADE_BYTES_MAX + 1)], "too large"),
            (vec![difference(MADE_BYTES_MAX + 1, 5)], "too large"),
            (vec![object(NAMED_DIFFERENCE, MADE_BYTES_MAX + 1, &[7; HASH_BYTES], b"")], "too large"),
            (vec![object(2, MADE_BYTES_MAX + 1, &[], b"")], "too large"),
            (vec![object(BLOB, u64::MAX, &[], b"")], "another size"),
            (vec![object(BLOB, 4, &[], b"12345")], "another size"),
            (vec![object(BLOB, 6, &[], b"12345")], "another size"),
            (vec![object(BLOB, 5, &[], &zeros)], "another size"),
            (vec![object(0, 5, &[], b"12345")], "no kind"),
            (vec![blob[..blob.len() - 6].to_vec()], "inflated"),
        ] {
            let count = u32::try_from(objects.len()).unwrap();
            let told = told(&pack(count, &objects));
            assert!(told.contains(want), "{want} for {objects:?}: {told}");
        }
        assert!(told(&pack(2, &[blob])).contains("cut"));
        assert!(told(&pack(1_000, &[])).contains("more objects than it can hold"));
        assert!(told(b"PACK").contains("cut"));
        assert!(told(b"PUCK\0\0\0\x02\0\0\0\0").contains("does not begin"));
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(bytes in any::<Vec<u8>>()) {
            told(&pack(3, &[bytes]));
        }
    }
}

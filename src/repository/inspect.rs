//! What a received pack may hold, looked at before libgit2 makes its objects: a difference of some bytes can stand for
//! an object of any size, which libgit2 makes in memory. Nothing is kept here, so that any pack can be looked at.
//!
//! Source: git documentation, gitformat-pack (version 2).

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::ZlibDecoder;

use super::RepositoryError;
use super::error::Fault;

/// Objects of one pack; libgit2 makes room for half as many as its header names, eight bytes each. A repository of 100,000
/// files and 100,000 commits has two million.
const OBJECTS_MAX: u32 = 20_000_000;
/// Bytes of an object, but for a file that is written as a whole, which is never held: of a difference, of what it makes
/// and of what it is made from. Three of them are held at a time. Git makes no differences of files above 512 MiB.
const OBJECT_BYTES_MAX: u64 = 256 << 20;
/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1_024;
/// The kinds of objects: a file, and a difference from an object before it in the pack or from one named by its id.
const BLOB: u8 = 3;
const OFFSET_DELTA: u8 = 6;
const REF_DELTA: u8 = 7;
const ID_BYTES: usize = 20;

/// Refuses a pack whose header or objects are larger than can be held. Blocks.
pub(super) fn check(pack: impl Read) -> Result<(), Fault> {
    let mut pack = BufReader::with_capacity(CHUNK_BYTES, pack);
    let mut header = [0; 12];
    pack.read_exact(&mut header).map_err(|error| damaged(&error))?;
    let [_, _, _, _, _, _, _, _, count @ ..] = header;
    let count = u32::from_be_bytes(count);
    if count > OBJECTS_MAX {
        return Err(refused(format!("it names {count} objects, at most {OBJECTS_MAX} are taken")));
    }
    for _ in 0..count {
        check_object(&mut pack)?;
    }
    Ok(())
}

fn check_object(pack: &mut impl BufRead) -> Result<(), Fault> {
    let (kind, size) = kind_and_size(pack).map_err(|error| damaged(&error))?;
    match kind {
        OFFSET_DELTA => while byte(pack).map_err(|error| damaged(&error))? & 0x80 != 0 {},
        REF_DELTA => pack.read_exact(&mut [0; ID_BYTES]).map_err(|error| damaged(&error))?,
        _ => {}
    }
    let is_delta = matches!(kind, OFFSET_DELTA | REF_DELTA);
    if kind != BLOB {
        check_size(size)?;
    }
    let mut object = ZlibDecoder::new(pack).take(size + 1);
    if is_delta {
        // What it is made from, and what it makes.
        check_size(number(&mut object).map_err(|error| damaged(&error))?)?;
        check_size(number(&mut object).map_err(|error| damaged(&error))?)?;
    }
    io::copy(&mut object, &mut io::sink()).map_err(|error| damaged(&error))?;
    // One byte was left to come where the object is as long as it says.
    if object.limit() == 1 { Ok(()) } else { Err(damaged(&io::ErrorKind::InvalidData.into())) }
}

fn check_size(size: u64) -> Result<(), Fault> {
    if size <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    Err(refused(format!("it has an object of {size} bytes, at most {OBJECT_BYTES_MAX} are taken")))
}

/// Three bits of kind, then the size: four bits, then seven a byte, the lowest first.
fn kind_and_size(pack: &mut impl Read) -> io::Result<(u8, u64)> {
    let first = byte(pack)?;
    let low = u64::from(first & 0x0f);
    let high = if first & 0x80 == 0 { 0 } else { number(pack)? };
    let size = high.checked_mul(16).and_then(|high| high.checked_add(low));
    // One more is read, to see that no more comes.
    let size = size.filter(|size| *size < u64::MAX).ok_or(io::ErrorKind::InvalidData)?;
    Ok((first >> 4 & 0x07, size))
}

/// Seven bits a byte, the lowest first.
fn number(bytes: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..=56).step_by(7) {
        let next = byte(bytes)?;
        number |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn byte(bytes: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    bytes.read_exact(&mut byte)?;
    let [byte] = byte;
    Ok(byte)
}

fn refused(reason: String) -> Fault {
    RepositoryError::Refused { name: "the pack".to_owned(), reason }.into()
}

/// The disk, or the pack.
fn damaged(error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(_) => Fault::System(error.to_string()),
        None => Fault::Damaged("a received pack is cut off or damaged".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    use super::*;

    fn pack(count: u32, objects: &[Vec<u8>]) -> Vec<u8> {
        [&b"PACK\0\0\0\x02"[..], &count.to_be_bytes(), &objects.concat()].concat()
    }

    /// Seven bits a byte.
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

    fn delta(from: u64, makes: u64) -> Vec<u8> {
        let data = [written(from), written(makes), vec![1, b'x']].concat();
        object(REF_DELTA, data.len() as u64, &[7; ID_BYTES], &data)
    }

    fn told(pack: &[u8]) -> String {
        match check(pack) {
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
        let after = object(OFFSET_DELTA, 4, &[0x81, 0x02], &[5, 6, 1, b'x']);
        for (objects, want) in [
            (vec![], "taken"),
            (vec![blob.clone(), after, long, blob.clone()], "taken"),
            (vec![delta(5, OBJECT_BYTES_MAX), delta(OBJECT_BYTES_MAX, 5)], "taken"),
            (vec![blob.clone(), delta(5, OBJECT_BYTES_MAX + 1)], "object of 268435457 bytes"),
            (vec![delta(OBJECT_BYTES_MAX + 1, 5)], "object of 268435457 bytes"),
            (vec![object(REF_DELTA, OBJECT_BYTES_MAX + 1, &[7; ID_BYTES], b"")], "object of 268435457 bytes"),
            (vec![object(2, OBJECT_BYTES_MAX + 1, &[], b"")], "object of 268435457 bytes"),
            (vec![object(BLOB, u64::MAX, &[], b"")], "damaged"),
            (vec![object(BLOB, 4, &[], b"12345")], "damaged"),
            (vec![object(BLOB, 6, &[], b"12345")], "damaged"),
            (vec![object(BLOB, 5, &[], &zeros)], "damaged"),
            (vec![blob[..blob.len() - 6].to_vec()], "damaged"),
        ] {
            let count = u32::try_from(objects.len()).unwrap();
            assert!(told(&pack(count, &objects)).contains(want), "{objects:?}: {}", told(&pack(count, &objects)));
        }
        assert!(told(&pack(2, &[blob])).contains("cut off"));
    }

    #[test]
    fn as_many_objects_are_named_as_may_come() {
        assert!(told(&pack(OBJECTS_MAX, &[])).contains("cut off"), "their number is no reason");
        assert!(told(&pack(OBJECTS_MAX + 1, &[])).contains("names 20000001 objects"));
        assert!(told(b"PACK").contains("cut off"));
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = check(&pack(3, &[bytes])[..]);
        }
    }
}

//! The format of packs: writing one object after the other.
//!
//! Source: git documentation, gitformat-pack (version 2).

use std::io::Write;

use flate2::{Compress, Compression};
use git2::{ObjectType, Oid};
use sha1::{Digest as _, Sha1};

use super::database::deflated;
use super::error::Fault;

/// The kind of an object that is a difference from another one, named by its id.
const REF_DELTA_BITS: u8 = 7;

/// A pack on its way into a file or a request.
pub(super) struct Writer<W> {
    into: W,
    checksum: Sha1,
    bytes: usize,
    compress: Compress,
}

impl<W: Write> Writer<W> {
    /// Begins a pack of so many objects.
    pub(super) fn begin(into: W, objects: usize) -> Result<Self, Fault> {
        let objects = u32::try_from(objects).map_err(|error| Fault::System(error.to_string()))?;
        let compress = Compress::new(Compression::default(), true);
        let mut writer = Self { into, checksum: Sha1::new(), bytes: 0, compress };
        writer.put(b"PACK\0\0\0\x02")?;
        writer.put(&objects.to_be_bytes())?;
        Ok(writer)
    }

    /// The bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Adds an object as it is.
    pub(super) fn whole(&mut self, kind: ObjectType, bytes: &[u8]) -> Result<(), Fault> {
        self.put(&header(kind_bits(kind)?, bytes.len()))?;
        self.deflate(bytes)
    }

    /// Adds an object as its difference from another one, of the same pack or, in a thin one, of the far side.
    pub(super) fn difference(&mut self, base: Oid, bytes: &[u8]) -> Result<(), Fault> {
        self.put(&header(REF_DELTA_BITS, bytes.len()))?;
        self.put(base.as_bytes())?;
        self.deflate(bytes)
    }

    /// Ends it with its checksum.
    pub(super) fn end(mut self) -> Result<W, Fault> {
        let checksum = self.checksum.clone().finalize();
        self.put(&checksum)?;
        self.into.flush()?;
        Ok(self.into)
    }

    fn deflate(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let compressed = deflated(&mut self.compress, &[bytes])?;
        self.put(&compressed)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.checksum.update(bytes);
        self.bytes += bytes.len();
        Ok(self.into.write_all(bytes)?)
    }
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
fn header(kind: u8, size: usize) -> Vec<u8> {
    let low = |value: usize, mask: u8| value.to_le_bytes()[0] & mask;
    let mut header = Vec::new();
    let mut rest = size >> 4;
    let mut byte = kind << 4 | low(size, 0x0f);
    while rest > 0 {
        header.push(byte | 0x80);
        byte = low(rest, 0x7f);
        rest >>= 7;
    }
    header.push(byte);
    header
}

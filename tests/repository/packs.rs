//! Answers of a host that knows git and lies: packets, advertisements and packs, byte by byte.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::{Digest as _, Sha1};

pub(crate) const COMMIT: u8 = 1;
pub(crate) const TREE: u8 = 2;
pub(crate) const BLOB: u8 = 3;
pub(crate) const DIFFERENCE: u8 = 7;

/// An object as it stands in a pack: its kind, the size it says it has, what comes before its content, its
/// content.
pub(crate) struct Entry {
    pub(crate) kind: u8,
    pub(crate) size: u64,
    pub(crate) base: Vec<u8>,
    pub(crate) content: Vec<u8>,
}

impl Entry {
    pub(crate) fn whole(kind: u8, content: &[u8]) -> Self {
        Self { kind, size: content.len() as u64, base: Vec::new(), content: content.to_vec() }
    }

    pub(crate) fn difference(base: &[u8], content: &[u8]) -> Self {
        Self { kind: DIFFERENCE, size: content.len() as u64, base: base.to_vec(), content: content.to_vec() }
    }
}

pub(crate) fn pack(count: u32, entries: &[Entry]) -> Vec<u8> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(count.to_be_bytes());
    for entry in entries {
        let mut rest = entry.size >> 4;
        let mut byte = entry.kind << 4 | u8::try_from(entry.size & 0x0f).unwrap();
        while rest > 0 {
            pack.push(byte | 0x80);
            byte = u8::try_from(rest & 0x7f).unwrap();
            rest >>= 7;
        }
        pack.push(byte);
        pack.extend(&entry.base);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&entry.content).unwrap();
        pack.extend(encoder.finish().unwrap());
    }
    let checksum = Sha1::digest(&pack);
    pack.extend(checksum);
    pack
}

/// The id of an object.
pub(crate) fn id(kind: &str, content: &[u8]) -> [u8; 20] {
    let header = format!("{kind} {}\0", content.len());
    Sha1::new().chain_update(header).chain_update(content).finalize().into()
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

pub(crate) fn packet(data: &[u8]) -> Vec<u8> {
    [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
}

/// The packets of these lines, and a flush.
pub(crate) fn packets(lines: &[&[u8]]) -> Vec<u8> {
    let mut bytes: Vec<u8> = lines.iter().flat_map(|line| packet(line)).collect();
    bytes.extend(b"0000");
    bytes
}

/// The answer of version 2 to a fetch.
pub(crate) fn fetched(pack: &[u8]) -> Vec<u8> {
    let mut bytes = packet(b"packfile\n");
    for chunk in pack.chunks(60_000) {
        bytes.extend(packet(&[&[1], chunk].concat()));
    }
    bytes.extend(b"0000");
    bytes
}

/// The answer to a push: the report inside the first band.
pub(crate) fn reported(lines: &[&[u8]]) -> Vec<u8> {
    let mut bytes = packet(&[&[1][..], &packets(lines)].concat());
    bytes.extend(b"0000");
    bytes
}

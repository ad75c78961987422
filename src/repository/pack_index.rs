//! The index beside a pack: which objects lie in it.
//!
//! Source: git documentation, gitformat-pack ("Version 2 pack-*.idx files").

use std::path::Path;

use git2::Oid;

use super::error::Fault;
use super::tree::HASH_BYTES;

const MAGIC: &[u8] = b"\xfftOc\0\0\0\x02";
/// How many ids begin with a byte up to this one, for each byte.
const FANOUT_BYTES: usize = 256 * 4;
const OFFSET_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;

/// The ids of the objects, in the order in which they lie in the pack.
pub(super) fn ids(index: &Path) -> Result<Vec<Oid>, Fault> {
    let bytes = std::fs::read(index)?;
    in_order(&bytes).ok_or_else(|| Fault::Damaged(format!("index {} cannot be read", index.display())))
}

fn in_order(bytes: &[u8]) -> Option<Vec<Oid>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let count = rest.get(..FANOUT_BYTES)?.last_chunk::<4>()?;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    let ids = rest.get(FANOUT_BYTES..)?.get(..count.checked_mul(HASH_BYTES)?)?;
    let offsets = rest.get(FANOUT_BYTES + count * (HASH_BYTES + CHECKSUM_BYTES)..)?;
    let offsets = offsets.get(..count * OFFSET_BYTES)?;
    let mut found = Vec::with_capacity(count);
    for (id, offset) in ids.chunks_exact(HASH_BYTES).zip(offsets.chunks_exact(OFFSET_BYTES)) {
        // Offsets beyond 2 GiB stand elsewhere, and here their order, with the highest bit set.
        found.push((<[u8; OFFSET_BYTES]>::try_from(offset).ok()?, Oid::from_bytes(id).ok()?));
    }
    found.sort_unstable();
    Some(found.into_iter().map(|(_, id)| id).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(count in any::<u32>(), bytes in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            let fanout = [vec![0; FANOUT_BYTES - 4], count.to_be_bytes().to_vec()].concat();
            let _ = in_order(&[MAGIC, &fanout, &bytes].concat());
            let _ = in_order(&bytes);
        }
    }
}

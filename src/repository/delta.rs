//! Deltas of a pack: an object written as its difference from another one.
//!
//! Our edits change a few bytes of a file or tree, most of them in place: so a copy before, the new bytes and a
//! copy after, and where the length stayed the same the copies between, are the whole delta. A general matcher
//! would gain nothing.
//!
//! Source: git documentation, gitformat-pack ("Deltified representation").

/// Bytes that one copy instruction can name: 24 bits of size.
const COPY_BYTES_MAX: usize = 0xff_ffff;
/// Bytes that one insert instruction can hold.
const INSERT_BYTES_MAX: usize = 127;

/// A stretch that is equal in place is copied from this length on: the instruction has up to 8 bytes.
const COPY_BYTES_MIN: usize = 16;
/// Git takes none that is shorter (`DELTA_SIZE_MIN` of its delta.h): what makes an empty file of a small one.
const DELTA_BYTES_MIN: usize = 4;
/// Bytes compared at once.
const BLOCK_BYTES: usize = 64;

/// The delta that makes `target` from `base`; none where more than half of it would be new bytes.
pub(super) fn delta(base: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let start = equal_start(base, target);
    let base_rest = base.get(start..)?;
    let target_rest = target.get(start..)?;
    let end = equal_end(base_rest, target_rest);
    let before = base_rest.get(..base_rest.len() - end)?;
    let middle = target_rest.get(..target_rest.len() - end)?;
    if u32::try_from(base.len()).is_err() {
        return None;
    }
    let mut delta = Vec::with_capacity(256);
    push_size(&mut delta, base.len());
    push_size(&mut delta, target.len());
    push_copy(&mut delta, 0, start);
    let new = if before.len() == middle.len() {
        push_in_place(&mut delta, start, before, middle)
    } else {
        push_new(&mut delta, middle)
    };
    push_copy(&mut delta, base.len() - end, end);
    (new <= target.len() / 2 && delta.len() >= DELTA_BYTES_MIN).then_some(delta)
}

/// How many bytes are equal from the start; compared in blocks, a folder of 10,000 files has 350 kB.
fn equal_start(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.chunks_exact(BLOCK_BYTES).zip(other.chunks_exact(BLOCK_BYTES));
    let at = BLOCK_BYTES * blocks.take_while(|(one, other)| one == other).count();
    let rest = one.iter().zip(other).skip(at);
    at + rest.take_while(|(one, other)| one == other).count()
}

/// The same from the end.
fn equal_end(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.rchunks_exact(BLOCK_BYTES).zip(other.rchunks_exact(BLOCK_BYTES));
    let at = BLOCK_BYTES * blocks.take_while(|(one, other)| one == other).count();
    let rest = one.iter().rev().zip(other.iter().rev()).skip(at);
    at + rest.take_while(|(one, other)| one == other).count()
}

/// Writes what differs between two stretches of the same length; returns how many bytes are new.
fn push_in_place(delta: &mut Vec<u8>, offset: usize, base: &[u8], target: &[u8]) -> usize {
    let (mut new, mut begin, mut at) = (0, 0, 0);
    while let (Some(base), Some(rest)) = (base.get(at..), target.get(at..).filter(|rest| !rest.is_empty())) {
        let same = equal_start(base, rest);
        if same >= COPY_BYTES_MIN {
            new += push_new(delta, target.get(begin..at).unwrap_or_default());
            push_copy(delta, offset + at, same);
            begin = at + same;
        }
        let differ = base.iter().zip(rest).skip(same).take_while(|(one, other)| one != other).count();
        at += same + differ;
    }
    new + push_new(delta, target.get(begin..).unwrap_or_default())
}

fn push_new(delta: &mut Vec<u8>, bytes: &[u8]) -> usize {
    for chunk in bytes.chunks(INSERT_BYTES_MAX) {
        delta.extend(u8::try_from(chunk.len()));
        delta.extend_from_slice(chunk);
    }
    bytes.len()
}

/// Seven bits a byte, the lowest first.
fn push_size(delta: &mut Vec<u8>, size: usize) {
    let mut rest = size;
    while rest > 0x7f {
        delta.push(low_byte(rest) | 0x80);
        rest >>= 7;
    }
    delta.push(low_byte(rest));
}

/// Offset in four bytes and size in three; bytes that are zero are left out and not flagged.
fn push_copy(delta: &mut Vec<u8>, offset: usize, size: usize) {
    let (mut offset, mut rest) = (offset, size);
    while rest > 0 {
        let size = rest.min(COPY_BYTES_MAX);
        let mut flags = 0x80;
        let mut arguments = Vec::with_capacity(7);
        for (bit, byte) in [0, 8, 16, 24].map(|shift| low_byte(offset >> shift)).into_iter().enumerate() {
            if byte != 0 {
                flags |= 1 << bit;
                arguments.push(byte);
            }
        }
        for (bit, byte) in [0, 8, 16].map(|shift| low_byte(size >> shift)).into_iter().enumerate() {
            if byte != 0 {
                flags |= 1 << (bit + 4);
                arguments.push(byte);
            }
        }
        delta.push(flags);
        delta.extend(arguments);
        offset += size;
        rest -= size;
    }
}

fn low_byte(value: usize) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reader of the format, for tests only: git's own reads what we send in `tests/repository`.
    fn apply(base: &[u8], delta: &[u8]) -> Vec<u8> {
        let mut bytes = delta.iter().copied();
        let mut size = || {
            let (mut value, mut shift) = (0_usize, 0);
            loop {
                let byte = bytes.next().unwrap();
                value |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return value;
                }
            }
        };
        assert_eq!(size(), base.len());
        let length = size();
        let mut target = Vec::new();
        while let Some(code) = bytes.next() {
            if code & 0x80 == 0 {
                target.extend(bytes.by_ref().take(usize::from(code)));
                continue;
            }
            let mut argument =
                |bit: u32| if code >> bit & 1 == 1 { usize::from(bytes.next().unwrap()) } else { 0 };
            let offset = (0..4).map(|bit| argument(bit) << (8 * bit)).sum::<usize>();
            let size = (0..3).map(|bit| argument(bit + 4) << (8 * bit)).sum::<usize>();
            let size = if size == 0 { 0x1_0000 } else { size };
            target.extend_from_slice(&base[offset..offset + size]);
        }
        assert_eq!(target.len(), length);
        target
    }

    #[test]
    fn a_delta_is_made_where_it_is_half_as_long() {
        assert!(delta(b"", b"").is_none());
        assert!(delta(b"abc", b"").is_none(), "git takes none so short");
        assert!(delta(b"", b"new").is_none());
        assert!(delta(b"ab", b"ax").is_some(), "one new byte of two is half");
        assert!(delta(b"ab", b"yx").is_none());
    }

    #[test]
    fn long_copies_are_split() {
        let base = vec![7; COPY_BYTES_MAX + 0x1_0000];
        let mut target = base.clone();
        target.push(1);
        assert_eq!(apply(&base, &delta(&base, &target).unwrap()), target);
    }

    #[test]
    fn changes_in_place_are_small_however_far_apart() {
        let base: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut target = base.clone();
        for at in [10, 200_000, 399_000] {
            target[at..at + 20].fill(0xee);
        }
        let delta = delta(&base, &target).unwrap();
        assert!(delta.len() < 120, "{}", delta.len());
        assert_eq!(apply(&base, &delta), target);
    }

    proptest! {
        #[test]
        fn a_delta_in_place_makes_its_target(
            base in proptest::collection::vec(0_u8..4, 0..600),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        ) {
            let mut target = base.clone();
            for (at, byte) in changes.into_iter().filter(|_| !base.is_empty()) {
                target[at.index(base.len())] = byte;
            }
            if let Some(delta) = delta(&base, &target) { prop_assert_eq!(apply(&base, &delta), target); }
        }

        #[test]
        fn a_delta_makes_its_target(
            base in proptest::collection::vec(0_u8..4, 0..600), at in any::<prop::sample::Index>(),
            cut in 0_usize..50, new in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let at = at.index(base.len() + 1);
            let mut target = base.clone();
            let end = (at + cut).min(base.len());
            target.splice(at..end, new);
            if let Some(delta) = delta(&base, &target) { prop_assert_eq!(apply(&base, &delta), target); }
        }
    }
}

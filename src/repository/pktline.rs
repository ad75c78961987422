//! The framing of git's protocols: packets with their length in front.
//!
//! Source: git documentation, gitprotocol-common ("pkt-line format") and gitprotocol-v2 ("Packet-Line
//! Framing").

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::ProtocolError;

/// The longest packet, its 4 digits of length included.
const PACKET_BYTES_MAX: usize = 65_520;
const LENGTH_BYTES: usize = 4;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Bytes, at most 65,516.
    Data(Bytes),
    /// `0000`, the end of a message.
    Flush,
    /// `0001`, the end of a section.
    Delimiter,
    /// `0002`, the end of an answer.
    ResponseEnd,
}

/// Takes the first packet off the buffer; none where more bytes are needed.
///
/// # Errors
/// [`ProtocolError`] for a length that is none, or above 65,520 bytes (`PACKET_BYTES_MAX`).
pub fn take(buffer: &mut BytesMut) -> Result<Option<Packet>, ProtocolError> {
    let Some(digits) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = length(*digits)?;
    let special = match length {
        0 => Some(Packet::Flush),
        1 => Some(Packet::Delimiter),
        2 => Some(Packet::ResponseEnd),
        _ => None,
    };
    if let Some(packet) = special {
        buffer.advance(LENGTH_BYTES);
        return Ok(Some(packet));
    }
    if !(LENGTH_BYTES..=PACKET_BYTES_MAX).contains(&length) {
        return Err(ProtocolError("packet is longer than 65,520 bytes, or its length is 3"));
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut packet = buffer.split_to(length);
    packet.advance(LENGTH_BYTES);
    Ok(Some(Packet::Data(packet.freeze())))
}

fn length(digits: [u8; LENGTH_BYTES]) -> Result<usize, ProtocolError> {
    let mut bytes = [0; 2];
    hex::decode_to_slice(digits, &mut bytes)
        .map_err(|_| ProtocolError("packet length is not 4 hex digits"))?;
    Ok(usize::from(u16::from_be_bytes(bytes)))
}

/// Appends a packet with this text. Ours are lines: two ids, a ref name of at most 1,024 bytes, capabilities.
pub(super) fn push(message: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() + LENGTH_BYTES <= PACKET_BYTES_MAX, "our lines are short");
    message.extend_from_slice(format!("{:04x}", text.len() + LENGTH_BYTES).as_bytes());
    message.extend_from_slice(text.as_bytes());
}

/// Ends a section.
pub(super) fn push_delimiter(message: &mut Vec<u8>) {
    message.extend_from_slice(b"0001");
}

/// Ends a message.
pub(super) fn push_flush(message: &mut Vec<u8>) {
    message.extend_from_slice(b"0000");
}

/// A line without its end.
pub(super) fn line(data: &[u8]) -> &[u8] {
    data.strip_suffix(b"\n").unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packets(bytes: &[u8]) -> Result<Vec<Packet>, ProtocolError> {
        let mut buffer = BytesMut::from(bytes);
        let mut packets = Vec::new();
        while let Some(packet) = take(&mut buffer)? {
            packets.push(packet);
        }
        Ok(packets)
    }

    #[test]
    fn packets_are_taken_one_by_one() {
        let data = |text: &'static str| Packet::Data(Bytes::from_static(text.as_bytes()));
        for (bytes, want) in [
            (&b"0006a\n0005b00000001"[..], vec![data("a\n"), data("b"), Packet::Flush, Packet::Delimiter]),
            (b"00020004", vec![Packet::ResponseEnd, data("")]),
            (b"0009abcd", vec![]),
            (b"00", vec![]),
        ] {
            assert_eq!(packets(bytes).unwrap(), want);
        }
        for bad in [&b"0003"[..], b"zzzz", b"fff1", b"+005a"] {
            assert!(packets(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_longest_packet_is_taken() {
        let mut bytes = b"fff0".to_vec();
        bytes.extend(vec![b'x'; PACKET_BYTES_MAX - LENGTH_BYTES]);
        assert_eq!(packets(&bytes).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = packets(&bytes);
        }

        #[test]
        fn what_is_pushed_is_taken(texts in proptest::collection::vec("[ -~]{0,50}", 0..10)) {
            let mut message = Vec::new();
            for text in &texts { push(&mut message, text); }
            let taken: Vec<_> = packets(&message).unwrap();
            let want: Vec<_> = texts.iter().map(|text| Packet::Data(Bytes::copy_from_slice(text.as_bytes()))).collect();
            prop_assert_eq!(taken, want);
        }
    }
}

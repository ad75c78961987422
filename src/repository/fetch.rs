//! Asking a git host for its refs and for a pack of what we lack.
//!
//! Source: git documentation, gitprotocol-v2 (`ls-refs`, `fetch`), gitprotocol-pack ("Packfile Negotiation")
//! for hosts that speak only version 0.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::advertisement::{Advertisement, REFS_MAX, id_and_name};
use super::error::{ProtocolError, unavailable};
use super::transport::{Packets, Service, Session, Transport, agent, is_v2};
use super::{CommitId, RepositoryError, name, pktline, text};

/// Bytes of a pack we take; it goes to disk. The largest environment repository measured has 100 MB.
const PACK_BYTES_MAX: u64 = 8 * 1_024 * 1_024 * 1_024;
/// Bytes gathered for one write.
const BUFFER_BYTES: usize = 256 * 1_024;

/// What the bands of a side-band packet carry.
const BAND_DATA: u8 = 1;
const BAND_TEXT: u8 = 2;

/// The refs at the remote that begin with one of these prefixes.
pub(super) async fn refs(
    transport: &Transport,
    prefixes: &[&str],
) -> Result<BTreeMap<String, CommitId>, RepositoryError> {
    let session = transport.open(Service::UploadPack).await?;
    let all = if is_v2(&session.advertisement) {
        ls_refs(session, prefixes).await?
    } else {
        session.advertisement.refs
    };
    // The prefix is a hint to the host: it may send more. A name that git itself would not take is left out.
    let is_wanted = |found: &str| prefixes.iter().any(|prefix| found.starts_with(prefix));
    let is_valid = |found: &str| found == "HEAD" || name::reference(found).is_ok();
    Ok(all.into_iter().filter(|(name, _)| is_wanted(name) && is_valid(name)).collect())
}

async fn ls_refs(
    session: Session<'_>,
    prefixes: &[&str],
) -> Result<BTreeMap<String, CommitId>, RepositoryError> {
    let mut request = command("ls-refs", &session.advertisement);
    for prefix in prefixes {
        pktline::push(&mut request, &format!("ref-prefix {prefix}\n"));
    }
    pktline::push_flush(&mut request);
    let mut packets = session.ask(request).await?;
    let mut refs = BTreeMap::new();
    while let Some(data) = packets.data().await? {
        let line = pktline::line(&data);
        let (id, name) = id_and_name(line).ok_or(ProtocolError("line of ls-refs is no `id name`"))?;
        if refs.len() >= REFS_MAX {
            return Err(ProtocolError("more than 100,000 refs").into());
        }
        refs.insert(name.to_owned(), id);
    }
    Ok(refs)
}

/// The head of a request of version 2.
fn command(name: &str, advertisement: &Advertisement) -> Vec<u8> {
    let mut request = Vec::new();
    pktline::push(&mut request, &format!("command={name}\n"));
    pktline::push(&mut request, &format!("{}\n", agent()));
    if advertisement.has("object-format") {
        pktline::push(&mut request, "object-format=sha1\n");
    }
    pktline::push_delimiter(&mut request);
    request
}

/// Fetches what `wants` need beyond `haves` as one pack into the file `into`.
pub(super) async fn pack(
    transport: &Transport,
    wants: &[CommitId],
    haves: &[CommitId],
    into: &Path,
) -> Result<(), RepositoryError> {
    let session = transport.open(Service::UploadPack).await?;
    let v2 = is_v2(&session.advertisement);
    let request =
        if v2 { request_v2(&session.advertisement, wants, haves) } else { request_v0(wants, haves) };
    let mut packets = session.ask(request).await?;
    packets.allow(PACK_BYTES_MAX);
    if v2 {
        while packets.data().await?.is_none_or(|data| pktline::line(&data) != b"packfile") {}
    }
    let failed =
        |error: std::io::Error| RepositoryError::Mirror { path: into.to_owned(), reason: error.to_string() };
    let mut file =
        BufWriter::with_capacity(BUFFER_BYTES, tokio::fs::File::create(into).await.map_err(failed)?);
    while let Some(data) = packets.data().await? {
        if let Some(bytes) = band(&data)? {
            file.write_all(bytes).await.map_err(failed)?;
        }
    }
    file.flush().await.map_err(failed)
}

/// The bytes of the pack in a packet; none where it is progress, or an acknowledgement of version 0.
fn band(data: &[u8]) -> Result<Option<&[u8]>, RepositoryError> {
    match data.split_first() {
        Some((&BAND_DATA, bytes)) => Ok(Some(bytes)),
        Some((&BAND_TEXT, _)) => Ok(None),
        Some((3, words)) => Err(unavailable(text::line(words))),
        _ if data.starts_with(b"NAK") || data.starts_with(b"ACK ") => Ok(None),
        _ => Err(ProtocolError("packet has no band").into()),
    }
}

/// `done` in the first request: the host answers with the pack at once.
fn request_v2(advertisement: &Advertisement, wants: &[CommitId], haves: &[CommitId]) -> Vec<u8> {
    let mut request = command("fetch", advertisement);
    for option in ["thin-pack\n", "ofs-delta\n", "no-progress\n"] {
        pktline::push(&mut request, option);
    }
    for id in wants {
        pktline::push(&mut request, &format!("want {id}\n"));
    }
    push_haves(&mut request, haves);
    pktline::push_flush(&mut request);
    request
}

fn request_v0(wants: &[CommitId], haves: &[CommitId]) -> Vec<u8> {
    let mut request = Vec::new();
    let mut options = format!(" side-band-64k thin-pack ofs-delta no-progress {}", agent());
    for id in wants {
        pktline::push(&mut request, &format!("want {id}{options}\n"));
        options.clear();
    }
    pktline::push_flush(&mut request);
    push_haves(&mut request, haves);
    request
}

fn push_haves(request: &mut Vec<u8>, haves: &[CommitId]) {
    for id in haves {
        pktline::push(request, &format!("have {id}\n"));
    }
    pktline::push(request, "done\n");
}

/// Bytes that came by a band which holds a report, and the words beside it.
#[derive(Debug, Default)]
pub(super) struct Bands {
    pub(super) data: Vec<u8>,
    pub(super) words: Vec<u8>,
}

/// Bytes of a report: 1,000 refs with their reasons.
const REPORT_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of the words of hooks that are kept.
const WORDS_BYTES_MAX: usize = 16 * 1_024;

impl Bands {
    /// Reads both bands to their end.
    pub(super) async fn read(mut packets: Packets) -> Result<Self, RepositoryError> {
        let mut bands = Self::default();
        while let Some(data) = packets.data().await? {
            bands.add(&data)?;
        }
        Ok(bands)
    }

    fn add(&mut self, data: &[u8]) -> Result<(), RepositoryError> {
        match data.split_first() {
            Some((&BAND_DATA, bytes)) if self.data.len() + bytes.len() <= REPORT_BYTES_MAX => {
                self.data.extend_from_slice(bytes);
            }
            Some((&BAND_DATA, _)) => return Err(ProtocolError("report has more than 1 MiB").into()),
            Some((&BAND_TEXT, bytes)) => {
                let room = WORDS_BYTES_MAX.saturating_sub(self.words.len());
                self.words.extend(bytes.iter().take(room));
            }
            Some((3, words)) => return Err(unavailable(text::line(words))),
            _ => return Err(ProtocolError("packet has no band").into()),
        }
        Ok(())
    }
}

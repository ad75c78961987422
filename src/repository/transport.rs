//! One way to talk to a git host: what it says first, one request, the packets of its answer. Smart HTTP
//! carries that in requests, `file://` and `ssh://` in the pipes of a program.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::advertisement::{Advertisement, Version};
use super::error::{ProtocolError, unavailable};
use super::http::Http;
use super::pktline::{self, Packet};
use super::program::{Program, Running};
use super::{Credentials, Location, Options, RepositoryError, text};

/// Bytes of an answer that is held in memory: 100,000 refs of at most about 640 bytes.
pub(super) const ANSWER_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// What is asked of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// To fetch.
    UploadPack,
    /// To push.
    ReceivePack,
}

impl Service {
    /// Its name without `git-`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }

    /// Version 2 has no push: a host answers with version 0 there, whatever is asked.
    pub(super) fn protocol(self) -> Option<&'static str> {
        match self {
            Self::UploadPack => Some("version=2"),
            Self::ReceivePack => None,
        }
    }
}

/// The way to the host.
#[derive(Debug)]
pub(super) enum Transport {
    /// Requests.
    Http(Box<Http>),
    /// Pipes.
    Program(Box<Program>),
}

/// One exchange: the advertisement has been read, one request may be sent.
pub(super) struct Session<'t> {
    pub(super) advertisement: Advertisement,
    conduit: Conduit<'t>,
}

enum Conduit<'t> {
    Http { http: &'t Http, service: Service, base: String },
    Program { running: Box<Running>, packets: Box<Packets> },
}

impl Transport {
    pub(super) fn new(
        location: &Location,
        credentials: Credentials,
        options: &Options,
    ) -> Result<Self, RepositoryError> {
        match location {
            Location::Http(address) => Ok(Self::Http(Box::new(Http::new(address, credentials, options)?))),
            Location::File(_) | Location::Ssh(_) => {
                Program::new(location, credentials, options).map(|program| Self::Program(Box::new(program)))
            }
        }
    }

    /// Begins an exchange.
    pub(super) async fn open(&self, service: Service) -> Result<Session<'_>, RepositoryError> {
        match self {
            Self::Http(http) => {
                let (base, advertisement) = http.greeting(service).await?;
                check_format(&advertisement)?;
                Ok(Session { advertisement, conduit: Conduit::Http { http, service, base } })
            }
            Self::Program(program) => {
                let (running, mut packets) = program.start(service)?;
                let advertisement = packets.advertisement().await?;
                check_format(&advertisement)?;
                let conduit = Conduit::Program { running: Box::new(running), packets: Box::new(packets) };
                Ok(Session { advertisement, conduit })
            }
        }
    }

    /// Forgets what the host said first: the last exchange failed, it may have changed.
    pub(super) fn forget(&self) {
        if let Self::Http(http) = self {
            http.forget();
        }
    }
}

/// Our ids have 20 bytes; a repository of SHA-256 is refused with its reason.
fn check_format(advertisement: &Advertisement) -> Result<(), RepositoryError> {
    match advertisement.value("object-format") {
        None | Some("sha1") => Ok(()),
        Some(other) => Err(RepositoryError::Refused {
            name: "the repository".to_owned(),
            reason: format!("object format is {}, wanted sha1", text::line(other.as_bytes())),
        }),
    }
}

impl Session<'_> {
    /// Sends the request; its answer's packets follow.
    pub(super) async fn ask(self, request: Vec<u8>) -> Result<Packets, RepositoryError> {
        match self.conduit {
            Conduit::Http { http, service, base } => http.ask(service, &base, request).await,
            Conduit::Program { running, mut packets } => {
                running.send(request);
                packets.received = 0;
                Ok(*packets)
            }
        }
    }
}

/// Where bytes come from.
#[derive(Debug)]
pub(super) enum Source {
    Http(reqwest::Response),
    Program(Box<super::program::Output>),
}

impl Source {
    async fn chunk(&mut self) -> Result<Option<Bytes>, RepositoryError> {
        match self {
            Self::Http(response) => response.chunk().await.map_err(|error| super::http::unanswered(&error)),
            Self::Program(output) => output.chunk().await,
        }
    }
}

/// The packets of an answer, with a bound on its bytes and on each wait.
#[derive(Debug)]
pub(super) struct Packets {
    source: Source,
    buffer: BytesMut,
    received: u64,
    received_max: u64,
    idle: Duration,
}

impl Packets {
    pub(super) fn new(source: Source, idle: Duration) -> Self {
        Self { source, buffer: BytesMut::new(), received: 0, received_max: ANSWER_BYTES_MAX, idle }
    }

    /// Allows more bytes, where they are not held in memory.
    pub(super) fn allow(&mut self, bytes_max: u64) {
        self.received_max = bytes_max;
    }

    /// The next packet; the end of the bytes before the end of the message is an error.
    pub(super) async fn next(&mut self) -> Result<Packet, RepositoryError> {
        loop {
            if let Some(packet) = pktline::take(&mut self.buffer)? {
                return Ok(packet);
            }
            let wait = tokio::time::timeout(self.idle, self.source.chunk());
            let chunk =
                wait.await.map_err(|_| unavailable(format!("nothing was sent for {:?}", self.idle)))??;
            let chunk = chunk.ok_or_else(|| unavailable("answer ends before its end"))?;
            self.received += chunk.len() as u64;
            if self.received > self.received_max {
                return Err(unavailable(format!("answer has more than {} bytes", self.received_max)));
            }
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// The next packet of data; none at the end of a section or message. An `ERR` packet is an error.
    pub(super) async fn data(&mut self) -> Result<Option<Bytes>, RepositoryError> {
        match self.next().await? {
            Packet::Data(data) => match data.strip_prefix(b"ERR ") {
                Some(reason) => Err(unavailable(text::line(reason))),
                None => Ok(Some(data)),
            },
            Packet::Flush | Packet::Delimiter | Packet::ResponseEnd => Ok(None),
        }
    }

    /// What the host says first, without the line that smart HTTP puts before it.
    pub(super) async fn advertisement(&mut self) -> Result<Advertisement, RepositoryError> {
        let mut advertisement = Advertisement::default();
        let mut first = true;
        loop {
            match self.data().await? {
                Some(data) if first && data.starts_with(b"# service=") => {
                    if self.data().await?.is_some() {
                        return Err(ProtocolError("no flush after the service").into());
                    }
                }
                Some(data) => advertisement.add(&data)?,
                None => return Ok(advertisement),
            }
            first = false;
        }
    }
}

/// The line by which we name ourselves.
pub(super) fn agent() -> String {
    format!("agent=lockkeeper/{}", env!("CARGO_PKG_VERSION"))
}

/// Whether refs are asked for or came with the advertisement.
pub(super) fn is_v2(advertisement: &Advertisement) -> bool {
    advertisement.version == Version::V2
}

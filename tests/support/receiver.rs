//! Who is told, on loopback: keeps every request, and answers as it is asked to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for a request.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// With a status and more header lines, each with its end.
    Status(u16, String),
    /// Not at all.
    Hang,
    /// By a body without an end.
    FloodOfBody,
    /// By headers without an end.
    FloodOfHeaders,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// The receiver; it stops with the runtime.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The id of a cloud event.
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Self { address, told: Arc::default(), replies: Arc::default() };
        let this = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.serve(stream).await });
            }
        });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/told", self.address)
    }

    /// The next requests are answered so; those after them with 200.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until this many requests came.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Told> {
        let waiting = async {
            while self.told().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(WAIT_MAX, waiting).await;
        assert!(waited.is_ok(), "wanted {count} requests, found {:#?}", self.told());
        self.told()
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(told) = read(&mut stream).await else { return };
        self.told.lock().unwrap().push(told);
        let reply = self.replies.lock().unwrap().pop_front();
        let (status, headers) = match reply {
            None => (200, String::new()),
            Some(Reply::Status(status, headers)) => (status, headers),
            Some(Reply::Hang) => {
                // Until the other side goes away.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Some(Reply::FloodOfBody) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await;
                while stream.write_all(&[b'x'; 8_192]).await.is_ok() {}
                return;
            }
            Some(Reply::FloodOfHeaders) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
                while stream.write_all(b"x-more: and more\r\n").await.is_ok() {}
                return;
            }
        };
        let answer =
            format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

async fn read(stream: &mut TcpStream) -> Option<Told> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut told = Told { head: String::from_utf8(bytes[..end].to_vec()).ok()?, body: bytes.split_off(end) };
    let length: usize = told.header("content-length")?.parse().ok()?;
    while told.body.len() < length {
        if stream.read_buf(&mut told.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(told)
}

//! Smart HTTP for bare repositories: `git http-backend` behind axum on loopback, with tokens and faults.
//!
//! Git itself answers, so hooks, protection and races are real. Tokens can be changed and faults set while it
//! runs.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use futures::{Stream, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdout};

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is never answered.
    Hang,
    /// It is answered with this status and nothing else.
    Status(u16),
    /// Its answer ends after this many bytes of body.
    CutAfter(usize),
    /// Its answer goes no further after this many bytes of body.
    HangAfter(usize),
    /// It is answered with these bytes, as this type of content, by nobody who knows git.
    Answer(String, Vec<u8>),
    /// It is answered with these bytes again and again, each after a pause, as this type of content.
    Endless(String, Vec<u8>, Duration),
    /// Nothing: to let one request pass before another one fails.
    Pass,
    /// Git does its work, the answer is lost.
    LoseAnswer,
    /// It is sent elsewhere.
    Redirect(String),
}

/// The host; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct GitHost {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
}

struct Shared {
    root: PathBuf,
    tokens: Mutex<BTreeMap<String, String>>,
    faults: Mutex<VecDeque<(String, Fault)>>,
    requests: Mutex<Vec<String>>,
    received_bytes: AtomicU64,
    protocol: Mutex<Option<String>>,
}

impl GitHost {
    /// Serves the repositories below `root`. `tokens`: token and the user it stands for; none: anyone may do
    /// anything.
    pub(crate) async fn start(root: PathBuf, tokens: &[(&str, &str)]) -> Self {
        let shared = Arc::new(Shared {
            root,
            tokens: Mutex::default(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            received_bytes: AtomicU64::new(0),
            protocol: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        // Answers come in small writes; held back for an acknowledgement each would cost 40 ms.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let host = Self { shared, address };
        host.set_tokens(tokens);
        host
    }

    /// The address of a repository by its path below the root (`env.git`).
    pub(crate) fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    /// From now on these tokens are the valid ones.
    pub(crate) fn set_tokens(&self, tokens: &[(&str, &str)]) {
        let tokens = tokens.iter().map(|(token, user)| ((*token).to_owned(), (*user).to_owned()));
        *self.shared.tokens.lock().unwrap() = tokens.collect();
    }

    /// The next request whose `METHOD path?query` contains `part` gets this fault; several wait in order.
    pub(crate) fn fail(&self, part: &str, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back((part.to_owned(), fault));
    }

    /// Speak this version of the protocol whatever the client asks for (`version=0`).
    pub(crate) fn force_protocol(&self, version: &str) {
        *self.shared.protocol.lock().unwrap() = Some(version.to_owned());
    }

    /// The requests so far, `METHOD path?query`; the list begins anew.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// The bytes of all request bodies so far; the count begins anew.
    pub(crate) fn take_received_bytes(&self) -> u64 {
        self.shared.received_bytes.swap(0, Ordering::Relaxed)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri.path_and_query().map_or("", |path| path.as_str()));
    shared.requests.lock().unwrap().push(line.clone());
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    shared.received_bytes.fetch_add(length.unwrap_or(0), Ordering::Relaxed);
    let fault = shared.take_fault(&line);
    match &fault {
        Some(Fault::Hang) => std::future::pending::<()>().await,
        Some(Fault::Status(status)) => return plain(*status),
        Some(Fault::Redirect(to)) => {
            return Response::builder().status(301).header(header::LOCATION, to).body(Body::empty()).unwrap();
        }
        Some(Fault::Answer(kind, body)) => return content(kind, Body::from(body.clone())),
        Some(Fault::Endless(kind, body, pause)) => return content(kind, endless(body.clone(), *pause)),
        Some(Fault::CutAfter(_) | Fault::HangAfter(_) | Fault::LoseAnswer | Fault::Pass) | None => {}
    }
    let Some(user) = shared.user(&parts) else {
        let answer = Response::builder().status(StatusCode::UNAUTHORIZED);
        return answer.header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"").body(Body::empty()).unwrap();
    };
    let response = shared.backend(&parts, body, &user).await;
    match fault {
        Some(Fault::CutAfter(bytes)) => only(response, bytes, futures::stream::once(async { Err(broken()) })),
        Some(Fault::HangAfter(bytes)) => only(response, bytes, futures::stream::pending()),
        Some(Fault::LoseAnswer) => {
            axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            only(Response::new(Body::from("lost")), 0, futures::stream::once(async { Err(broken()) }))
        }
        Some(_) | None => response,
    }
}

fn plain(status: u16) -> Response {
    Response::builder().status(status).header("content-type", "text/plain").body(Body::from("fault")).unwrap()
}

fn content(kind: &str, body: Body) -> Response {
    Response::builder().status(200).header("content-type", kind).body(body).unwrap()
}

fn endless(body: Vec<u8>, pause: Duration) -> Body {
    Body::from_stream(futures::stream::unfold(body, move |body| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(body.clone()), body))
    }))
}

fn broken() -> std::io::Error {
    std::io::Error::other("cut")
}

/// The answer up to so many bytes, and then this.
fn only(
    response: Response,
    bytes: usize,
    end: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let kept = body.into_data_stream().scan(bytes, |left, chunk| {
        let kept = chunk.ok().map(|chunk: Bytes| chunk.slice(..chunk.len().min(*left)));
        *left -= kept.as_ref().map_or(0, Bytes::len);
        futures::future::ready(kept.filter(|kept| !kept.is_empty()).map(Ok))
    });
    Response::from_parts(parts, Body::from_stream(kept.chain(end)))
}

impl Shared {
    fn take_fault(&self, line: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(part, _)| line.contains(part))?;
        faults.remove(at).map(|(_, fault)| fault)
    }

    fn user(&self, parts: &Parts) -> Option<String> {
        let tokens = self.tokens.lock().unwrap();
        if tokens.is_empty() {
            return Some("anyone".to_owned());
        }
        let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(value).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        tokens.get(decoded.split_once(':')?.1).cloned()
    }

    async fn backend(&self, parts: &Parts, body: Body, user: &str) -> Response {
        let header = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
        };
        let protocol = self.protocol.lock().unwrap().clone().unwrap_or_else(|| header("git-protocol"));
        let mut command = tokio::process::Command::new("git");
        command.args(["-c", "http.receivepack=true", "http-backend"]).env_clear();
        for (name, value) in [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("GIT_PROJECT_ROOT", self.root.display().to_string()),
            ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
            ("REQUEST_METHOD", parts.method.to_string()),
            ("PATH_INFO", parts.uri.path().to_owned()),
            ("QUERY_STRING", parts.uri.query().unwrap_or("").to_owned()),
            ("CONTENT_TYPE", header("content-type")),
            ("HTTP_CONTENT_ENCODING", header("content-encoding")),
            ("CONTENT_LENGTH", header("content-length")),
            ("GIT_PROTOCOL", protocol),
            ("REMOTE_USER", user.to_owned()),
            ("REMOTE_ADDR", "127.0.0.1".to_owned()),
        ] {
            if !value.is_empty() {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("git is installed");
        let mut stdin = child.stdin.take().unwrap();
        tokio::spawn(async move {
            let mut body = body.into_data_stream();
            while let Some(Ok(chunk)) = body.next().await {
                if stdin.write_all(&chunk).await.is_err() {
                    break;
                }
            }
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        cgi_response(stdout, child).await
    }
}

/// Source: RFC 3875, section 6: headers, an empty line, the body.
async fn cgi_response(mut stdout: BufReader<ChildStdout>, child: Child) -> Response {
    let mut response = Response::builder();
    let mut line = String::new();
    loop {
        line.clear();
        stdout.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        response = match name {
            "Status" => response.status(value.get(..3).unwrap().parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    let body = futures::stream::unfold((stdout, child), |(mut stdout, child)| async move {
        let mut chunk = vec![0; 16 * 1_024];
        match stdout.read(&mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                chunk.truncate(count);
                Some((Ok::<_, std::io::Error>(chunk), (stdout, child)))
            }
        }
    });
    response.body(Body::from_stream(body)).unwrap()
}

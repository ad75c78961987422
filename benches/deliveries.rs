//! Deliveries accepted in a second, each on disk before its 2xx: the real server beside what the disk allows.
//!
//! Every peer makes the same promise (an answer means `fdatasync` returned) for the same bytes, a notification of CNCF
//! Distribution of 1.5 kB with an id of its own, and has the same number of senders that each wait for their answer:
//!
//! - **lockkeeper serve**: the release program, authenticated, over loopback.
//! - **lockkeeper serve, at work**: the same where a pipeline watches the image, so that its workers take each delivery
//!   up at once, on the same processors: registry, git, plan, record.
//! - **HTTP and a bare append**: an axum server that checks nothing and appends the body, many to one `fdatasync`.
//! - **bare append**: the same without HTTP, in one process.
//! - **`SQLite`, one commit each**: the same rows, each in a transaction of its own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark fails where it stands"
)]

mod support;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use lockkeeper::demo::registry::{DemoRegistry, ImageSpec};
use lockkeeper::repository::{Signature, create_bare};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use support::measure::quick;
use support::table::{Table, figures, millis};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

const BODY: &str = include_str!("../tests/fixtures/webhooks/distribution/v2-push-single-by-tag.body.json");
/// The id in the captured body, which every delivery has its own in place of.
const BODY_ID: &str = "c24d08c7-4c26-482c-b9da-93fe463ad65c";
const SECRET: &str = "hook-secret";
const SENDERS: [usize; 4] = [1, 16, 64, 256];
/// Names the folder of the peer that this program is to be, instead of the benchmark.
const BARE_FOLDER: &str = "LOCKKEEPER_BENCH_BARE";
/// Most deliveries of one run: what a run of the longest time could reach at all.
const DELIVERIES_MAX: u64 = 2_000_000;

/// What one run reached.
struct Reached {
    per_second: f64,
    count: usize,
    p50: Duration,
    p99: Duration,
    /// Of the server's process, for one delivery; none where senders and server are one process.
    cpu: Option<Duration>,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = std::env::var_os(BARE_FOLDER) {
        return runtime.block_on(serve_bare(&PathBuf::from(folder)));
    }
    runtime.block_on(compare());
}

async fn compare() {
    let header = [
        "senders",
        "peer",
        "deliveries/s",
        "of bare append",
        "of HTTP and bare append",
        "p50",
        "p99",
        "CPU each",
    ];
    let mut table = Table::new("Deliveries on disk per second", &header);
    for senders in SENDERS {
        let bare = best(async || bare_append(senders).await).await;
        let fronted = best(async || fronted_append(senders).await).await;
        let ours = best(async || lockkeeper(senders, "shop/other").await).await;
        let working = best(async || lockkeeper(senders, "shop/web").await).await;
        let single = best(async || single_commits(senders).await).await;
        for (name, reached) in [
            ("**lockkeeper serve**", &ours),
            ("lockkeeper serve, at work", &working),
            ("HTTP and a bare append", &fronted),
            ("bare append", &bare),
            ("SQLite, one commit each", &single),
        ] {
            table.row([
                senders.to_string(),
                name.to_owned(),
                format!("{:.0}", reached.per_second),
                share(reached, &bare),
                share(reached, &fronted),
                millis(reached.p50),
                millis(reached.p99),
                reached
                    .cpu
                    .map_or_else(|| "–".to_owned(), |cpu| format!("{} µs", figures(cpu.as_secs_f64() * 1e6))),
            ]);
        }
    }
    table.print();
}

fn share(of: &Reached, whole: &Reached) -> String {
    format!("{} %", figures(100.0 * of.per_second / whole.per_second))
}

/// The run of the middle of three: the disk is not ours alone.
async fn best(run: impl AsyncFn() -> Reached) -> Reached {
    let runs = if quick() { 1 } else { 3 };
    let mut reached = Vec::new();
    for _ in 0..runs {
        reached.push(run().await);
    }
    reached.sort_by(|one, two| one.per_second.total_cmp(&two.per_second));
    reached.swap_remove(runs / 2)
}

/// Lets the senders send for some seconds; `sender` sends one after the other until it is told to end, and says how long each took.
async fn flood<S>(senders: usize, mut sender: impl FnMut(Pace) -> S) -> Reached
where
    S: Future<Output = Vec<Duration>> + Send + 'static,
{
    let duration = if quick() { Duration::from_millis(500) } else { Duration::from_secs(3) };
    let begun = Instant::now();
    let pace = Pace { end: begun + duration, next: Arc::default() };
    let tasks: Vec<_> = (0..senders).map(|_| tokio::spawn(sender(pace.clone()))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let wall = begun.elapsed();
    latencies.sort();
    #[expect(clippy::cast_precision_loss, reason = "three figures are printed")]
    let per_second = latencies.len() as f64 / wall.as_secs_f64();
    Reached {
        per_second,
        count: latencies.len(),
        p50: latencies[latencies.len() / 2],
        p99: latencies[latencies.len() * 99 / 100],
        cpu: None,
    }
}

/// The same against a server, with the processor time that its process took.
async fn flood_server(server: &Ended, senders: usize, address: SocketAddr) -> Reached {
    let before = cpu(server);
    let mut reached = flood(senders, |pace| client(address, pace)).await;
    let count = u32::try_from(reached.count).unwrap();
    reached.cpu = cpu(server).zip(before).map(|(after, before)| after.saturating_sub(before) / count);
    reached
}

/// User and system time of a running process, as Linux counts it: in hundredths of a second.
fn cpu(server: &Ended) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", server.0.id())).ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// When to end, and which delivery is next.
#[derive(Clone)]
struct Pace {
    end: Instant,
    next: Arc<AtomicU64>,
}

impl Pace {
    /// The body of the next delivery; none when it is time to end.
    fn next(&self) -> Option<String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // As random as the ids that registries give: in the order of arrival an index would be cheaper than it is.
        let id = format!("{:016x}-{number:08}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (Instant::now() < self.end && number < DELIVERIES_MAX).then(|| BODY.replace(BODY_ID, &id))
    }
}

/// A client that sends over one connection, and accepts nothing but 202.
async fn client(address: SocketAddr, pace: Pace) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut answer = [0; 4096];
    while let Some(body) = pace.next() {
        let request = format!(
            "POST /webhooks/registry HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {SECRET}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut length = 0;
        while !answer[..length].windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            let read = stream.read(&mut answer[length..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            length += read;
        }
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        latencies.push(begun.elapsed());
    }
    latencies
}

// lockkeeper.

/// One pipeline watches this repository; the deliveries tell of `shop/web`.
async fn lockkeeper(senders: usize, watched: &str) -> Reached {
    let folder = folder();
    let registry = DemoRegistry::start(vec![]).await.unwrap();
    let spec = ImageSpec::new(
        "1.4.2",
        "0".repeat(40).as_str(),
        "https://git.example.com/web",
        jiff::Timestamp::now(),
    );
    let digest = registry.push_image(watched, &"1.4.2".parse().unwrap(), &spec).unwrap();
    let image = format!("{}/{watched}", registry.address());
    let rules = format!(
        "version: 1\npipelines:\n  - name: web\n    owner: team:acme/owners\n    images:\n      - repository: {image}\n        follow: {{ semver: \">=1\" }}\n    stages:\n      - name: dev\n        pins: [web.yaml]\n"
    );
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: web }}\nspec:\n  containers:\n    - name: web\n      image: {image}:1.4.2@{digest}\n"
    );
    let files =
        [("lockkeeper.yaml".to_owned(), rules.into_bytes()), ("web.yaml".to_owned(), manifest.into_bytes())];
    let author =
        Signature { name: "li".to_owned(), email: "li@example.com".to_owned(), at: jiff::Timestamp::now() };
    create_bare(&folder.path().join("env.git"), "main", &files, "begin\n", &author).await.unwrap();
    let address = free_address();
    std::fs::write(folder.path().join("settings.toml"), settings(folder.path(), address, registry.address()))
        .unwrap();
    let mut server = Ended(
        Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
            .args(["serve", "--config", "settings.toml"])
            .current_dir(folder.path())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    until_ready(&mut server.0, address, folder.path()).await;
    let reached = flood_server(&server, senders, address).await;
    drop(server);
    registry.stop().await;
    reached
}

fn settings(folder: &Path, address: SocketAddr, registry: SocketAddr) -> String {
    std::fs::write(folder.join("secret"), SECRET).unwrap();
    std::fs::write(folder.join("people.json"), r#"{"people":[]}"#).unwrap();
    std::fs::write(folder.join("docker.json"), "{}").unwrap();
    format!(
        "[server]\nlisten = \"{address}\"\nrequests_max = 512\n[store]\npath = \"store.db\"\n\
         [registry]\ndocker_config = \"docker.json\"\nplain_http_hosts = [\"{registry}\"]\n\
         [[webhooks]]\nkind = \"distribution\"\npath = \"registry\"\nsecret_files = [\"secret\"]\nregistry = \"{registry}\"\n\
         [[repositories]]\nname = \"env\"\nlocation = \"{}/env.git\"\n\
         [repositories.local]\nfolder = \"forge\"\npeople = \"people.json\"\n",
        folder.display()
    )
}

// HTTP and a bare append.

async fn fronted_append(senders: usize) -> Reached {
    let folder = folder();
    let mut server = Ended(
        Command::new(std::env::current_exe().unwrap())
            .env(BARE_FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    let address = loop {
        let written = std::fs::read_to_string(folder.path().join("address")).unwrap_or_default();
        if let Ok(address) = written.parse() {
            break address;
        }
        assert!(Instant::now() < deadline && server.0.try_wait().unwrap().is_none(), "no server");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    until_ready(&mut server.0, address, folder.path()).await;
    flood_server(&server, senders, address).await
}

async fn serve_bare(folder: &Path) {
    let append = Append::start(&folder.join("log"));
    let take = async |State(append): State<Append>, body: Bytes| {
        append.put(body).await;
        StatusCode::ACCEPTED
    };
    let router = Router::new().route("/webhooks/registry", post(take)).route("/readyz", get(async || "ok"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::fs::write(folder.join("written"), address).unwrap();
    std::fs::rename(folder.join("written"), folder.join("address")).unwrap();
    axum::serve(listener, router.with_state(append)).await.unwrap();
}

// A bare append.

async fn bare_append(senders: usize) -> Reached {
    let folder = folder();
    let append = Append::start(&folder.path().join("log"));
    flood(senders, |pace| {
        let append = append.clone();
        async move {
            let mut latencies = Vec::new();
            while let Some(body) = pace.next() {
                let begun = Instant::now();
                append.put(Bytes::from(body)).await;
                latencies.push(begun.elapsed());
            }
            latencies
        }
    })
    .await
}

/// One thread that appends what waits, and answers after one `fdatasync` for all of it.
#[derive(Clone)]
struct Append(mpsc::Sender<(Bytes, oneshot::Sender<()>)>);

impl Append {
    fn start(path: &Path) -> Self {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let (sender, mut queue) = mpsc::channel::<(Bytes, oneshot::Sender<()>)>(1024);
        std::thread::spawn(move || {
            let mut group = Vec::new();
            while queue.blocking_recv_many(&mut group, 1024) > 0 {
                let bytes: Vec<u8> = group.iter().flat_map(|(body, _)| body.to_vec()).collect();
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
                for (_, answer) in group.drain(..) {
                    let _ = answer.send(());
                }
            }
        });
        Self(sender)
    }

    async fn put(&self, body: Bytes) {
        let (answer, answered) = oneshot::channel();
        self.0.send((body, answer)).await.unwrap();
        answered.await.unwrap();
    }
}

// SQLite, one commit each.

async fn single_commits(senders: usize) -> Reached {
    let folder = folder();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("store.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_mins(1))
        .connect_with(options)
        .await
        .unwrap();
    let table = "CREATE TABLE delivery (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT";
    sqlx::query(table).execute(&pool).await.unwrap();
    flood(senders, |pace| commit_each(pool.clone(), pace)).await
}

async fn commit_each(pool: SqlitePool, pace: Pace) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while let Some(body) = pace.next() {
        let begun = Instant::now();
        let insert = "INSERT INTO delivery (id, body) VALUES (?, ?)";
        sqlx::query(insert).bind(&body[30..80]).bind(&body).execute(&pool).await.unwrap();
        latencies.push(begun.elapsed());
    }
    latencies
}

// Places and processes.

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder on the disk of the build, which is a real one where temporary folders may be in memory.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn until_ready(server: &mut Child, address: SocketAddr, folder: &Path) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            // The workers have read everything once.
            tokio::time::sleep(Duration::from_millis(300)).await;
            return;
        }
        let is_up = Instant::now() < deadline && server.try_wait().unwrap().is_none();
        assert!(is_up, "no server:\n{}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

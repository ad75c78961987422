//! From a new digest in the registry to its pull request, with 1, 100 and 1,000 watched images, beside Renovate.
//!
//! Both see the same repository, one pinned image with a moving tag in each file, and the same registry, Debian's
//! docker-registry. Renovate runs as it does in a scheduled job, with its clone of a run before; lockkeeper twice:
//! started anew with its store from before, so that it has to ask for every image as Renovate does, and running, told
//! by the registry. The peer is looked for in `target/peers` (`benches/run` puts it there), or `RENOVATE`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark fails where it stands"
)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use support::distribution::Distribution;
use support::fleet::{Fleet, Follow, SECRET};
use support::gitea::Gitea;
use support::measure::{Cost, process, quick};
use support::server::Server;
use support::table::{Table, megabytes, millis, ratio};

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sizes: &[usize] = if quick() { &[1, 20] } else { &[1, 100, 1_000] };
    let mut table = Table::new(
        "A new digest to its pull request",
        &["images", "way", "wall", "CPU", "peak memory", "registry requests", "wall ×", "CPU ×"],
    );
    for &size in sizes {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let Some(registry) = Distribution::start(folder.path()) else {
            table.row([size, 0, 0, 0, 0, 0, 0, 0].map(|_| "docker-registry is not installed".to_owned()));
            continue;
        };
        runtime.block_on(compare(folder.path(), &registry, size, &mut table));
    }
    table.print();
}

/// One digest that is new, and what it took to propose it.
struct Proposed {
    cost: Cost,
    requests: usize,
}

async fn compare(folder: &Path, registry: &Distribution, size: usize, table: &mut Table) {
    let fleet =
        Fleet::new(&folder.join("fleet"), size, &["dev"], registry.address.clone(), Follow::Main).await;
    let bare = fleet.folder.join("env-0.git");
    let first = Server::start(&fleet);
    first.until_idle(&fleet).await;
    first.stop();
    let peer = peer();
    let gitea = gitea(folder, &bare).await;
    if let Some(peer) = &peer {
        renovate(folder, peer, &gitea).await;
        assert_eq!(gitea.pull_requests(), 0, "nothing is new yet");
    }
    fleet.push(size - 1, 1).await;
    let theirs = match &peer {
        Some(peer) => {
            // It keeps what a tag was for a quarter of an hour, and would not see the push.
            std::fs::remove_dir_all(folder.join("renovate/cache")).unwrap();
            let before = registry.requests();
            let cost = renovate(folder, peer, &gitea).await;
            assert_eq!(gitea.pull_requests(), 1);
            Some(Proposed { cost, requests: registry.requests() - before })
        }
        None => None,
    };
    let before = registry.requests();
    let server = Server::start(&fleet);
    let wall = server.until("proposed", || async { branches(&bare).len() == 1 }).await;
    server.until_idle(&fleet).await;
    let used = server.used();
    let asked = Proposed { cost: Cost { wall, ..used }, requests: registry.requests() - before };
    let told = told(&fleet, &server, registry, &bare).await;
    server.stop();
    for (way, ours) in [("lockkeeper, started anew", &asked), ("lockkeeper, told by the registry", &told)] {
        table.row(cells(size, way, ours, theirs.as_ref()));
    }
    match &theirs {
        Some(theirs) => table.row(cells(size, "Renovate 39.264.1", theirs, None)),
        None => eprintln!("  Renovate is not installed"),
    }
}

/// A push while the server runs, and the registry's word of it.
async fn told(fleet: &Fleet, server: &Server, registry: &Distribution, bare: &Path) -> Proposed {
    // With one image, the new digest supersedes the first one, whose branch goes.
    let known = branches(bare);
    let digest = fleet.push(0, 2).await;
    let event = json!({ "events": [{
        "id": "bench-1", "timestamp": "2026-01-01T00:00:00Z", "action": "push",
        "target": { "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest.to_string(),
                    "repository": "team/app-0", "tag": "main" },
        "request": { "host": registry.address },
    }] });
    let (before, used) = (registry.requests(), server.used());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let start = Instant::now();
    let hook = client.post(format!("http://{}/webhooks/main", server.address));
    let answer = hook.header("authorization", SECRET).body(event.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    server.until("proposed", || async { !branches(bare).is_subset(&known) }).await;
    let wall = start.elapsed();
    server.until_idle(fleet).await;
    let after = server.used();
    let cost = Cost { wall, cpu: after.cpu.saturating_sub(used.cpu), peak_bytes: after.peak_bytes };
    Proposed { cost, requests: registry.requests() - before }
}

/// Promotion branches, by the files that git keeps for them.
fn branches(bare: &Path) -> BTreeSet<PathBuf> {
    let mut folders = vec![bare.join("refs/heads/lockkeeper")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|end| end != "lock") {
                found.insert(path);
            }
        }
    }
    found
}

/// The entry of the peer's program.
fn peer() -> Option<PathBuf> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/node_modules/renovate");
    let folder = std::env::var_os("RENOVATE").map_or_else(usual, PathBuf::from);
    Some(folder.join("dist/renovate.js")).filter(|file| file.exists())
}

/// A forge over a copy of the repository: the peer's branches shall not be in our way.
async fn gitea(folder: &Path, bare: &Path) -> Gitea {
    let copy = folder.join("copy.git");
    process(Command::new("git").args(["clone", "--quiet", "--bare"]).arg(bare).arg(&copy));
    Gitea::start(&copy).await
}

async fn renovate(folder: &Path, program: &Path, gitea: &Gitea) -> Cost {
    let mut command = Command::new("node");
    command.arg(program).arg("org/env").env("HOME", folder).stdout(Stdio::null());
    for (name, value) in [
        ("LOG_LEVEL", "error".to_owned()),
        ("RENOVATE_BASE_DIR", folder.join("renovate").display().to_string()),
        ("RENOVATE_CACHE_DIR", folder.join("renovate/cache").display().to_string()),
        ("RENOVATE_PLATFORM", "gitea".to_owned()),
        ("RENOVATE_ENDPOINT", format!("http://{}/api/v1/", gitea.address)),
        ("RENOVATE_TOKEN", "x".to_owned()),
        ("RENOVATE_GIT_URL", "ssh".to_owned()),
        ("RENOVATE_ONBOARDING", "false".to_owned()),
        ("RENOVATE_REQUIRE_CONFIG", "optional".to_owned()),
        ("RENOVATE_PR_HOURLY_LIMIT", "0".to_owned()),
        ("RENOVATE_PR_CONCURRENT_LIMIT", "0".to_owned()),
        ("RENOVATE_DEPENDENCY_DASHBOARD", "false".to_owned()),
    ] {
        command.env(name, value);
    }
    // On a thread of its own: the forge answers from this runtime.
    tokio::task::spawn_blocking(move || process(&mut command)).await.unwrap()
}

fn cells(size: usize, way: &str, found: &Proposed, theirs: Option<&Proposed>) -> [String; 8] {
    let times = |pick: fn(&Cost) -> Duration| {
        theirs.map_or_else(|| "–".to_owned(), |theirs| ratio(pick(&theirs.cost), pick(&found.cost)))
    };
    [
        size.to_string(),
        way.to_owned(),
        millis(found.cost.wall),
        millis(found.cost.cpu),
        megabytes(found.cost.peak_bytes),
        found.requests.to_string(),
        times(|cost| cost.wall),
        times(|cost| cost.cpu),
    ]
}

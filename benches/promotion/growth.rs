//! A thousand promotions in one mirror: each is committed, pushed, merged at the host, fetched back and looked
//! at by its difference.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use lockkeeper::repository::{CommitId, Edit, Mirror};

use super::clients::{author, numbers, open, push};
use super::repositories::{Layout, Remote, content, git, output, path};
use super::support::measure;
use super::support::table::{Table, megabytes, millis};

/// What lies in a mirror.
#[derive(Default)]
struct Held {
    files: usize,
    packs: usize,
    loose: usize,
    refs: usize,
    bytes: u64,
}

/// In a process of its own, so that what it holds is no other's peak.
pub fn measured(remote: &Remote) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("growth").arg(&remote.folder);
    command.args([remote.files.to_string(), format!("{:?}", remote.layout), remote.history.to_string()]);
    let used = measure::process(&mut command);
    println!("The process had {} at its peak.", megabytes(used.peak_bytes));
}

/// `growth <folder> <files> <layout> <history>`
pub fn curve(words: &[String]) {
    let [folder, files, layout, history] = words else { panic!("{words:?}") };
    let remote = &Remote {
        folder: folder.into(),
        name: String::new(),
        files: files.parse().unwrap(),
        layout: Layout::named(layout),
        history: history.parse().unwrap(),
    };

    let (count, marks) = if measure::quick() {
        (150, vec![1, 50, 150])
    } else {
        (1_000, vec![1, 10, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000])
    };
    let header = ["promotions", "files", "packs", "loose", "refs", "bytes", "fetch", "scan", "CPU of both"];
    let title = format!("{}, the mirror over {count} promotions (file)", remote.title());
    let mut table = Table::new(&title, &header);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::TempDir::new_in(remote.folder.parent().unwrap()).unwrap();
    let folder = dir.path().join("mirror");
    let mirror = runtime.block_on(open(&format!("file://{}", remote.folder.display()), &folder));
    row(&mut table, 0, &folder, &[]);
    let mut times = Vec::new();
    let mut most = Held::default();
    for number in 1..=count {
        let merged = runtime.block_on(promote(remote, &mirror, number));
        times.push(runtime.block_on(bring(&mirror, merged, number)));
        let held = held(&folder);
        if held.bytes > most.bytes {
            most = held;
        }
        if marks.contains(&number) {
            row(&mut table, number, &folder, &times);
            times.clear();
        }
    }
    table.print();
    println!("\nAt its largest it held {} in {} files.", megabytes(most.bytes), most.files);
}

/// The time of the fetch, of the scan, and the CPU time of both in this process.
type Times = (Duration, Duration, Duration);

/// One promotion up to its merge at the host; the base before it, and after.
async fn promote(remote: &Remote, mirror: &Mirror, number: usize) -> (CommitId, CommitId) {
    let base = mirror.tip("main").await.unwrap().unwrap();
    let file = numbers(remote.files, 1, number)[0];
    let path = path(remote.layout, file);
    let before = mirror.read(base, &path).await.unwrap();
    let edit = Edit { path, before, after: content(file, 900_000 + number).into_bytes() };
    let head = mirror.commit(base, vec![edit], "promote", &author()).await.unwrap();
    let branch = format!("refs/heads/promotion/{number}");
    push(mirror, &branch, head).await;
    let tree = format!("{head}^{{tree}}");
    let merge = ["commit-tree", "-m", "merge", "-p", &base.to_string(), "-p", &head.to_string(), &tree]
        .map(str::to_owned);
    let merged = output(git(&remote.folder).args(&merge));
    output(git(&remote.folder).args(["update-ref", "refs/heads/main", &merged]));
    output(git(&remote.folder).args(["update-ref", "-d", &branch]));
    (base, merged.parse().unwrap())
}

async fn bring(mirror: &Mirror, (base, merged): (CommitId, CommitId), number: usize) -> Times {
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    assert_eq!(mirror.tip("main").await.unwrap(), Some(merged));
    let fetched = begun.elapsed();
    let begun = Instant::now();
    let changes = mirror.changes(base, merged, 10_000).await.unwrap();
    assert_eq!(changes.len(), 1, "promotion {number}");
    (fetched, begun.elapsed(), cpu.elapsed())
}

fn row(table: &mut Table, number: usize, folder: &Path, times: &[Times]) {
    let held = held(folder);
    let middle = |part: fn(&Times) -> Duration| {
        let mut parts: Vec<Duration> = times.iter().map(part).collect();
        parts.sort();
        parts.get(parts.len() / 2).map_or_else(|| "-".to_owned(), |&time| millis(time))
    };
    table.row([
        number.to_string(),
        held.files.to_string(),
        held.packs.to_string(),
        held.loose.to_string(),
        held.refs.to_string(),
        megabytes(held.bytes),
        middle(|times| times.0),
        middle(|times| times.1),
        middle(|times| times.2),
    ]);
}

fn held(folder: &Path) -> Held {
    let found = output(Command::new("find").arg(folder).args(["-type", "f", "-printf", "%s %p\n"]));
    let mut held = Held::default();
    for line in found.lines() {
        let (bytes, path) = line.split_once(' ').unwrap();
        held.files += 1;
        held.bytes += bytes.parse::<u64>().unwrap();
        held.packs += usize::from(path.rsplit('.').next() == Some("pack"));
        held.refs += usize::from(path.contains("/refs/"));
        held.loose += usize::from(path.contains("/objects/") && !path.contains("/pack/"));
    }
    held
}

//! Our promotion, and libgit2's, as processes of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use lockkeeper::repository::{CommitId, Credentials, Edit, Location, Mirror, RefUpdate, Signature};
use wait4::Wait4 as _;

use super::git_http::GitHost;
use super::host::Host;
use super::repositories::{Layout, Remote, content, path};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Http,
    File,
}

/// What every client does: `runs` promotions of `edits` files, each on a branch of its own.
#[derive(Clone, Copy)]
pub struct Work {
    pub way: Way,
    pub edits: usize,
    pub runs: usize,
}

/// The cost of all runs together.
pub struct Cost {
    pub runs: usize,
    pub wall: Duration,
    pub cpu: Duration,
    /// Counted by ticks of 10 ms; over file it is part of the client's.
    pub host_cpu: Duration,
    pub peak_bytes: u64,
}

/// The remote as the client names it.
pub fn address(host: &Host, remote: &Remote, way: Way) -> String {
    match way {
        Way::Http => host.url(&remote.name),
        Way::File => format!("file://{}", remote.folder.display()),
    }
}

/// The files that a promotion of number `run` edits.
pub fn numbers(files: usize, edits: usize, run: usize) -> Vec<usize> {
    (0..edits).map(|edit| (files / 2 + run * 31 + edit * 257) % files).collect()
}

/// Ours: the mirror is there already, as in a running service.
pub fn ours(host: &Host, remote: &Remote, work: &Work) -> Cost {
    measured("ours", host, remote, work)
}

/// libgit2's edit and push from the same kind of mirror.
pub fn libgit2(host: &Host, remote: &Remote, work: &Work) -> Cost {
    measured("libgit2", host, remote, work)
}

fn measured(client: &str, host: &Host, remote: &Remote, work: &Work) -> Cost {
    let mirror = remote.folder.with_extension(format!("{client}-{:?}", work.way));
    let address = address(host, remote, work.way);
    let command = |runs: usize| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child", client, &address]).arg(&mirror);
        command.args([remote.files.to_string(), format!("{:?}", remote.layout)]);
        command.args([work.edits.to_string(), runs.to_string()]);
        command
    };
    // Fetches the mirror.
    assert!(command(0).status().unwrap().success());
    let before = host.cpu();
    let begun = Instant::now();
    let mut child = command(work.runs).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let used = child.wait4().unwrap();
    let wall = begun.elapsed();
    assert!(used.status.success(), "{client}");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut said).unwrap();
    let peak_bytes = used.rusage.maxrss;
    let host_cpu = host.cpu().checked_sub(before).unwrap();
    remote.clean();
    std::fs::remove_dir_all(&mirror).unwrap();
    // In a row: what the child measured without its start; once: all of the process.
    let (wall, cpu) = if work.runs == 1 {
        (wall, used.rusage.utime + used.rusage.stime)
    } else {
        let micros: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
        (Duration::from_micros(micros[0]), Duration::from_micros(micros[1]))
    };
    Cost { runs: work.runs, wall, cpu, host_cpu, peak_bytes }
}

/// `child <client> <address> <mirror> <files> <layout> <edits> <runs>`; prints wall and CPU time in µs.
pub fn child(words: &[String]) {
    let [client, address, mirror, files, layout, edits, runs] = words else { panic!("{words:?}") };
    let plan = Plan {
        address: address.clone(),
        mirror: mirror.into(),
        files: files.parse().unwrap(),
        layout: Layout::named(layout),
        edits: edits.parse().unwrap(),
        runs: runs.parse().unwrap(),
    };
    match client.as_str() {
        "ours" => promote(&plan),
        "libgit2" => promote_by_libgit2(&plan),
        other => panic!("{other}"),
    }
}

/// Says how many bytes a push has, both its requests together.
pub fn print_size(remote: &Remote) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("size").arg(&remote.folder).args([remote.files.to_string(), format!("{:?}", remote.layout)]);
    assert!(command.status().unwrap().success());
    remote.clean();
}

/// `size <folder> <files> <layout>`: pushes once to a host of its own that counts.
pub fn size(words: &[String]) {
    let [folder, files, layout] = words else { panic!("{words:?}") };
    let (folder, dir) = (Path::new(folder), tempfile::TempDir::new().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = runtime.block_on(GitHost::start(folder.parent().unwrap().to_owned(), &[]));
    let plan = Plan {
        address: host.url(folder.file_name().unwrap().to_str().unwrap()),
        mirror: dir.path().join("mirror"),
        files: files.parse().unwrap(),
        layout: Layout::named(layout),
        edits: 1,
        runs: 1,
    };
    let mirror = runtime.block_on(open(&plan.address, &plan.mirror));
    runtime.block_on(mirror.tip("main")).unwrap();
    host.take_received_bytes();
    runtime.block_on(promote_once(&plan, &mirror, 0));
    println!(
        "\nThe requests of one promotion have {} bytes, its pack among them.",
        host.take_received_bytes()
    );
}

struct Plan {
    address: String,
    mirror: PathBuf,
    files: usize,
    layout: Layout,
    edits: usize,
    runs: usize,
}

fn change(run: usize, number: usize, before: &[u8]) -> Vec<u8> {
    assert!(before.starts_with(b"apiVersion"));
    content(number, 900_000 + run).into_bytes()
}

impl Plan {
    /// Runs the promotions after two that are not counted, and says what they cost.
    fn counted(&self, mut once: impl FnMut(usize)) {
        if self.runs == 1 {
            return once(0);
        }
        let warm = 2.min(self.runs);
        (0..warm).for_each(|run| once(self.runs + run));
        let (begun, cpu) = (Instant::now(), ProcessTime::now());
        (0..self.runs).for_each(&mut once);
        println!("{} {}", begun.elapsed().as_micros(), cpu.elapsed().as_micros());
    }
}

pub fn author() -> Signature {
    Signature {
        name: "bench".to_owned(),
        email: "bench@example.com".to_owned(),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

pub async fn open(address: &str, folder: &Path) -> Mirror {
    Mirror::open(Location::parse(address).unwrap(), folder, Credentials::default()).await.unwrap()
}

fn promote(plan: &Plan) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mirror = runtime.block_on(open(&plan.address, &plan.mirror));
    plan.counted(|run| runtime.block_on(promote_once(plan, &mirror, run)));
}

async fn promote_once(plan: &Plan, mirror: &Mirror, run: usize) {
    let base = mirror.tip("main").await.unwrap().unwrap();
    let mut edits = Vec::new();
    for number in numbers(plan.files, plan.edits, run) {
        let path = path(plan.layout, number);
        let before = mirror.read(base, &path).await.unwrap().unwrap();
        let after = change(run, number, &before);
        edits.push(Edit { path, before: Some(before), after });
    }
    let head = mirror.commit(base, edits, "promote", &author()).await.unwrap();
    push(mirror, &format!("refs/heads/promotion/{run}"), head).await;
}

pub async fn push(mirror: &Mirror, name: &str, head: CommitId) {
    let update = RefUpdate { name: name.to_owned(), old: None, new: Some(head) };
    mirror.push(vec![update]).await.unwrap();
}

fn promote_by_libgit2(plan: &Plan) {
    let repository = git2::Repository::open_bare(&plan.mirror).unwrap_or_else(|_| {
        git2::build::RepoBuilder::new().bare(true).clone(&plan.address, &plan.mirror).unwrap()
    });
    plan.counted(|run| {
        let mut remote = repository.find_remote("origin").unwrap();
        remote.fetch(&["+refs/heads/main:refs/heads/main"], None, None).unwrap();
        let base = repository.find_reference("refs/heads/main").unwrap().peel_to_commit().unwrap();
        let mut update = git2::build::TreeUpdateBuilder::new();
        for number in numbers(plan.files, plan.edits, run) {
            let path = path(plan.layout, number);
            let entry = base.tree().unwrap().get_path(Path::new(&path)).unwrap();
            let before = repository.find_blob(entry.id()).unwrap();
            let blob = repository.blob(&change(run, number, before.content())).unwrap();
            update.upsert(path, blob, git2::FileMode::Blob);
        }
        let tree = update.create_updated(&repository, &base.tree().unwrap()).unwrap();
        let tree = repository.find_tree(tree).unwrap();
        let author = git2::Signature::now("bench", "bench@example.com").unwrap();
        let name = format!("refs/heads/promotion/{run}");
        repository.commit(Some(&name), &author, &author, "promote", &tree, &[&base]).unwrap();
        remote.push(&[format!("{name}:{name}")], None).unwrap();
    });
}

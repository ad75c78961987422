//! Every pin of a bare repository of 100,000 files, without a checkout, beside `git grep`, a checkout with ripgrep, and the
//! reading of a checkout; then what one merge costs a server that has the repository: the difference of two trees.

#![allow(clippy::unwrap_used, reason = "a benchmark fails where it stands")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lockkeeper::commit::CommitId;
use lockkeeper::manifest;
use lockkeeper::repository::{Credentials, Location, Mirror};

use support::measure::{Cost, code, median, process, quick};
use support::table::{Table, megabytes, millis};

/// How the files lie in folders.
struct Layout {
    name: &'static str,
    path: fn(usize) -> String,
}

const LAYOUTS: [Layout; 2] = [
    Layout {
        name: "folders of 10,000 files",
        path: |file| format!("apps-{}/app-{file}.yaml", file / 10_000),
    },
    Layout {
        name: "folders of 100 files",
        path: |file| format!("clusters/{:02}/{:02}/app-{file}.yaml", file / 10_000, file / 100 % 100),
    },
];

/// One file in so many has a pin.
const FILES_PER_PIN: usize = 5;

fn main() {
    let files = if quick() { 2_000 } else { 100_000 };
    for layout in &LAYOUTS {
        let folder = tempfile::tempdir().unwrap();
        let bare = create(folder.path(), layout, files);
        full(folder.path(), &bare, layout, files);
        after_one_merge(folder.path(), &bare, layout, files);
    }
}

/// A packed bare repository with these files in one commit on `main`.
fn create(folder: &Path, layout: &Layout, files: usize) -> PathBuf {
    let bare = folder.join("environments.git");
    run(git(&bare).args(["init", "-q", "--bare", "-b", "main"]).arg(&bare));
    let mut commit = commit_head("all");
    for file in 0..files {
        add(&mut commit, &(layout.path)(file), &content(file, 1));
    }
    import(&bare, &commit);
    bare
}

fn commit_head(message: &str) -> String {
    format!(
        "commit refs/heads/main\ncommitter bench <bench@example.com> 1763712000 +0000\ndata {}\n{message}\n",
        message.len()
    )
}

fn add(commit: &mut String, path: &str, content: &str) {
    write!(commit, "M 100644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
}

/// A deployment, or one of the many files beside it that have no image.
fn content(file: usize, version: usize) -> String {
    let head = format!(
        "metadata:\n  name: app-{file}\n  namespace: team-{}\n  labels:\n    app.kubernetes.io/name: app-{file}\n    app.kubernetes.io/part-of: shop\n",
        file % 97
    );
    if file.is_multiple_of(FILES_PER_PIN) {
        return format!(
            "apiVersion: apps/v1\nkind: Deployment\n{head}spec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: app-{file}\n  \
             template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: app-{file}\n    spec:\n      containers:\n        - name: app\n          \
             image: registry.test/shop/app-{file}:1.4.{version}@sha256:{:064x}\n          ports:\n            - containerPort: 8080\n",
            file * 10 + version
        );
    }
    format!(
        "apiVersion: v1\nkind: Service\n{head}spec:\n  type: ClusterIP\n  selector:\n    app.kubernetes.io/name: app-{file}\n  ports:\n    \
         - name: http\n      port: 80\n      targetPort: 8080\n    - name: metrics\n      port: 9090\n      targetPort: 9090\n"
    )
}

/// Gives a stream to `git fast-import`; what is there already is its parent.
fn import(bare: &Path, stream: &str) {
    let mut import = git(bare).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
}

fn git(bare: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(bare);
    command
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn full(folder: &Path, bare: &Path, layout: &Layout, files: usize) {
    let title = format!("Every pin of {files} files of a bare repository, {}", layout.name);
    let mut table = Table::new(&title, &["way", "wall", "CPU", "peak memory"]);
    let mut row = |name: &str, cost: Option<Cost>| {
        table.row(match cost {
            Some(cost) => [name.to_owned(), millis(cost.wall), millis(cost.cpu), megabytes(cost.peak_bytes)],
            None => [name.to_owned(), "not installed".to_owned(), "–".to_owned(), "–".to_owned()],
        });
    };
    let lockkeeper = || Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    let pins = median(3, || quiet(lockkeeper().args(["pins", "--git"]).arg(bare)));
    row("`lockkeeper pins --git`", Some(pins));
    let json = median(3, || quiet(lockkeeper().args(["pins", "-o", "json", "--git"]).arg(bare)));
    row("`lockkeeper pins --git -o json`", Some(json));
    let grep = median(3, || quiet(git(bare).args(["grep", "-nE", "image: |newTag: |digest: ", "main"])));
    row("`git grep`, lines alone", Some(grep));
    let checkout = folder.join("checkout");
    let checked_out = || {
        std::fs::remove_dir_all(&checkout).ok();
        std::fs::create_dir(&checkout).unwrap();
        quiet(git(bare).arg("--work-tree").arg(&checkout).args(["checkout", "-q", "-f", "main", "--", "."]))
    };
    let made = median(2, checked_out);
    let is_there = Command::new("rg").arg("--version").stdout(Stdio::null()).status().is_ok();
    let rg = is_there.then(|| {
        let mut rg = Command::new("rg");
        rg.args(["-n", "image: |newTag: |digest: "]).arg(&checkout);
        sum(made, median(3, || quiet(&mut rg)))
    });
    row("checkout, then ripgrep, lines alone", rg);
    let read = median(3, || quiet(lockkeeper().arg("pins").arg(&checkout)));
    row("checkout, then `lockkeeper pins`", Some(sum(made, read)));
    row("`lockkeeper pins` of a checkout that is there", Some(read));
    table.print();
}

fn quiet(command: &mut Command) -> Cost {
    process(command.stdout(Stdio::null()))
}

fn sum(one: Cost, other: Cost) -> Cost {
    let peak_bytes = one.peak_bytes.max(other.peak_bytes);
    Cost { wall: one.wall + other.wall, cpu: one.cpu + other.cpu, peak_bytes }
}

/// What the server does when the base moved: the paths of the difference, then the files of the pipelines they touch.
fn after_one_merge(folder: &Path, bare: &Path, layout: &Layout, files: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mirror = folder.join("mirror");
    let mirror = Mirror::open(Location::File(bare.to_owned()), &mirror, Credentials::default());
    let mirror = runtime.block_on(mirror).unwrap();
    let touched: Vec<usize> = (0..4).map(|number| number * FILES_PER_PIN * (files / 40)).collect();
    let mut tips: Vec<CommitId> = vec![runtime.block_on(mirror.tip("main")).unwrap().unwrap()];
    for version in 2..12 {
        let mut commit = commit_head("merge");
        writeln!(commit, "from refs/heads/main^0").unwrap();
        for file in &touched {
            add(&mut commit, &(layout.path)(*file), &content(*file, version));
        }
        import(bare, &commit);
        tips.push(runtime.block_on(mirror.tip("main")).unwrap().unwrap());
    }
    let pairs: Vec<(CommitId, CommitId)> = tips.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let title = format!(
        "After one merge of {} files in {files}, {}: median of {}",
        touched.len(),
        layout.name,
        pairs.len()
    );
    let mut table = Table::new(&title, &["step", "wall", "CPU"]);
    let paths: Vec<String> = touched.iter().map(|file| (layout.path)(*file)).collect();
    let mut row = |name: &str, costs: Vec<Cost>| {
        let middle = |of: fn(&Cost) -> Duration| {
            let mut times: Vec<Duration> = costs.iter().map(of).collect();
            times.sort();
            times[times.len() / 2]
        };
        table.row([name.to_owned(), millis(middle(|cost| cost.wall)), millis(middle(|cost| cost.cpu))]);
    };
    let difference = |&(from, to): &(CommitId, CommitId)| {
        let (cost, pins) = code(|| {
            let changes = runtime.block_on(mirror.changes(from, to, 1_000)).unwrap();
            let after = changes.iter().filter_map(|change| change.after.as_ref());
            after.map(|bytes| manifest::find(bytes, &[]).unwrap().pins.len()).sum::<usize>()
        });
        assert_eq!(pins, paths.len());
        cost
    };
    row("the difference, and its pins found", pairs.iter().map(difference).collect());
    let declared = |&(_, to): &(CommitId, CommitId)| {
        let (cost, pins) = code(|| {
            let read = |path: &String| runtime.block_on(mirror.read(to, path)).unwrap().unwrap();
            paths.iter().map(|path| manifest::find(&read(path), &[]).unwrap().pins.len()).sum::<usize>()
        });
        assert_eq!(pins, paths.len());
        cost
    };
    row(
        "the declared files of one pipeline read by path, and their pins found",
        pairs.iter().map(declared).collect(),
    );
    table.print();
}

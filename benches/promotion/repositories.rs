//! The repositories: made by `git fast-import`, the same each time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// How files lie in folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Ten files a folder, a hundred folders in each above it.
    Sharded,
    /// Folders of 10,000 files.
    Wide,
}

/// A bare repository with a `main`.
pub struct Remote {
    pub folder: PathBuf,
    pub name: String,
    pub files: usize,
    pub layout: Layout,
    pub history: usize,
}

impl Layout {
    pub fn named(name: &str) -> Self {
        if name == "Wide" { Self::Wide } else { Self::Sharded }
    }
}

/// The path of a file by its number.
pub fn path(layout: Layout, number: usize) -> String {
    match layout {
        Layout::Sharded => {
            format!("teams/team-{}/app-{}/stage-{}.yaml", number / 1_000, number / 10 % 100, number % 10)
        }
        Layout::Wide => format!("apps-{}/application-{number:06}.yaml", number / 10_000),
    }
}

/// The content of a file at its `version`; the digest has the same length in each.
pub fn content(number: usize, version: usize) -> String {
    let digest = format!("{version:032x}{number:032x}");
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: application-{number}\nspec:\n  template:\n    \
         spec:\n      containers:\n        - name: main\n          image: registry.example.com/acme/application-{number}:1.{version}@sha256:{digest}\n          \
         ports: [{{ containerPort: 8080 }}]\n"
    )
}

pub fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).env_remove("GIT_DIR");
    for (name, value) in [("NAME", "bench"), ("EMAIL", "bench@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command
}

/// Runs git to its end and gives its output.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub fn make(root: &Path, files: usize, layout: Layout, history: usize) -> Remote {
    let name = format!("env-{files}-{layout:?}.git");
    let folder = root.join(&name);
    output(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&folder));
    let mut import = git(&folder).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = std::io::BufWriter::new(import.stdin.take().unwrap());
    write(&mut stdin, files, layout, history);
    drop(stdin);
    assert!(import.wait().unwrap().success());
    // As a host keeps it, with no bitmap; that one is measured apart.
    output(git(&folder).args(["-c", "repack.writeBitmaps=false", "repack", "-adq"]));
    output(git(&folder).args(["config", "gc.auto", "0"]));
    output(git(&folder).args(["config", "receive.autogc", "false"]));
    Remote { folder, name, files, layout, history }
}

/// Written as it is made: what this process holds would count as the peak of those it starts.
fn write(into: &mut impl std::io::Write, files: usize, layout: Layout, history: usize) {
    for version in 0..history {
        let time = 1_700_000_000 + version * 600;
        writeln!(
            into,
            "commit refs/heads/main\ncommitter bench <bench@example.com> {time} +0000\ndata 7\nchange\n"
        )
        .unwrap();
        let numbers = if version == 0 { 0..files } else { one(version * 7_919 % files) };
        for number in numbers {
            let content = content(number, version);
            writeln!(into, "M 100644 inline {}\ndata {}\n{content}", path(layout, number), content.len())
                .unwrap();
        }
    }
}

fn one(number: usize) -> std::ops::Range<usize> {
    number..number + 1
}

impl Remote {
    pub fn title(&self) -> String {
        let layout = match self.layout {
            Layout::Sharded => "10 files a folder",
            Layout::Wide => "10,000 files a folder",
        };
        format!("{} files, {layout}, {} commits", self.files, self.history)
    }

    pub fn describe(&self) {
        eprintln!(
            "{}: {}",
            self.title(),
            output(git(&self.folder).args(["count-objects", "-vH"])).replace('\n', ", ")
        );
    }

    /// Forgets all branches but `main`.
    pub fn clean(&self) {
        let branches =
            output(git(&self.folder).args(["for-each-ref", "--format=delete %(refname)", "refs/heads"]));
        let mut lines = String::new();
        for line in branches.lines().filter(|line| !line.ends_with("/main")) {
            writeln!(lines, "{line}").unwrap();
        }
        let mut child =
            git(&self.folder).args(["update-ref", "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        output(git(&self.folder).args(["prune", "--expire=now"]));
    }

    /// As `git gc` leaves a bare repository.
    pub fn write_bitmap(&self) {
        output(git(&self.folder).args(["repack", "-adbq"]));
    }

    /// The check that `git receive-pack` makes for one new commit of one file, at the middle of 9 runs.
    pub fn check_cost(&self) -> (Duration, Duration) {
        let file = path(self.layout, self.files / 2);
        let script = "read-tree main; blob=$(echo new | git hash-object -w --stdin); \
             git update-index --cacheinfo 100644,$blob,$FILE; \
             git commit-tree -p main -m check $(git write-tree)";
        let script = script.replacen("read-tree", "git read-tree", 1);
        let commit = output(
            Command::new("sh")
                .args(["-ec", &script])
                .envs(git(&self.folder).get_envs().filter_map(|(name, value)| Some((name, value?))))
                .env("FILE", file)
                .env("GIT_DIR", &self.folder)
                .env("GIT_INDEX_FILE", self.folder.join("check.index")),
        );
        let mut costs: Vec<(Duration, Duration)> = (0..9).map(|_| self.check_once(&commit)).collect();
        costs.sort();
        self.clean();
        costs[costs.len() / 2]
    }

    /// Source: git's connected.c (2.47).
    fn check_once(&self, commit: &str) -> (Duration, Duration) {
        let begun = Instant::now();
        let mut child = git(&self.folder)
            .args(["rev-list", "--objects", "--stdin", "--not", "--all", "--quiet", "--alternate-refs"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, format!("{commit}\n").as_bytes()).unwrap();
        drop(stdin);
        let used = child.wait4().unwrap();
        assert!(used.status.success());
        (begun.elapsed(), used.rusage.utime + used.rusage.stime)
    }
}

//! The bare repository behind the fake, through the `git` program.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;

/// A bare repository.
#[derive(Debug, Clone)]
pub struct Git {
    path: PathBuf,
}

/// A name and address in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub email: String,
    pub at: Timestamp,
}

/// A commit, as `git log` has it.
#[derive(Debug, Clone)]
pub struct Commit {
    pub id: String,
    pub tree: String,
    pub parents: Vec<String>,
    pub author: Signature,
    pub committer: Signature,
    pub message: String,
}

/// A file that differs between two commits.
#[derive(Debug, Clone)]
pub struct Changed {
    pub status: &'static str,
    pub name: String,
    pub blob: String,
    pub additions: u64,
    pub deletions: u64,
    pub patch: String,
}

const FORMAT: &str = "--format=%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%cn%x1f%ce%x1f%ct%x1f%B%x1e";

impl Git {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Branches and the commits they are at.
    pub fn heads(&self) -> BTreeMap<String, String> {
        let lines =
            self.run(&["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"]).unwrap();
        let pair = |line: &str| line.split_once(' ').map(|(id, name)| (name.to_owned(), id.to_owned()));
        lines.lines().filter_map(pair).collect()
    }

    /// The commit that this names: an id, a branch, a tag or a full reference.
    pub fn commit(&self, name: &str) -> Option<String> {
        if name.starts_with('-') || name.contains("..") {
            return None;
        }
        let found = self.run(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]);
        found.map(|id| id.trim().to_owned()).ok()
    }

    /// The tree of a merge; none if there is a conflict.
    pub fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        let found = self.run(&["merge-tree", "--write-tree", "--no-messages", base, head]);
        found.ok().map(|tree| tree.trim().to_owned())
    }

    pub fn is_ancestor(&self, old: &str, new: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", old, new]).is_ok()
    }

    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        self.run(&["merge-base", one, other]).ok().map(|id| id.trim().to_owned())
    }

    /// Writes a commit; it is on no branch yet.
    pub fn write_commit(&self, tree: &str, parents: &[&str], message: &str, author: &Signature) -> String {
        let mut words = vec!["commit-tree", tree];
        for parent in parents {
            words.extend(["-p", parent]);
        }
        let date = format!("{} +0000", author.at.as_second());
        let environment = [
            ("GIT_AUTHOR_NAME", author.name.as_str()),
            ("GIT_AUTHOR_EMAIL", &author.email),
            ("GIT_AUTHOR_DATE", &date),
            ("GIT_COMMITTER_NAME", "GitHub"),
            ("GIT_COMMITTER_EMAIL", "noreply@github.com"),
            ("GIT_COMMITTER_DATE", &date),
        ];
        self.call(&words, &environment, message.as_bytes()).unwrap().trim().to_owned()
    }

    /// The tree of `base` with these files put (or, without content, removed).
    pub fn write_tree(&self, base: &str, files: &[(String, Option<Vec<u8>>)]) -> Result<String, String> {
        let index = tempfile::tempdir().unwrap();
        let index = index.path().join("index").display().to_string();
        let environment = [("GIT_INDEX_FILE", index.as_str())];
        self.call(&["read-tree", base], &environment, b"")?;
        let mut lines = String::new();
        for (path, content) in files {
            let line = match content {
                Some(content) => {
                    let blob = self.call(&["hash-object", "-w", "--stdin"], &[], content)?;
                    format!("100644 {}\t{path}\n", blob.trim())
                }
                None => format!("0 {}\t{path}\n", "0".repeat(40)),
            };
            lines.push_str(&line);
        }
        self.call(&["update-index", "--index-info"], &environment, lines.as_bytes())?;
        self.call(&["write-tree"], &environment, b"").map(|tree| tree.trim().to_owned())
    }

    /// Moves a reference, if it is at `old` (empty: if it is not there).
    ///
    /// # Errors
    /// What git says.
    pub fn update(&self, name: &str, new: &str, old: &str) -> Result<(), String> {
        let old = if old.is_empty() { "0".repeat(40) } else { old.to_owned() };
        self.run(&["update-ref", name, new, &old]).map(drop)
    }

    /// # Errors
    /// What git says.
    pub fn delete(&self, name: &str) -> Result<(), String> {
        self.run(&["update-ref", "-d", name]).map(drop)
    }

    /// The commits of `new` that `old` has not, oldest first.
    pub fn commits(&self, old: &str, new: &str) -> Vec<Commit> {
        self.log(&["--reverse", "--topo-order", &format!("{old}..{new}")])
    }

    /// One commit.
    pub fn show(&self, id: &str) -> Commit {
        self.log(&["-1", id]).remove(0)
    }

    fn log(&self, words: &[&str]) -> Vec<Commit> {
        let mut all = vec!["log", FORMAT];
        all.extend(words);
        let text = self.run(&all).unwrap_or_default();
        text.split('\u{1e}').map(str::trim_start).filter(|text| !text.is_empty()).map(parsed).collect()
    }

    /// What `head` changed since it left `base`.
    pub fn changed(&self, base: &str, head: &str) -> Vec<Changed> {
        let from = self.merge_base(base, head).unwrap_or_else(|| base.to_owned());
        let list = self.run(&["diff-tree", "-r", "--no-renames", "-z", "--raw", &from, head]).unwrap();
        let mut parts = list.split('\0');
        let mut found = Vec::new();
        while let (Some(line), Some(name)) = (parts.next(), parts.next()) {
            let words: Vec<&str> = line.split(' ').collect();
            let status = match words[4] {
                "A" => "added",
                "D" => "removed",
                _ => "modified",
            };
            let blob = if status == "removed" { words[2] } else { words[3] };
            let patch = self.run(&["diff-tree", "-p", "--no-renames", &from, head, "--", name]).unwrap();
            let patch = patch.find("\n@@").map_or(String::new(), |at| patch[at + 1..].trim_end().to_owned());
            let count = |sign: char| patch.lines().filter(|line| line.starts_with(sign)).count() as u64;
            let (additions, deletions) = (count('+'), count('-'));
            found.push(Changed {
                status,
                name: name.to_owned(),
                blob: blob.to_owned(),
                additions,
                deletions,
                patch,
            });
        }
        found
    }

    fn run(&self, words: &[&str]) -> Result<String, String> {
        self.call(words, &[], b"")
    }

    fn call(&self, words: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Result<String, String> {
        let mut command = Command::new("git");
        command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("GIT_DIR", &self.path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("git is installed");
        child.stdin.take().unwrap().write_all(input).unwrap_or_default();
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn parsed(text: &str) -> Commit {
    let parts: Vec<&str> = text.splitn(10, '\u{1f}').collect();
    let signature = |at: usize| Signature {
        name: parts[at].to_owned(),
        email: parts[at + 1].to_owned(),
        at: Timestamp::from_second(parts[at + 2].parse().unwrap()).unwrap(),
    };
    Commit {
        id: parts[0].to_owned(),
        tree: parts[1].to_owned(),
        parents: parts[2].split_whitespace().map(str::to_owned).collect(),
        author: signature(3),
        committer: signature(6),
        message: parts[9].trim_end().to_owned(),
    }
}

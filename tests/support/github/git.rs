//! The bare repository behind the fake, by git2 where it is read, by the `git` program where it is written.

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

impl Git {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Branches and the commits they are at.
    pub fn heads(&self) -> BTreeMap<String, String> {
        let repository = self.open();
        let branches = repository.references_glob("refs/heads/*").unwrap();
        let pair = |branch: git2::Reference<'_>| {
            let name = branch.name().ok()?.strip_prefix("refs/heads/")?.to_owned();
            Some((name, branch.peel_to_commit().ok()?.id().to_string()))
        };
        branches.filter_map(|branch| pair(branch.ok()?)).collect()
    }

    /// The commit that this names: an id, a branch, a tag or a full reference.
    pub fn commit(&self, name: &str) -> Option<String> {
        if name.contains("..") {
            return None;
        }
        let repository = self.open();
        let found = repository.revparse_single(name).ok()?;
        found.peel_to_commit().ok().map(|commit| commit.id().to_string())
    }

    /// The tree of a merge; none if there is a conflict.
    pub fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        let found = self.run(&["merge-tree", "--write-tree", "--no-messages", base, head]);
        found.ok().map(|tree| tree.trim().to_owned())
    }

    pub fn is_ancestor(&self, old: &str, new: &str) -> bool {
        old == new || self.open().graph_descendant_of(id(new), id(old)).unwrap_or(false)
    }

    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        self.open().merge_base(id(one), id(other)).ok().map(|found| found.to_string())
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
        let repository = self.open();
        let mut walk = repository.revwalk().unwrap();
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).unwrap();
        walk.push(id(new)).unwrap();
        walk.hide(id(old)).unwrap();
        walk.map(|found| read(&repository.find_commit(found.unwrap()).unwrap())).collect()
    }

    /// The commits from `start` back that touched a path since a time, newest first, as the `git` program finds them.
    pub fn touching(&self, start: &str, path: &str, since: Option<&str>) -> Vec<Commit> {
        let since = since.map(|since| format!("--since={since}"));
        let words = ["log", "--format=%H"].into_iter().chain(since.as_deref());
        let found = self.run(&words.chain([start, "--", path]).collect::<Vec<_>>()).unwrap();
        found.lines().map(|id| self.show(id)).collect()
    }

    /// One commit, by an id or a name.
    pub fn show(&self, name: &str) -> Commit {
        let repository = self.open();
        read(&repository.revparse_single(name).unwrap().peel_to_commit().unwrap())
    }

    /// What `head` changed since it left `base`.
    pub fn changed(&self, base: &str, head: &str) -> Vec<Changed> {
        let from = self.merge_base(base, head).unwrap_or_else(|| base.to_owned());
        let repository = self.open();
        let tree = |commit: &str| repository.find_commit(id(commit)).unwrap().tree().unwrap();
        let diff = repository.diff_tree_to_tree(Some(&tree(&from)), Some(&tree(head)), None).unwrap();
        (0..diff.deltas().len()).map(|index| changed(&diff, index)).collect()
    }

    fn open(&self) -> git2::Repository {
        git2::Repository::open_bare(&self.path).unwrap()
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

fn id(text: &str) -> git2::Oid {
    git2::Oid::from_str(text).unwrap()
}

fn read(commit: &git2::Commit<'_>) -> Commit {
    let signature = |of: &git2::Signature<'_>| Signature {
        name: String::from_utf8_lossy(of.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(of.email_bytes()).into_owned(),
        at: Timestamp::from_second(of.when().seconds()).unwrap(),
    };
    Commit {
        id: commit.id().to_string(),
        tree: commit.tree_id().to_string(),
        parents: commit.parent_ids().map(|parent| parent.to_string()).collect(),
        author: signature(&commit.author()),
        committer: signature(&commit.committer()),
        message: String::from_utf8_lossy(commit.message_bytes()).trim_end().to_owned(),
    }
}

fn changed(diff: &git2::Diff<'_>, index: usize) -> Changed {
    let delta = diff.get_delta(index).unwrap();
    let (status, file) = match delta.status() {
        git2::Delta::Added => ("added", delta.new_file()),
        git2::Delta::Deleted => ("removed", delta.old_file()),
        _ => ("modified", delta.new_file()),
    };
    let (name, blob) = (file.path().unwrap().display().to_string(), file.id().to_string());
    // A binary file has no patch.
    let Some(mut patch) = git2::Patch::from_diff(diff, index).unwrap() else {
        return Changed { status, name, blob, additions: 0, deletions: 0, patch: String::new() };
    };
    let (_, additions, deletions) = patch.line_stats().unwrap();
    let text = String::from_utf8_lossy(&patch.to_buf().unwrap()).into_owned();
    let patch = text.find("\n@@").map_or(String::new(), |at| text[at + 1..].trim_end().to_owned());
    Changed { status, name, blob, additions: additions as u64, deletions: deletions as u64, patch }
}

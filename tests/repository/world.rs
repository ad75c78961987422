//! A remote, a host for it, a mirror, and git itself to look on.

pub(crate) use std::collections::BTreeMap;
pub(crate) use std::os::unix::fs::PermissionsExt as _;
pub(crate) use std::path::{Path, PathBuf};
pub(crate) use std::process::{Command, Stdio};
pub(crate) use std::time::{Duration, Instant};

pub(crate) use lockkeeper::repository::{
    CommitId, Credentials, Edit, Location, Merge, Mirror, Options, RefUpdate, RepositoryError, Signature,
    create_bare, read_tree, trailers,
};
pub(crate) use tempfile::TempDir;

pub(crate) use crate::git_http::{Fault, GitHost};

pub(crate) const TOKEN: &str = "token-1";
pub(crate) const BOTH: [Way; 2] = [Way::File, Way::Http];

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Way {
    File,
    Http,
}

/// A bare repository with a `main` of three files, a host for it, and a mirror.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) remote: PathBuf,
    pub(crate) host: GitHost,
    pub(crate) mirror: Mirror,
    pub(crate) base: CommitId,
}

pub(crate) fn author() -> Signature {
    Signature {
        name: "lockkeeper".into(),
        email: "bot@example.com".into(),
        at: "2026-11-21T08:00:00.7Z".parse().unwrap(),
    }
}

pub(crate) fn edit(path: &str, before: Option<&str>, after: &str) -> Edit {
    Edit { path: path.into(), before: before.map(Into::into), after: after.into() }
}

pub(crate) fn update(name: &str, old: Option<CommitId>, new: Option<CommitId>) -> RefUpdate {
    RefUpdate { name: name.into(), old, new }
}

pub(crate) fn options() -> Options {
    Options { idle_timeout: Duration::from_secs(5), rebuild_interval: Duration::ZERO, ..Options::default() }
}

/// Runs git in a folder, with these bytes on its standard input.
pub(crate) fn git_with(folder: &Path, input: &[u8], arguments: &[&str]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=rival", "-c", "user.email=rival@example.com"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env("GIT_INDEX_FILE", folder.join("rival.index"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    git_with(folder, b"", arguments)
}

/// Someone else commits to a branch at the remote.
pub(crate) fn rival(remote: &Path, branch: &str, mode: &str, path: &str, content: &str) -> CommitId {
    let parent = git(remote, &["rev-parse", branch]);
    git(remote, &["read-tree", branch]);
    let blob = git_with(remote, content.as_bytes(), &["hash-object", "-w", "--stdin"]);
    git(remote, &["update-index", "--add", "--cacheinfo", &format!("{mode},{blob},{path}")]);
    let tree = git(remote, &["write-tree"]);
    let commit = git(remote, &["commit-tree", "-p", &parent, "-m", "rival", &tree]);
    git(remote, &["update-ref", &format!("refs/heads/{branch}"), &commit]);
    commit.parse().unwrap()
}

pub(crate) fn hook(remote: &Path, name: &str, script: &str) {
    let path = remote.join("hooks").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) async fn world(way: Way) -> World {
    let dir = TempDir::new().unwrap();
    let remote = dir.path().join("env.git");
    let files = [("apps/dev.yaml", "image: a\n"), ("apps/prod.yaml", "image: b\n"), ("readme.md", "# env\n")];
    let files: Vec<_> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let base = create_bare(&remote, "main", &files, "first", &author()).await.unwrap();
    let host = GitHost::start(dir.path().to_owned(), &[(TOKEN, "bot")]).await;
    let location = match way {
        Way::File => Location::parse(&format!("file://{}", remote.display())).unwrap(),
        Way::Http => Location::parse(&host.url("env.git")).unwrap(),
    };
    std::fs::write(dir.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let mirror = open(&dir, location, options()).await.unwrap();
    World { dir, remote, host, mirror, base }
}

pub(crate) async fn open(
    dir: &TempDir,
    location: Location,
    options: Options,
) -> Result<Mirror, RepositoryError> {
    let credentials = Credentials { token_file: Some(dir.path().join("token")), ..Credentials::default() };
    Mirror::open_with(location, &dir.path().join("mirror"), credentials, options).await
}

impl World {
    pub(crate) fn fsck(&self) {
        git(&self.remote, &["fsck", "--full", "--strict"]);
    }

    pub(crate) fn tip(&self, branch: &str) -> String {
        git(&self.remote, &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")])
    }

    pub(crate) async fn promoted(&self) -> CommitId {
        let edits = vec![edit("apps/dev.yaml", Some("image: a\n"), "image: c\n")];
        self.mirror
            .commit(self.base, edits, "promote(dev): c\n\nLockkeeper-Lane: normal\n", &author())
            .await
            .unwrap()
    }
}

/// The variant's name and its text, for tables.
pub(crate) fn kind<T: std::fmt::Debug>(result: &Result<T, RepositoryError>) -> (&'static str, String) {
    let error = result.as_ref().expect_err("refused");
    let name = match error {
        RepositoryError::Unavailable { .. } => "unavailable",
        RepositoryError::Moved { .. } => "moved",
        RepositoryError::Refused { .. } => "refused",
        RepositoryError::Denied { .. } => "denied",
        RepositoryError::NotFound { .. } => "not found",
        RepositoryError::Edit { .. } => "edit",
        RepositoryError::Mirror { .. } => "mirror",
    };
    (name, error.to_string())
}

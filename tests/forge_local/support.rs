//! One repository, its people, and the forge over it, all real, in a temporary folder.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use lockkeeper::forge::local::{Activity, AppEntry, LocalForge, People, PeopleFile, PersonEntry, token_hash};
use lockkeeper::forge::{
    Check, CheckStatus, Forge, NewPullRequest, Permission, Person, Priority, PullRequest, Reviewers,
};
use lockkeeper::repository::{
    CommitId, Credentials, Edit, Location, Mirror, RefUpdate, Signature, create_bare,
};

pub(crate) const FILE: &str = "apps/checkout/prod.yaml";
pub(crate) const BEFORE: &str = "image: acme/checkout:1.4.1@sha256:51b0\n";
pub(crate) const AFTER: &str = "image: acme/checkout:1.4.2@sha256:9f2c\n";

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) forge: Arc<LocalForge>,
    pub(crate) mirror: Mirror,
    pub(crate) main: CommitId,
    pub(crate) told: Arc<Mutex<Vec<Activity>>>,
    pub(crate) now: Arc<AtomicI64>,
}

pub(crate) fn person(id: u64, name: &str) -> Person {
    Person { id, name: name.to_owned(), bot: false }
}

pub(crate) fn li() -> Person {
    person(4711, "li")
}

pub(crate) fn sam() -> Person {
    person(4712, "sam")
}

pub(crate) fn rob() -> Person {
    person(4713, "rob")
}

pub(crate) fn ci() -> Person {
    Person { id: 9001, name: "ci".to_owned(), bot: true }
}

pub(crate) fn people() -> People {
    let entry = |id, name: &str, permission, team: &str| PersonEntry {
        id,
        name: name.to_owned(),
        permission,
        teams: [team.to_owned()].into(),
        emails: [format!("{name}@example.com")].into(),
        token_sha256: Some(hash(&format!("{name}-token"))),
    };
    let ci = AppEntry { id: 9001, name: "ci".to_owned(), token_sha256: Some(hash("ci-token")) };
    let people = vec![
        entry(4711, "li", Permission::Write, "acme/sre"),
        entry(4712, "sam", Permission::Write, "acme/oncall"),
        entry(4713, "rob", Permission::Read, "acme/guests"),
        entry(4714, "eve", Permission::None, "acme/guests"),
    ];
    People::fixed(PeopleFile { people, apps: vec![ci] })
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hex::decode_to_slice(token_hash(token), &mut hash).unwrap();
    hash
}

pub(crate) fn signature() -> Signature {
    Signature {
        name: "li".to_owned(),
        email: "li@example.com".to_owned(),
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
    }
}

pub(crate) fn passed(name: &str) -> Check {
    Check {
        name: name.to_owned(),
        app: "anything".to_owned(),
        status: CheckStatus::Passed,
        summary: "all gates are open".to_owned(),
        text: "- soak".to_owned(),
    }
}

pub(crate) fn new_pull(branch: &str) -> NewPullRequest {
    NewPullRequest {
        priority: Priority::Act,
        title: "promote(prod): checkout 1.4.1 → 1.4.2 (9f2c41aa7b03)".to_owned(),
        body: "<!-- lockkeeper:v1 x -->\n**Decision needed**\n".to_owned(),
        branch: branch.to_owned(),
        base: "main".to_owned(),
        labels: vec!["promotion".to_owned(), "stage:prod".to_owned()],
        reviewers: Reviewers::default(),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_base_url("http://127.0.0.1/forge/env").await
    }

    pub(crate) async fn with_base_url(base_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files =
            [(FILE.to_owned(), BEFORE.as_bytes().to_vec()), ("README.md".to_owned(), b"hello\n".to_vec())];
        let main =
            create_bare(&folder.path().join("env.git"), "main", &files, "first", &signature()).await.unwrap();
        let told: Arc<Mutex<Vec<Activity>>> = Arc::default();
        let start: Timestamp = "2026-11-20T12:03:02Z".parse().unwrap();
        let now = Arc::new(AtomicI64::new(start.as_second()));
        let mirror = mirror_of(folder.path(), "mirror").await;
        let forge = forge_of(folder.path(), mirror.clone(), base_url, &now).await;
        let listener = Arc::clone(&told);
        let forge = forge.with_listener(Arc::new(move |activity| listener.lock().unwrap().push(activity)));
        Self { folder, forge: Arc::new(forge), mirror, main, told, now }
    }

    /// Another handle on the same folder, as another process has it.
    pub(crate) async fn again(&self) -> LocalForge {
        let mirror = mirror_of(self.folder.path(), "mirror-2").await;
        forge_of(self.folder.path(), mirror, "http://127.0.0.1/forge/env", &self.now).await
    }

    pub(crate) fn tick(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn take_told(&self) -> Vec<Activity> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// A commit on top of `parent` that sets the file, pushed to `branch`.
    pub(crate) async fn push(&self, branch: &str, parent: CommitId, after: &str, message: &str) -> CommitId {
        let before = self.mirror.read(parent, FILE).await.unwrap();
        let edit = Edit { path: FILE.to_owned(), before, after: after.as_bytes().to_vec() };
        let commit = self.mirror.commit(parent, vec![edit], message, &signature()).await.unwrap();
        self.set_branch(branch, Some(commit)).await;
        commit
    }

    pub(crate) async fn set_branch(&self, branch: &str, new: Option<CommitId>) {
        let old = self.mirror.tip(branch).await.unwrap();
        let update = RefUpdate { name: format!("refs/heads/{branch}"), old, new };
        self.mirror.push(vec![update]).await.unwrap();
    }

    /// A pull request of lockkeeper from `branch`.
    pub(crate) async fn pull(&self, branch: &str) -> PullRequest {
        self.push(branch, self.main, AFTER, "promote").await;
        self.forge.open(&new_pull(branch)).await.unwrap()
    }

    /// The thread file, to play a crash with.
    pub(crate) fn thread_file(&self, number: u64) -> std::path::PathBuf {
        self.folder.path().join(format!("forge/threads/{number}.json"))
    }
}

async fn mirror_of(folder: &Path, name: &str) -> Mirror {
    let location = Location::File(folder.join("env.git"));
    Mirror::open(location, &folder.join(name), Credentials::default()).await.unwrap()
}

async fn forge_of(folder: &Path, mirror: Mirror, base_url: &str, now: &Arc<AtomicI64>) -> LocalForge {
    let now = Arc::clone(now);
    let clock = Arc::new(move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap());
    LocalForge::open(&folder.join("forge"), mirror, people(), base_url.to_owned(), clock).await.unwrap()
}

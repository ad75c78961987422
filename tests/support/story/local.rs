//! The forge of our own, and what people do there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::local::{Activity, LocalForge, People};
use lockkeeper::forge::{
    Check, CheckStatus, Clock, Forge, ForgeError, NewPullRequest, Person, Priority, PullRequestState,
    Reviewers, Verdict,
};
use lockkeeper::reconcile::{World, note_activity};
use lockkeeper::repository::Mirror;
use lockkeeper::store::{Key, Urgency};

use super::super::faults::Faults;
use super::super::faulty_forge::Connection;
use super::cast::people;
use super::host::{Host, Pull, Said, Sides};
use super::{Checked, text};

/// The local forge with what happened there and was not told yet.
#[derive(Debug)]
pub struct LocalHost {
    folder: PathBuf,
    forge: Arc<LocalForge>,
    activities: Arc<Mutex<Vec<Activity>>>,
    connection: Arc<Connection>,
}

impl LocalHost {
    pub async fn open(
        folder: &Path,
        mirror: Mirror,
        clock: Clock,
        sources: BTreeMap<String, PathBuf>,
        faults: Arc<Faults>,
        connection: Arc<Connection>,
    ) -> Result<Sides, String> {
        let people = People::fixed(people());
        let url = "http://127.0.0.1:1/forge/env".to_owned();
        let activities = Arc::<Mutex<Vec<Activity>>>::default();
        let told = Arc::clone(&activities);
        let forge = LocalForge::open(folder, mirror, people, url, clock).await.map_err(text)?;
        let forge = forge
            .witnessed(faults)
            .with_sources(sources)
            .with_listener(Arc::new(move |activity| told.lock().unwrap().push(activity)));
        let forge = Arc::new(forge);
        let host = Self { folder: folder.to_owned(), forge: Arc::clone(&forge), activities, connection };
        Ok((forge, Arc::new(host)))
    }
}

#[async_trait]
impl Host for LocalHost {
    async fn open_pulls(&self) -> Result<Vec<Pull>, String> {
        let mut found = Vec::new();
        for listed in self.forge.open_pull_requests("main").await.map_err(text)? {
            found.push(self.pull(listed.number).await?);
        }
        Ok(found)
    }

    async fn pull(&self, number: u64) -> Result<Pull, String> {
        let found = self.forge.pull_request(number).await.map_err(text)?;
        Ok(Pull {
            number,
            branch: found.branch,
            head: found.head,
            is_ours: found.author == LocalForge::bot(),
            is_closed_by_other: matches!(&found.state, PullRequestState::Closed { by, .. } if *by != LocalForge::bot()),
            title: found.title,
            body: found.body,
            checks: found.checks,
        })
    }

    async fn is_ours(&self, thread: u64) -> Result<bool, String> {
        match self.forge.pull_request(thread).await {
            Ok(found) => Ok(found.author == LocalForge::bot()),
            // Nobody else opens issues here.
            Err(ForgeError::NotFound { .. }) => Ok(true),
            Err(error) => Err(text(error)),
        }
    }

    async fn open_issues(&self) -> Result<Vec<String>, String> {
        let names = std::fs::read_dir(self.folder.join("open/issues")).map_err(text)?;
        let mut titles = Vec::new();
        for name in names {
            let file = format!("threads/{}.json", name.map_err(text)?.file_name().display());
            let thread = std::fs::read(self.folder.join(file)).map_err(text)?;
            let thread: serde_json::Value = serde_json::from_slice(&thread).map_err(text)?;
            titles.push(thread["title"].as_str().unwrap_or_default().to_owned());
        }
        Ok(titles)
    }

    async fn comments(&self) -> Result<Vec<Said>, String> {
        let all = self.forge.comments_after(0, 10_000).await.map_err(text)?;
        let said = all.into_iter().map(|comment| Said {
            id: comment.id,
            thread: comment.thread,
            is_ours: comment.author == LocalForge::bot(),
            author: comment.author,
            body: comment.body,
            reactions: 0,
        });
        Ok(said.collect())
    }

    fn portrait(&self, lines: &mut Vec<String>) -> Checked {
        for folder in ["threads", "checks", "named", "open/pulls", "open/issues"] {
            files(&self.folder, folder, lines)?;
        }
        Ok(())
    }

    async fn open(&self, by: &Person, branch: &str, title: &str) -> Result<u64, String> {
        let new = NewPullRequest {
            priority: Priority::Act,
            title: title.to_owned(),
            body: String::new(),
            branch: branch.to_owned(),
            base: "main".to_owned(),
            labels: Vec::new(),
            reviewers: Reviewers::default(),
        };
        self.forge.open_by(by, new).await.map(|opened| opened.number).map_err(text)
    }

    async fn close(&self, by: &Person, number: u64) -> Checked {
        self.forge.close_by(by, number).await.map_err(text)
    }

    async fn merge(&self, by: &Person, pull: &Pull) -> Result<bool, String> {
        match self.forge.merge_by(by, pull.number, pull.head).await {
            Ok(_) => Ok(true),
            Err(ForgeError::Refused { .. }) => Ok(false),
            Err(error) => Err(text(error)),
        }
    }

    async fn review(&self, by: &Person, pull: &Pull, verdict: Verdict) -> Checked {
        self.forge.review(by, pull.number, pull.head, verdict).await.map(drop).map_err(text)
    }

    async fn review_older(&self, by: &Person, number: u64, head: CommitId, verdict: Verdict) -> Checked {
        match self.forge.review(by, number, head, verdict).await {
            Err(ForgeError::Moved { .. }) => Ok(()),
            other => Err(format!("expected a refusal, found {other:?}")),
        }
    }

    async fn report(&self, app: &Person, head: CommitId, name: &str, status: CheckStatus) -> Checked {
        let (name, summary) = (name.to_owned(), "as told".to_owned());
        let check = Check { name, app: String::new(), status, summary, text: String::new() };
        self.forge.report_check(app, head, check).await.map_err(text)
    }

    async fn comment(&self, by: &Person, thread: u64, body: &str) -> Result<u64, String> {
        self.forge.write_comment(by, thread, body).await.map_err(text)
    }

    async fn edit_comment(&self, by: &Person, id: u64, body: &str) -> Checked {
        self.forge.edit_comment(by, id, body).await.map_err(text)
    }

    async fn tell_again(&self, id: u64) -> Checked {
        let thread = self.forge.comment(id).await.map_err(text)?.thread;
        self.activities.lock().unwrap().push(Activity::Comment(id, thread));
        Ok(())
    }

    /// The forge is told by whoever works on it, and git by nobody.
    fn pushed(&self, number: Option<u64>) -> bool {
        self.activities.lock().unwrap().extend(number.map(Activity::Opened));
        number.is_some()
    }

    async fn tell(&self, world: &World) -> Checked {
        let told = std::mem::take(&mut *self.activities.lock().unwrap());
        for activity in told {
            if let Err(error) = note_activity(world, "env", activity).await {
                // The server logs it, and the sweep finds what was not noted.
                let (key, now) = (Key::repository("env"), (world.now)());
                world.store.mark(&[key], now, Urgency::Time).await.map_err(text)?;
                if !self.connection.is_away.load(Ordering::SeqCst) {
                    println!("not noted: {error}");
                }
            }
        }
        Ok(())
    }

    fn has_news(&self) -> bool {
        !self.activities.lock().unwrap().is_empty()
    }

    async fn end(&self) {
        self.activities.lock().unwrap().clear();
    }

    fn violations(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The files of a folder of the forge, in the order of their names.
fn files(forge: &Path, folder: &str, lines: &mut Vec<String>) -> Checked {
    let read = std::fs::read_dir(forge.join(folder)).map_err(text)?;
    let mut paths: Vec<_> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.strip_prefix(forge).unwrap_or(&path).display().to_string();
        lines.push(format!("file {name}"));
        let bytes = std::fs::read_to_string(&path).map_err(text)?;
        lines.extend(bytes.lines().map(|line| format!("{name} {line}")));
    }
    Ok(())
}

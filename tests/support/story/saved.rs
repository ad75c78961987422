//! A story put aside, and taken up again from there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockkeeper::commit::CommitId;
use lockkeeper::reconcile::Told;

use super::super::fake_registry::World;
use super::super::github::model::Model;
use super::observing::Runs;
use super::{Checked, Side, Story, text};

/// Everything that a story is at one moment, but for most of what the process has in memory.
pub struct Saved {
    folder: tempfile::TempDir,
    is_running: bool,
    files: BTreeMap<String, Vec<u8>>,
    clock: i64,
    registry: World,
    remembered: BTreeMap<String, CommitId>,
    last_comment: Option<u64>,
    proposed: Option<u64>,
    revisions: BTreeMap<String, CommitId>,
    deliveries: usize,
    connection: [bool; 2],
    failures: usize,
    cluster: Runs,
    told: Told,
    taken: BTreeSet<String>,
    github: Option<Model>,
}

impl Story {
    /// Puts the story aside as it stands between two lines.
    pub fn save(&self) -> Arc<Saved> {
        let folder = super::folder();
        copy(self.folder.path(), folder.path()).unwrap();
        let connection = [&self.connection.is_away, &self.connection.is_mute];
        Arc::new(Saved {
            folder,
            is_running: self.running.is_some(),
            files: self.files.clone(),
            clock: self.clock.load(Ordering::SeqCst),
            registry: self.registry.world(),
            remembered: self.remembered.clone(),
            last_comment: self.last_comment,
            proposed: self.proposed,
            revisions: self.revisions.clone(),
            deliveries: self.deliveries,
            connection: connection.map(|flag| flag.load(Ordering::SeqCst)),
            failures: self.connection.failures.load(Ordering::SeqCst),
            cluster: self.cluster.runs.lock().unwrap().clone(),
            told: self.running.as_ref().map(|running| running.world.told.clone()).unwrap_or_default(),
            taken: self.taken.clone(),
            github: match &self.side {
                Side::Local => None,
                Side::GitHub(github) => github.save(),
            },
        })
    }

    /// Takes the story up from there, as if the process had not stopped in between.
    pub async fn restore(&mut self, saved: &Saved) -> Checked {
        self.end().await;
        std::fs::remove_dir_all(self.folder.path()).map_err(text)?;
        copy(saved.folder.path(), self.folder.path()).map_err(text)?;
        self.files.clone_from(&saved.files);
        self.clock.store(saved.clock, Ordering::SeqCst);
        self.registry.set_world(saved.registry.clone());
        self.remembered.clone_from(&saved.remembered);
        self.last_comment = saved.last_comment;
        self.proposed = saved.proposed;
        self.revisions.clone_from(&saved.revisions);
        self.deliveries = saved.deliveries;
        let [is_away, is_mute] = saved.connection;
        self.connection.is_away.store(is_away, Ordering::SeqCst);
        self.connection.is_mute.store(is_mute, Ordering::SeqCst);
        self.connection.failures.store(saved.failures, Ordering::SeqCst);
        self.cluster.runs.lock().unwrap().clone_from(&saved.cluster);
        self.told.clone_from(&saved.told);
        self.taken.clone_from(&saved.taken);
        if let (Side::GitHub(github), Some(model)) = (&self.side, &saved.github) {
            github.restore(model);
        }
        if saved.is_running { self.boot().await } else { Ok(()) }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

//! What has to be kept, and for whom.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;

use crate::cli::CliError;
use crate::cli::context::{of_reconcile, of_store};
use crate::commit::CommitId;
use crate::image::{Digest, Platform, Release, Repository, Tag};
use crate::manifest;
use crate::pipeline::{FILE_NAME, Pipeline, Stage, parse};
use crate::promotion::{StageState, State, target};
use crate::reconcile::load;
use crate::registry::Registry;
use crate::repository::Mirror;
use crate::server::assemble::open_mirror;
use crate::settings::{self, Settings};
use crate::store::{Key, Store};

/// What is kept, by repository (canonical spelling) and digest.
#[derive(Debug, Default)]
pub(in crate::cli) struct List {
    pub(in crate::cli) images: BTreeMap<(Repository, Digest), Kept>,
    /// The channels of each repository: tags that move, and have to be there.
    pub(in crate::cli) channels: BTreeMap<Repository, BTreeSet<Tag>>,
    /// What could not be read.
    pub(in crate::cli) gaps: Vec<String>,
}

/// One image that is kept.
#[derive(Debug, Default)]
pub(in crate::cli) struct Kept {
    /// The tags under which it was pinned.
    pub(in crate::cli) tags: BTreeSet<Tag>,
    /// For whom: `repository/pipeline/stage` and why.
    pub(in crate::cli) whys: BTreeSet<String>,
    /// The manifests of its platforms, where they were read.
    pub(in crate::cli) parts: Vec<(Platform, Digest)>,
}

/// Images asked for at one time.
const AT_ONCE: usize = 4;
/// Candidates that are kept in any case: one of them may be held until it is signed.
const SEEN_MIN: usize = 3;
/// Most that are kept, as many as a stage has releases in its record.
const SEEN_MAX: usize = 200;

/// Reads what all pipelines pin, record and may still promote.
///
/// # Errors
/// [`CliError`] if the store cannot be read.
pub(in crate::cli) async fn list(
    settings: &Settings,
    store: &Store,
    earlier: usize,
) -> Result<List, CliError> {
    let mut list = List::default();
    for repository in &settings.repositories {
        let mut recorded: BTreeSet<Key> =
            store.keys(&repository.name).await.map_err(|error| of_store(&error))?.into_iter().collect();
        match declared(settings, repository, &mut list).await {
            Ok(pipelines) => {
                for pipeline in pipelines {
                    let key = Key::pipeline(&repository.name, pipeline.name.clone());
                    recorded.remove(&key);
                    let state = load(store, &key).await.map_err(|error| of_reconcile(&error))?;
                    list.add_state(&key, &state, earlier);
                    list.add_targets(&key, &state, &pipeline);
                }
            }
            Err(reason) => list.gaps.push(format!("{}: {reason}", repository.name)),
        }
        for key in recorded.into_iter().filter(|key| key.pipeline.is_some()) {
            let state = load(store, &key).await.map_err(|error| of_reconcile(&error))?;
            list.add_state(&key, &state, earlier);
        }
    }
    Ok(list)
}

/// The pipelines at the tip of the base branch; what their files pin is added.
async fn declared(
    settings: &Settings,
    repository: &settings::Repository,
    list: &mut List,
) -> Result<Vec<Pipeline>, String> {
    let mirror = open_mirror(settings, repository).await.map_err(|error| error.to_string())?;
    let tip = mirror.tip(&repository.base).await.map_err(|error| error.to_string())?;
    let tip = tip.ok_or_else(|| format!("there is no branch {}", repository.base))?;
    let file = mirror.read(tip, FILE_NAME).await.map_err(|error| error.to_string())?;
    let file = file.ok_or_else(|| format!("there is no {FILE_NAME}"))?;
    let pipelines = parse(&file).map_err(|errors| {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        format!("{FILE_NAME} is not valid: {first}")
    })?;
    for pipeline in &pipelines.pipelines {
        for stage in &pipeline.stages {
            list.add_pins(&mirror, tip, (&repository.name, pipeline, stage)).await;
            for rule in &pipeline.images {
                let channels = list.channels.entry(canonical(&rule.repository)).or_default();
                channels.extend(stage.channels().cloned());
            }
        }
    }
    Ok(pipelines.pipelines)
}

impl List {
    /// Every digest of the pipeline's images in the files of a stage, also where they disagree.
    async fn add_pins(
        &mut self,
        mirror: &Mirror,
        tip: CommitId,
        (repository, pipeline, stage): (&str, &Pipeline, &Stage),
    ) {
        let whom = format!("{repository}/{}/{}", pipeline.name, stage.name);
        for target in &stage.pins {
            let marked: Vec<&str> = target.path.as_deref().into_iter().collect();
            let found = match mirror.read(tip, &target.file).await {
                Ok(Some(bytes)) => manifest::find(&bytes, &marked).map_err(|error| error.to_string()),
                Ok(None) => Err("there is no such file".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match found {
                Err(reason) => self.gaps.push(format!("{whom}: {}: {reason}", target.file)),
                Ok(found) => {
                    for pin in found.pins {
                        let rule =
                            pipeline.images.iter().find(|rule| rule.repository.is_same(&pin.repository));
                        if let Some((rule, digest)) = rule.zip(pin.digest) {
                            self.add(&rule.repository, digest, pin.tag, format!("{whom} pinned"));
                        }
                    }
                }
            }
        }
    }

    /// What the record says is live, under way, wanted, or was there before.
    pub(in crate::cli) fn add_state(&mut self, key: &Key, state: &State, earlier: usize) {
        for release in candidates(state) {
            self.add_release(release, &format!("{key} candidate"));
        }
        for (name, stage) in &state.stages {
            let whom = format!("{key}/{name}");
            for (release, why) in under_way(stage) {
                self.add_release(release, &format!("{whom} {why}"));
            }
            let live = stage.stints.live().map(|stint| &stint.release);
            let mut before: Vec<&Release> = Vec::new();
            for stint in stage.stints.newest_first() {
                let release = &stint.release;
                let is_bad = stage.stints.was_rolled_back(release) || is_vetoed(state, release);
                let is_known =
                    live.into_iter().chain(before.iter().copied()).any(|known| known.is_same(release));
                if before.len() < earlier && !is_bad && !is_known {
                    before.push(release);
                }
            }
            for release in before {
                self.add_release(release, &format!("{whom} earlier"));
            }
            // What a stage behind it may still get: all that went through since what is live there.
            for release in passing(state, stage) {
                self.add_release(release, &format!("{whom} passed"));
            }
        }
    }

    /// Where a rollback without a word would go.
    pub(in crate::cli) fn add_targets(&mut self, key: &Key, state: &State, pipeline: &Pipeline) {
        for stage in &pipeline.stages {
            if let Ok(stint) = target(state, pipeline, &stage.name, None, &[]) {
                self.add_release(&stint.release, &format!("{key}/{} rollback", stage.name));
            }
        }
    }

    fn add_release(&mut self, release: &Release, why: &str) {
        for (repository, pinned) in release.images() {
            self.add(repository, pinned.digest, pinned.tag.clone(), why.to_owned());
        }
    }

    fn add(&mut self, repository: &Repository, digest: Digest, tag: Option<Tag>, why: String) {
        // One image may be written in several ways: `nginx` and `docker.io/library/nginx`.
        let kept = self.images.entry((canonical(repository), digest)).or_default();
        kept.tags.extend(tag);
        kept.whys.insert(why);
    }

    /// Reads of which manifests each index consists.
    pub(in crate::cli) async fn read_parts(&mut self, registry: &dyn Registry) {
        let asked = self.images.keys().cloned().map(|(repository, digest)| async move {
            let image = registry.image(&repository, digest).await;
            ((repository, digest), image)
        });
        let told: Vec<_> = futures::stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        for (key, image) in told {
            match image {
                Err(error) => self.gaps.push(error.to_string()),
                Ok(image) => {
                    let parts = image.parts.into_iter().map(|part| (part.platform, part.manifest));
                    self.images.entry(key).or_default().parts = parts.collect();
                }
            }
        }
    }
}

fn canonical(repository: &Repository) -> Repository {
    repository.canonical().parse().unwrap_or_else(|_| repository.clone())
}

/// The candidates since the newest that is live somewhere: each may be taken once it is old enough.
fn candidates(state: &State) -> impl Iterator<Item = &Release> {
    let live = live(state);
    let newest = || state.seen.iter().rev().map(|(release, _)| release);
    let since = newest().position(|release| live.iter().any(|live| live.is_same(release)));
    newest().take(since.unwrap_or(SEEN_MAX).clamp(SEEN_MIN, SEEN_MAX))
}

fn live(state: &State) -> Vec<&Release> {
    state.stages.values().filter_map(|stage| Some(&stage.stints.live()?.release)).collect()
}

/// What a stage has or is about to have.
fn under_way(stage: &StageState) -> Vec<(&Release, &'static str)> {
    let mut found = Vec::new();
    if let Some(proposal) = &stage.proposal {
        found.push((&proposal.release, "proposed"));
        found.extend(proposal.was.as_ref().map(|was| (was, "live")));
    }
    found.extend(stage.request.as_ref().map(|request| (&request.release, "requested")));
    found.extend(stage.stints.live().map(|stint| (&stint.release, "live")));
    found
}

fn is_vetoed(state: &State, release: &Release) -> bool {
    let digests = || release.images().map(|(_, pinned)| pinned.digest);
    state.vetoes.iter().any(|veto| digests().any(|digest| veto.digests.contains(&digest)))
}

/// The releases that went through a stage since the oldest that is still live somewhere; all, where one is live somewhere
/// that did not come through here.
fn passing<'a>(state: &'a State, stage: &'a StageState) -> Vec<&'a Release> {
    let all: Vec<&Release> = stage.stints.newest_first().map(|stint| &stint.release).collect();
    let place = |live: &Release| all.iter().position(|release| release.is_same(live));
    let oldest = live(state).into_iter().map(|live| place(live).unwrap_or(all.len())).max();
    let passed = all.iter().take(oldest.unwrap_or(0)).skip(1);
    passed.filter(|release| !is_vetoed(state, release)).copied().collect()
}

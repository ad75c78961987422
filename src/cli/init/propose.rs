//! From what the files hold to pipelines: pure, so that it can be tested without a repository.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::{Environment, Environments, stage_name};
use crate::image::{Repository, Tag};
use crate::manifest::{Form, Found, Pin};
use crate::pipeline::{CalverFormat, is_commit, version_of};

/// The formats of dates that are tried, in this order; what is a whole version passes for one before.
const DATES: [&str; 4] = ["YYYY.0M.0D", "YYYY-0M-0D", "YYYYMMDD", "YYYYMMDD-hhmmss"];
/// Most files of one stage, as `lockkeeper.yaml` takes them.
const PINS_MAX: usize = 64;

/// What is proposed, and what a person has to decide.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The pipelines, by name.
    pub pipelines: Vec<ProposedPipeline>,
    /// What was found and is in no pipeline, or needs a decision; one sentence each.
    pub undecided: Vec<String>,
}

/// A pipeline for one repository.
#[derive(Debug, PartialEq, Eq)]
pub struct ProposedPipeline {
    /// Its name.
    pub name: String,
    /// The repository, as the manifests name it.
    pub repository: Repository,
    /// How new digests are picked.
    pub follow: ProposedFollow,
    /// The stages, in the usual order.
    pub stages: Vec<ProposedStage>,
    /// What a person should know of it, one line each.
    pub notes: Vec<String>,
}

/// The rule by which new digests are picked.
#[derive(Debug, PartialEq, Eq)]
pub enum ProposedFollow {
    /// A range of versions.
    Semver(String),
    /// Dates in this format.
    Calver(String),
    /// Numbers behind this text.
    Numeric(String),
    /// A tag that moves.
    Tag(String),
}

/// One stage.
#[derive(Debug, PartialEq, Eq)]
pub struct ProposedStage {
    /// Its name.
    pub name: String,
    /// The group that it shares with other stages of its kind.
    pub group: Option<String>,
    /// The stages before it.
    pub after: Vec<String>,
    /// The files that pin the repository for it.
    pub files: Vec<String>,
    /// Whether it is of the last kind, and therefore wants approvals.
    pub is_last: bool,
}

/// Where one repository is found: by environment, the files and pins; and outside of all.
#[derive(Default)]
struct Places<'a> {
    stages: BTreeMap<Environment, BTreeMap<&'a str, Vec<&'a Pin>>>,
    shared: Vec<(&'a str, &'a Pin)>,
}

/// Groups what the files of a repository hold into pipelines: one for each image repository that is pinned for at
/// least two kinds of environments.
#[must_use]
pub fn propose(files: &[(String, Found)]) -> Proposal {
    let environments = Environments::of_files(files.iter().map(|(path, _)| path.as_str()));
    let mut places: BTreeMap<String, (&Repository, Places<'_>)> = BTreeMap::new();
    let mut proposal = Proposal::default();
    for (path, found) in files {
        for pin in &found.pins {
            let (_, known) =
                places.entry(pin.repository.canonical()).or_insert((&pin.repository, Places::default()));
            match environments.of(path) {
                Some(environment) => {
                    known.stages.entry(environment.clone()).or_default().entry(path).or_default().push(pin);
                }
                None => known.shared.push((path, pin)),
            }
        }
        for place in &found.unreadable {
            proposal.undecided.push(format!("{path}:{} {}: {}", place.line, place.path, place.reason));
        }
    }
    for (repository, places) in places.values() {
        add(&mut proposal, repository, places, &environments);
    }
    note_shared_files(&mut proposal);
    proposal
}

/// Adds one repository: as a pipeline, or as what a person has to decide.
fn add(proposal: &mut Proposal, repository: &Repository, places: &Places<'_>, environments: &Environments) {
    let names: Vec<&str> = places.stages.keys().map(|environment| environment.name.as_str()).collect();
    proposal.undecided.extend(shared_places(repository, places, environments, &names));
    let kinds: BTreeSet<usize> = places.stages.keys().map(|environment| environment.rank).collect();
    let is_too_many = |files: &BTreeMap<&str, Vec<&Pin>>| files.len() > PINS_MAX;
    match places.stages.iter().find(|(_, files)| is_too_many(files)) {
        Some((environment, files)) => proposal.undecided.push(format!(
            "`{repository}` is pinned in {} files of `{}`, and a stage takes at most {PINS_MAX}",
            files.len(),
            environment.name
        )),
        None if names.is_empty() => {}
        None if kinds.len() == 1 => proposal.undecided.push(format!(
            "`{repository}` is pinned for one kind of environment only ({}), so there is no way to promote it along",
            names.join(", ")
        )),
        None => {
            let taken: BTreeSet<String> = proposal.pipelines.iter().map(|pipeline| pipeline.name.clone()).collect();
            let pipeline = pipeline(repository, places, &taken, &mut proposal.undecided);
            proposal.pipelines.push(pipeline);
        }
    }
}

/// Why the places of a repository outside of all environments are in no stage: one sentence for all that are near the
/// same environments.
fn shared_places(
    repository: &Repository,
    places: &Places<'_>,
    environments: &Environments,
    stages: &[&str],
) -> Vec<String> {
    let mut by_neighbours: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
    for (path, pin) in &places.shared {
        let around = Some(environments.around(path)).filter(|around| around.len() > 1).unwrap_or_default();
        by_neighbours.entry(around).or_default().push(format!("{path}:{}", pin.line));
    }
    let sentence = |(around, places): (BTreeSet<String>, Vec<String>)| {
        let more = match places.len() {
            1 => String::new(),
            2 => " (and one more place)".to_owned(),
            count => format!(" (and {} more places)", count - 1),
        };
        let seen = format!("{}{more} names `{repository}`", places.first().map_or("", String::as_str));
        let list = around.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if around.is_empty() {
            return format!(
                "{seen} and is in no environment's folder; add it to a stage's `pins` if it belongs to one"
            );
        }
        if around.iter().all(|name| stages.contains(&name.as_str())) {
            return format!(
                "{seen}, shared by {list}; each of them pins it over that, so this place is left alone"
            );
        }
        format!(
            "{seen} and is shared by {list}: a change there would reach all of them at once, and a pin belongs to one \
             stage. Give each its own (in a kustomization: `images:` with `name`, `newTag` and `digest`), then run init \
             again"
        )
    };
    by_neighbours.into_iter().map(sentence).collect()
}

fn pipeline(
    repository: &Repository,
    places: &Places<'_>,
    taken: &BTreeSet<String>,
    undecided: &mut Vec<String>,
) -> ProposedPipeline {
    let name = pipeline_name(repository, taken);
    let mut notes = Vec::new();
    let follow = follow(&name, places, undecided);
    for (environment, files) in &places.stages {
        for (path, pins) in files {
            notes.extend(note_of_form(path, pins, environment));
        }
    }
    ProposedPipeline {
        stages: stages(places, &mut notes),
        name,
        repository: repository.clone(),
        follow,
        notes,
    }
}

/// The last part of the repository, with as many parts before it as make it unique.
fn pipeline_name(repository: &Repository, taken: &BTreeSet<String>) -> String {
    let parts: Vec<&str> = repository.as_str().split('/').collect();
    let mut candidates =
        (0..parts.len()).rev().map(|start| parts.iter().skip(start).copied().collect::<Vec<_>>().join("-"));
    let free = candidates.find_map(|name| stage_name(&name).filter(|name| !taken.contains(name)));
    let numbered = || (2..=u32::MAX).map(|n| format!("pipeline-{n}")).find(|name| !taken.contains(name));
    free.or_else(numbered).unwrap_or_default()
}

fn stages(places: &Places<'_>, notes: &mut Vec<String>) -> Vec<ProposedStage> {
    let ranks: BTreeSet<usize> = places.stages.keys().map(|environment| environment.rank).collect();
    let of_rank = |rank: usize| places.stages.keys().filter(move |environment| environment.rank == rank);
    let mut stages = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for rank in &ranks {
        let names: Vec<String> = of_rank(*rank).map(|environment| environment.name.clone()).collect();
        let family = of_rank(*rank).next().map(Environment::family).unwrap_or_default();
        let is_name_free = places.stages.keys().all(|environment| environment.name != family);
        if names.len() > 1 && !is_name_free {
            notes.push(format!("{} have no group: its name, `{family}`, is a stage's", names.join(" and ")));
        }
        let group = (names.len() > 1 && is_name_free).then(|| family.to_owned());
        for environment in of_rank(*rank) {
            let files = places.stages.get(environment).into_iter().flat_map(BTreeMap::keys);
            stages.push(ProposedStage {
                name: environment.name.clone(),
                group: group.clone(),
                after: before.clone(),
                files: files.map(|path| (*path).to_owned()).collect(),
                is_last: ranks.last() == Some(rank),
            });
        }
        before = names;
    }
    stages
}

/// The versions that are pinned, from the oldest on; or the tag of the first stage.
fn follow(name: &str, places: &Places<'_>, undecided: &mut Vec<String>) -> ProposedFollow {
    let tags =
        || places.stages.values().flat_map(BTreeMap::values).flatten().filter_map(|pin| pin.tag.as_ref());
    let versions: BTreeSet<_> = tags().filter_map(|tag| version_of(tag.as_str())).collect();
    if let (Some(oldest), Some(newest)) = (versions.first(), versions.last()) {
        let below = newest.major.saturating_add(1);
        return ProposedFollow::Semver(format!(">={}.{}, <{below}", oldest.major, oldest.minor));
    }
    let Some(first) = tags().next() else {
        undecided.push(format!(
            "pipeline `{name}`: no tag is pinned anywhere, so `follow` is a guess; say which tags count"
        ));
        return ProposedFollow::Semver("*".to_owned());
    };
    let all: BTreeSet<&Tag> = tags().collect();
    if let Some(ordered) = dates(&all).or_else(|| numbers(&all)) {
        return ordered;
    }
    let last = first.as_str().rsplit(['-', '.']).next().unwrap_or_default();
    if is_commit(last) || all.len() > 1 {
        undecided.push(format!(
            "pipeline `{name}`: its tags (`{first}`, …) have no order that can be told; `follow` takes versions, dates, \
             numbers, the creation time (`newest`) or one tag that moves"
        ));
    }
    ProposedFollow::Tag(first.to_string())
}

fn dates(tags: &BTreeSet<&Tag>) -> Option<ProposedFollow> {
    let fits = |format: &&&str| {
        let format = format.parse::<CalverFormat>();
        format.is_ok_and(|format| tags.iter().all(|tag| format.fits(tag.as_str())))
    };
    DATES.iter().find(fits).map(|format| ProposedFollow::Calver((*format).to_owned()))
}

/// `build-4567`: numbers behind one word.
fn numbers(tags: &BTreeSet<&Tag>) -> Option<ProposedFollow> {
    let word = |tag: &Tag| {
        let word = tag.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
        let is_word = word.ends_with('-') && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
        (is_word && word.len() < tag.as_str().len()).then(|| word.to_owned())
    };
    let words: BTreeSet<Option<String>> = tags.iter().map(|tag| word(tag)).collect();
    let only = if words.len() == 1 { words.into_iter().next().flatten() } else { None };
    only.map(ProposedFollow::Numeric)
}

/// What has to be done before the pins of a file can be changed.
fn note_of_form(path: &str, pins: &[&Pin], environment: &Environment) -> Option<String> {
    let unpinned = pins.iter().find(|pin| pin.digest.is_none())?;
    let (line, name) = (unpinned.line, &environment.name);
    match unpinned.form {
        Form::ValuesSplit | Form::HelmParameter => Some(format!(
            "{path}:{line} has no digest; add the field `digest` there, or promotions into `{name}` are refused"
        )),
        Form::Container | Form::Kustomize | Form::ValuesString | Form::Compose | Form::Marked => {
            Some(format!("{path}:{line} has no digest yet; the first promotion into `{name}` adds it"))
        }
    }
}

/// Says of pipelines that pin the same files that they could be one.
fn note_shared_files(proposal: &mut Proposal) {
    let files = |pipeline: &ProposedPipeline| -> BTreeSet<String> {
        pipeline.stages.iter().flat_map(|stage| stage.files.clone()).collect()
    };
    let all: Vec<(String, BTreeSet<String>)> =
        proposal.pipelines.iter().map(|pipeline| (pipeline.name.clone(), files(pipeline))).collect();
    for pipeline in &mut proposal.pipelines {
        let own = files(pipeline);
        let same = all.iter().filter(|(name, files)| *name != pipeline.name && *files == own);
        let names: Vec<String> = same.map(|(name, _)| format!("`{name}`")).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            pipeline.notes.push(format!(
                "{names} pins the same files; if they are released together, put all images in one pipeline"
            ));
        }
    }
}

//! `lockkeeper keep-list`: what a clean-up of a registry must leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::context::of_store;
use super::show::{document, plain, table};
use super::{CliError, Context, Exit, Outcome, pins};
use crate::image::{Digest, Release, Repository, Tag};
use crate::promotion::{StageState, State};
use crate::store::{Key, Store};

/// Print the images that a clean-up of a registry must keep: live, under way, or wanted for a rollback.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper keep-list\n  \
    lockkeeper keep-list -o regex\n  \
    lockkeeper keep-list --earlier 10 -o acr-purge\n\n\
    It reads what the server recorded last. A tag that moves keeps what it names now, not what is pinned: where such\n\
    tags are followed, keep untagged manifests as well. Those of single platforms are never tagged.")]
pub struct Args {
    /// So many earlier releases of each stage are kept beside the live one, as a rollback may name them.
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    earlier: usize,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    /// Aligned columns for people.
    #[default]
    Table,
    /// JSON, one document.
    Json,
    /// One line for each repository: the tags to be kept, as a regular expression.
    Regex,
    /// One command for each repository, which deletes old tags but these, and shows only what it would delete.
    AcrPurge,
}

/// What is kept of each image: its tags, and for whom.
type Kept = BTreeMap<(Repository, Digest), (BTreeSet<Tag>, BTreeSet<String>)>;

/// Prints what must be kept.
///
/// # Errors
/// Exit 5 where no server has run yet.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    let store = context.store(&settings).await?;
    let mut kept = Kept::new();
    for repository in &settings.repositories {
        for key in store.keys(&repository.name).await.map_err(|error| of_store(&error))? {
            if let Some(state) = state(&store, &key).await? {
                keep(&mut kept, &key, &state, args.earlier);
            }
        }
    }
    let untagged = kept.values().filter(|(tags, _)| tags.is_empty()).count();
    if untagged > 0 && matches!(args.output, Form::Regex | Form::AcrPurge) {
        eprintln!("note: {untagged} images are pinned without a tag; `-o json` has their digests");
    }
    let text = match args.output {
        Form::Table => of_table(&kept),
        Form::Json => pins::json(&of_json(&kept))?,
        Form::Regex => of_patterns(&kept, |repository, tags| format!("{repository}: ^({tags})$")),
        Form::AcrPurge => of_patterns(&kept, |repository, tags| {
            let name = repository.as_str();
            let path = repository.host().and_then(|host| name.strip_prefix(host)?.strip_prefix('/'));
            let path = path.unwrap_or(name);
            format!("acr purge --filter '{path}:^(?!({tags})$).*' --ago 30d --dry-run")
        }),
    };
    pins::print(&text)?;
    Ok(Exit::Ok)
}

async fn state(store: &Store, key: &Key) -> Result<Option<State>, CliError> {
    let Some((_, fold)) = store.fold(key).await.map_err(|error| of_store(&error))? else { return Ok(None) };
    let state = serde_json::from_value(fold).map_err(|error| {
        CliError::new(Exit::Integrity, format!("what is recorded of {key} cannot be read"))
            .why(error.to_string())
    });
    state.map(Some)
}

fn keep(kept: &mut Kept, key: &Key, state: &State, earlier: usize) {
    for (stage, state) in &state.stages {
        for (release, why) in of_stage(state, earlier) {
            for (repository, pinned) in release.images() {
                let (tags, whys) = kept.entry((repository.clone(), pinned.digest)).or_default();
                tags.extend(pinned.tag.clone());
                whys.insert(format!("{key}/{stage} {why}"));
            }
        }
    }
}

/// The releases that a stage needs, each with why.
fn of_stage(state: &StageState, earlier: usize) -> Vec<(&Release, &'static str)> {
    let mut found = Vec::new();
    if let Some(proposal) = &state.proposal {
        found.push((&proposal.release, "proposed"));
        found.extend(proposal.was.as_ref().map(|was| (was, "live")));
    }
    found.extend(state.request.as_ref().map(|request| (&request.release, "requested")));
    found.extend(state.stints.live().map(|stint| (&stint.release, "live")));
    let mut before: Vec<&Release> = Vec::new();
    for stint in state.stints.newest_first().filter(|stint| stint.ended.is_some()) {
        if before.len() < earlier && !before.iter().any(|known| known.is_same(&stint.release)) {
            before.push(&stint.release);
        }
    }
    found.extend(before.into_iter().map(|release| (release, "earlier")));
    found
}

fn of_table(kept: &Kept) -> String {
    let rows = kept.iter().map(|((repository, digest), (tags, whys))| {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        let whys: Vec<&str> = whys.iter().map(String::as_str).collect();
        let tags = if tags.is_empty() { "-".to_owned() } else { tags.join(", ") };
        [plain(repository.as_str()), tags, digest.to_string(), plain(&whys.join(", "))]
    });
    table(["REPOSITORY", "TAGS", "DIGEST", "FOR"], rows.collect())
}

fn of_json(kept: &Kept) -> serde_json::Value {
    let images: Vec<_> = kept
        .iter()
        .map(|((repository, digest), (tags, whys))| {
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            json!({ "repository": repository.as_str(), "digest": digest.to_string(), "tags": tags, "for": whys })
        })
        .collect();
    document(json!({ "images": images }))
}

/// One line for each repository that has tags, of its name and an alternation of them.
fn of_patterns(kept: &Kept, line: impl Fn(&Repository, &str) -> String) -> String {
    let mut of_repository: BTreeMap<&Repository, BTreeSet<String>> = BTreeMap::new();
    for ((repository, _), (tags, _)) in kept {
        // A tag holds letters, digits, `_`, `.` and `-`, of which only the dot means something else.
        let escaped = tags.iter().map(|tag| tag.as_str().replace('.', r"\."));
        of_repository.entry(repository).or_default().extend(escaped);
    }
    let mut text = String::new();
    for (repository, tags) in of_repository.into_iter().filter(|(_, tags)| !tags.is_empty()) {
        let tags: Vec<String> = tags.into_iter().collect();
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{}", line(repository, &tags.join("|")));
    }
    text
}

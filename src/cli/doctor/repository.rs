//! One environment repository: who may what, whether it can be reached, what its file declares, what its stages pin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Findings;
use super::host::secret_file;
use crate::commit::CommitId;
use crate::forge::Permission;
use crate::forge::local::People;
use crate::pipeline::{
    Calendar, FILE_NAME, Pipeline, Pipelines, Stage, parse, parse_calendar, unknown_names,
};
use crate::plan::{Pins, read_pins};
use crate::repository::{Mirror, RepositoryError};
use crate::server::assemble::{AssembleError, open_mirror};
use crate::settings::{self, Settings};

/// How far the commits of others may be ahead of our clock: clocks that are kept differ by seconds.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_mins(5);

/// Who there is, and whether anybody may approve; GitHub knows its own people.
pub(super) async fn people(repository: &settings::Repository, findings: &mut Findings) {
    let settings::Forge::Local(local) = &repository.forge else { return };
    let subject = format!("people of {}", repository.name);
    match People::file(local.people.clone()).current().await {
        Err(error) => findings.bad(
            subject,
            error.to_string(),
            "write the file: { \"people\": [ { \"id\": 2, \"name\": \"sam\", \"permission\": \"write\", \
             \"token_sha256\": \"…\" } ] }",
        ),
        Ok(file) => {
            let writers = file.people.iter().filter(|entry| entry.permission >= Permission::Write).count();
            let signing_in = file.people.iter().filter(|entry| entry.token_sha256.is_some()).count();
            let text =
                format!("{} people, {writers} may write, {signing_in} sign in by token", file.people.len());
            let is_by_token = local.sign_in == settings::SignIn::Token;
            if writers == 0 {
                findings.bad(subject, text, "give somebody the permission `write`: else nobody approves");
            } else if is_by_token && signing_in == 0 {
                findings.bad(subject, text, "add `token_sha256` for those who sign in");
            } else {
                findings.good(subject, text);
            }
        }
    }
}

/// The files with credentials for git.
pub(super) fn credentials(repository: &settings::Repository, findings: &mut Findings) {
    for (what, file) in [("token", &repository.token_file), ("ssh key", &repository.ssh_key_file)] {
        if let Some(file) = file {
            secret_file(&format!("{what} of {}", repository.name), file, findings);
        }
    }
}

/// Reads the tip, the file and the pins; the pipelines, where the file is valid.
pub(super) async fn look(
    settings: &Settings,
    repository: &settings::Repository,
    findings: &mut Findings,
) -> Option<Arc<Pipelines>> {
    let subject = format!("repository {}", repository.name);
    let mirror = match open_mirror(settings, repository).await {
        Ok(mirror) => mirror,
        Err(error) => {
            let fix = match &error {
                AssembleError::Mirror { source, .. } => fix_of(source),
                AssembleError::Location { .. } => {
                    "set `location` to a path, or an https:// or ssh:// address"
                }
                AssembleError::Store { .. } | AssembleError::Folder { .. } | AssembleError::Forge { .. } => {
                    "make the folder of the store writable for this user"
                }
            };
            findings.bad(subject, error.to_string(), fix);
            return None;
        }
    };
    let tip = match mirror.tip(&repository.base).await {
        Ok(Some(tip)) => tip,
        Ok(None) => {
            let text = format!("has no branch {}", repository.base);
            findings.bad(subject, text, "set `base` to the branch that is deployed");
            return None;
        }
        Err(error) => {
            findings.bad(subject, error.to_string(), fix_of(&error));
            return None;
        }
    };
    findings.good(&subject, format!("branch {} is at {}", repository.base, tip.short()));
    clock(&mirror, tip, findings).await;
    let pipelines = rules(&mirror, repository, tip, findings).await?;
    calendar(&mirror, repository, tip, &pipelines.pipelines, findings).await;
    for pipeline in &pipelines.pipelines {
        pins(&mirror, repository, tip, pipeline, findings).await;
    }
    Some(Arc::new(pipelines))
}

fn fix_of(error: &RepositoryError) -> &'static str {
    match error {
        RepositoryError::Denied { .. } => {
            "check the token or key, and that it may read and write the repository"
        }
        RepositoryError::NotFound { .. } => "check `location`, and that the token or key reaches it",
        RepositoryError::Mirror { .. } => "make the folder `mirrors` beside the store writable for this user",
        RepositoryError::Unavailable { .. }
        | RepositoryError::Moved { .. }
        | RepositoryError::Refused { .. }
        | RepositoryError::Edit { .. } => "check the address, the network and the git host",
    }
}

/// Commits from the future mean that our clock is behind: soak times and windows would be wrong.
async fn clock(mirror: &Mirror, tip: CommitId, findings: &mut Findings) {
    let Ok(commits) = mirror.first_parents(tip, 1).await else { return };
    let Some(commit) = commits.first() else { return };
    let ahead = commit.at.duration_since(Timestamp::now());
    if Duration::try_from(ahead).is_ok_and(|ahead| ahead > CLOCK_DIFFERENCE_MAX) {
        findings.notice(
            "clock",
            format!("the newest commit is from {}, which is yet to come", commit.at),
            "set the clock of this machine, and keep it by NTP",
        );
    }
}

/// The file at the tip, with every error in it.
async fn rules(
    mirror: &Mirror,
    repository: &settings::Repository,
    tip: CommitId,
    findings: &mut Findings,
) -> Option<Pipelines> {
    let subject = format!("{FILE_NAME} of {}", repository.name);
    let bytes = match mirror.read(tip, FILE_NAME).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let text = format!("is not on branch {}", repository.base);
            findings.bad(subject, text, "run `lockkeeper init` in a work tree, and commit what it writes");
            return None;
        }
        Err(error) => {
            findings.bad(subject, error.to_string(), fix_of(&error));
            return None;
        }
    };
    match parse(&bytes) {
        Ok(pipelines) => {
            let names: Vec<&str> =
                pipelines.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
            findings.good(subject, format!("is valid: {}", names.join(", ")));
            Some(pipelines)
        }
        Err(errors) => {
            for error in errors {
                findings.bad(&subject, error.to_string(), "correct the line on the base branch");
            }
            None
        }
    }
}

/// The calendar file that the rules name: whether it can be used, and whether what it names is there.
async fn calendar(
    mirror: &Mirror,
    repository: &settings::Repository,
    tip: CommitId,
    pipelines: &[Pipeline],
    findings: &mut Findings,
) {
    let Some(Calendar::File(file)) = pipelines.first().map(|pipeline| &pipeline.freezes) else { return };
    let subject = format!("calendar {file} of {}", repository.name);
    let broken = "correct it on the base branch: until then everything is frozen";
    let bytes = match mirror.read(tip, file).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return findings.bad(subject, format!("is not on branch {}", repository.base), broken);
        }
        Err(error) => return findings.bad(subject, error.to_string(), fix_of(&error)),
    };
    let freezes = match parse_calendar(&bytes) {
        Ok(freezes) => freezes,
        Err(errors) => {
            for error in errors {
                let text = format!("line {}, {}: {}", error.line, error.key, error.reason);
                findings.bad(&subject, text, broken);
            }
            return;
        }
    };
    let now = Timestamp::now();
    let to_come: Vec<_> = freezes.iter().filter(|freeze| freeze.until > now).collect();
    findings.good(&subject, format!("is valid: {} freeze(s) now or to come", to_come.len()));
    for text in to_come.iter().flat_map(|freeze| unknown_names(freeze, pipelines)) {
        findings.bad(&subject, text, "name what there is: it stops nothing there");
    }
}

/// What each stage pins.
async fn pins(
    mirror: &Mirror,
    repository: &settings::Repository,
    tip: CommitId,
    pipeline: &Pipeline,
    findings: &mut Findings,
) {
    let mut files = BTreeMap::new();
    for target in pipeline.stages.iter().flat_map(|stage| &stage.pins) {
        let bytes = mirror.read(tip, &target.file).await.map_err(|error| error.to_string());
        files.insert(target.file.clone(), bytes);
    }
    for stage in &pipeline.stages {
        pins_of(&repository.name, pipeline, stage, read_pins(pipeline, stage, &files), findings);
    }
}

fn pins_of(repository: &str, pipeline: &Pipeline, stage: &Stage, pins: Pins, findings: &mut Findings) {
    let subject = format!("pins of {repository}/{}/{}", pipeline.name, stage.name);
    match pins {
        Pins::Release(release) => {
            findings.good(subject, format!("{} ({})", release.version(), release.short()));
        }
        Pins::Unpinned(images) => {
            let names: Vec<String> = images.iter().map(|(name, _)| name.to_string()).collect();
            findings.notice(
                subject,
                format!("no digest yet: {}", names.join(", ")),
                "the first promotion pins it; rollback has no target before",
            );
        }
        Pins::Mixed(text) => findings.bad(subject, text, "give all pins of one image the same digest"),
        Pins::Unreadable(text) => {
            findings.bad(subject, text, "see `lockkeeper pins` for what can be read in the file");
        }
    }
}

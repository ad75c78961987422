//! What commands share: settings, store, world, and finding a pipeline by what people call it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::show::Paint;
use super::{CliError, Colors, Exit};
use crate::pipeline::nearest;
use crate::reconcile::{self, ReconcileError, World};
use crate::registry::oci::OciRegistry;
use crate::repository::RepositoryError;
use crate::server::assemble::{self, AssembleError, assemble};
use crate::server::run::Tally;
use crate::settings::{Log, LogFormat, Settings, SettingsError};
use crate::store::{Key, Store, StoreError};
use crate::telemetry;

/// Edits between a mistyped name and the one meant.
const TYPO_EDITS_MAX: usize = 2;

/// How this process was called.
#[derive(Debug)]
pub struct Context {
    config: Option<PathBuf>,
    colors: Colors,
}

impl Context {
    /// With this settings file and these colours.
    #[must_use]
    pub fn new(config: Option<PathBuf>, colors: Colors) -> Self {
        Self { config, colors }
    }

    pub(super) fn paint(&self) -> Paint {
        self.colors.paint()
    }

    /// The settings.
    pub(super) fn settings(&self) -> Result<Settings, CliError> {
        Settings::load(self.config.as_deref()).map_err(|error| of_settings(&error))
    }

    /// The registries by the settings, where there are some; `timeout`, in seconds, comes before theirs.
    pub(super) fn registry(&self, timeout: Option<u64>) -> Result<OciRegistry, CliError> {
        let mut settings =
            Settings::load_registry(self.config.as_deref()).map_err(|error| of_settings(&error))?;
        settings.timeout = timeout.map_or(settings.timeout, Duration::from_secs);
        Ok(assemble::registry(&settings))
    }

    /// The store of a server that has run before.
    pub(super) async fn store(&self, settings: &Settings) -> Result<Store, CliError> {
        let path = &settings.store.path;
        if !path.exists() {
            return Err(CliError::new(Exit::NotFound, format!("there is no store at {}", path.display()))
                .why("no server has run with these settings, or `store.path` names another file")
                .next("lockkeeper serve"));
        }
        Store::open(path).await.map_err(|error| of_store(&error))
    }

    /// Everything a plan needs; warnings go to standard error.
    pub(super) async fn world(&self, settings: &Settings) -> Result<World, CliError> {
        let log = Log { format: LogFormat::Text, filter: "warn".to_owned() };
        // Whoever logs already in this process goes on.
        let _ = telemetry::init(&log);
        let assembly = assemble(settings, Tally::new(settings)).await.map_err(|error| of_parts(&error))?;
        Ok(assembly.world)
    }
}

/// The pipeline that this word means: `checkout`, or `shop/checkout` where several repositories have one.
pub(super) fn find_key(known: &BTreeSet<Key>, word: &str) -> Result<Key, CliError> {
    let (repository, name) = match word.split_once('/') {
        Some((repository, name)) => (Some(repository), name),
        None => (None, word),
    };
    let is_meant = |key: &&Key| {
        let is_named = key.pipeline.as_ref().is_some_and(|pipeline| pipeline.as_str() == name);
        is_named && repository.is_none_or(|repository| key.repository == repository)
    };
    let found: Vec<&Key> = known.iter().filter(is_meant).collect();
    match found.as_slice() {
        [key] => Ok((*key).clone()),
        [] => Err(unknown(known, name)),
        [first, ..] => {
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(CliError::new(Exit::Usage, format!("several repositories have a pipeline {name}"))
                .why(names.join(", "))
                .next(format!("name the repository, too: {first}")))
        }
    }
}

fn unknown(known: &BTreeSet<Key>, name: &str) -> CliError {
    let names: Vec<&str> = known.iter().filter_map(|key| Some(key.pipeline.as_ref()?.as_str())).collect();
    let error = CliError::new(Exit::NotFound, format!("there is no pipeline {name:?}"));
    let error = match nearest(name, names.iter().copied(), TYPO_EDITS_MAX) {
        Some(meant) => return error.next(format!("perhaps {meant} is meant")),
        None => error,
    };
    if names.is_empty() {
        return error.why("no pipeline is known").next("lockkeeper doctor");
    }
    error.why(format!("there are {}", names.join(", ")))
}

/// The pipelines that the store works on, and those that the files declare.
pub(super) async fn pipelines(world: &World) -> Result<BTreeSet<Key>, CliError> {
    let mut found = BTreeSet::new();
    for name in world.repositories.keys() {
        let known = world.store.keys(name).await.map_err(|error| of_store(&error))?;
        found.extend(known.into_iter().filter(|key| key.pipeline.is_some()));
        match reconcile::declared(world, name).await {
            Ok(declared) => {
                let declared = declared.unwrap_or_default();
                found.extend(declared.into_iter().map(|pipeline| Key::pipeline(name, pipeline.name)));
            }
            Err(error) => tracing::warn!(repository = name, %error, "its file cannot be read now"),
        }
    }
    Ok(found)
}

/// What is wrong with the settings, for people.
pub(super) fn of_settings(error: &SettingsError) -> CliError {
    let next = match error {
        SettingsError::Missing { .. } | SettingsError::Unknown { .. } | SettingsError::Invalid { .. } => {
            "lockkeeper help settings   (prints every key with its meaning)"
        }
        SettingsError::File { .. } => "check the path, or give another with --config or LOCKKEEPER_CONFIG",
        SettingsError::Secret { .. } => "write the secret into that file, readable by this user alone",
    };
    CliError::new(Exit::Configuration, error.to_string()).next(next)
}

/// What is wrong with the store, for people.
pub(super) fn of_store(error: &StoreError) -> CliError {
    let exit = match error {
        StoreError::LeaseLost { .. } | StoreError::Unavailable { .. } => Exit::TryAgain,
        StoreError::Corrupt { .. } => Exit::Integrity,
        StoreError::Newer { .. } => Exit::Configuration,
    };
    CliError::new(exit, error.to_string()).next(next_of_store(error))
}

fn next_of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::LeaseLost { .. } | StoreError::Unavailable { .. } => "lockkeeper doctor",
        StoreError::Corrupt { .. } => {
            "restore the backup; without one, move the file, its -wal and its -shm away: a new one is rebuilt from git"
        }
        StoreError::Newer { .. } => "run the newer program, or restore the backup from before the upgrade",
    }
}

/// What keeps the parts from being put together, for people.
pub(super) fn of_parts(error: &AssembleError) -> CliError {
    let exit = match error {
        AssembleError::Store { source, .. } => {
            return CliError::new(of_store(source).exit, error.to_string()).next(next_of_store(source));
        }
        AssembleError::Folder { .. } | AssembleError::Location { .. } | AssembleError::Forge { .. } => {
            Exit::Configuration
        }
        AssembleError::Mirror { source, .. } => exit_of_repository(source),
    };
    CliError::new(exit, error.to_string()).next("lockkeeper doctor")
}

/// How a failure of git ends the program.
pub(super) fn exit_of_repository(error: &RepositoryError) -> Exit {
    match error {
        RepositoryError::Denied { .. } => Exit::Permission,
        RepositoryError::NotFound { .. } => Exit::NotFound,
        RepositoryError::Refused { .. } | RepositoryError::Edit { .. } => Exit::Refused,
        RepositoryError::Unavailable { .. }
        | RepositoryError::Moved { .. }
        | RepositoryError::Mirror { .. } => Exit::TryAgain,
    }
}

/// What keeps a plan from being made, for people.
pub(super) fn of_reconcile(error: &ReconcileError) -> CliError {
    let exit = match error {
        ReconcileError::Later(_) | ReconcileError::LeaseLost => Exit::TryAgain,
        ReconcileError::Illegal(_) => Exit::Integrity,
        ReconcileError::Store(error) => of_store(error).exit,
    };
    CliError::new(exit, error.to_string()).next("lockkeeper doctor")
}

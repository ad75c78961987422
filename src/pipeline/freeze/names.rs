//! The names that freezes use, held against the pipelines.

use std::collections::BTreeSet;

use super::Freeze;
use crate::pipeline::{Pipeline, PipelineName, StageName};

/// What a freeze names that nothing has, as sentences for people: it would stop nothing there, and nobody would notice.
///
/// A stage has to be one of the pipelines that are named beside it; that of an exception, one of its pipeline.
#[must_use]
pub fn unknown_names(freeze: &Freeze, pipelines: &[Pipeline]) -> Vec<String> {
    let mut found = BTreeSet::new();
    let name = &freeze.name;
    let named = freeze.pipelines.iter().chain(freeze.exceptions.iter().map(|exception| &exception.pipeline));
    let is_pipeline = |wanted: &PipelineName| pipelines.iter().any(|pipeline| pipeline.name == *wanted);
    found.extend(
        named
            .filter(|wanted| !is_pipeline(wanted))
            .map(|wanted| format!("freeze `{name}` names `{wanted}`, which is no pipeline")),
    );
    let no_stage = |stage: &StageName, of: &[PipelineName]| {
        let is_meant = |pipeline: &&Pipeline| of.is_empty() || of.contains(&pipeline.name);
        let has_it = |pipeline: &Pipeline| !pipeline.addressed(stage.as_str()).is_empty();
        let where_ = match of {
            [] => "any pipeline".to_owned(),
            of => of.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        (!pipelines.iter().filter(is_meant).any(has_it))
            .then(|| format!("freeze `{name}` names `{stage}`, which is no stage or group of {where_}"))
    };
    found.extend(freeze.stages.iter().filter_map(|stage| no_stage(stage, &freeze.pipelines)));
    found.extend(freeze.exceptions.iter().filter_map(|exception| {
        no_stage(exception.stage.as_ref()?, std::slice::from_ref(&exception.pipeline))
    }));
    found.into_iter().collect()
}

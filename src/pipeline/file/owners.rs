//! Each place that is pinned belongs to one stage of one pipeline.

use std::collections::BTreeMap;

use super::node::{Node, Report};
use super::stages::Written;
use crate::pipeline::{PinTarget, Pipeline, PipelineName, StageName};

/// Who pins what, over all pipelines of the file.
#[derive(Default)]
pub(super) struct Claims {
    /// By file: the claims on it.
    files: BTreeMap<String, Vec<Claim>>,
}

struct Claim {
    pipeline: PipelineName,
    stage: StageName,
    path: Option<String>,
    repositories: Vec<String>,
    line: usize,
}

impl Claims {
    /// Adds the pins of a pipeline, and refuses each that is taken: the same file for the same image, unless both
    /// name different places in it; or the very same place.
    pub(super) fn add(&mut self, pipeline: &Pipeline, written: &[Written<'_>], report: &mut Report) {
        let repositories: Vec<String> =
            pipeline.images.iter().map(|image| image.repository.canonical()).collect();
        for Written { stage, pins, .. } in written {
            for (target, node) in stage.pins.iter().zip(pins) {
                let claim = Claim {
                    pipeline: pipeline.name.clone(),
                    stage: stage.name.clone(),
                    path: target.path.clone(),
                    repositories: repositories.clone(),
                    line: node.line,
                };
                self.add_one(target, claim, node, report);
            }
        }
    }

    fn add_one(&mut self, target: &PinTarget, claim: Claim, node: &Node<'_>, report: &mut Report) {
        let known = self.files.entry(target.file.clone()).or_default();
        match known.iter().find(|known| known.overlaps(&claim)) {
            Some(taken) => report.add(node, claim.refusal(target, taken)),
            None => known.push(claim),
        }
    }
}

impl Claim {
    fn overlaps(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (Some(path), Some(other)) => path == other,
            _ => self.repositories.iter().any(|repository| other.repositories.contains(repository)),
        }
    }

    fn refusal(&self, target: &PinTarget, taken: &Self) -> String {
        let place = match &target.path {
            Some(path) => format!("`{}` at `{path}`", target.file),
            None => format!("`{}`", target.file),
        };
        let (pipeline, stage, line) = (&taken.pipeline, &taken.stage, taken.line);
        format!(
            "{place} belongs to stage `{stage}` of pipeline `{pipeline}` (line {line}) and cannot belong to stage `{}` \
             of pipeline `{}` as well; give each stage a file, or a place in the file, of its own",
            self.stage, self.pipeline
        )
    }
}

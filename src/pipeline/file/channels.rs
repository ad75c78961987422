//! The channels of the stages: tags that are ours to move.

use std::collections::BTreeMap;

use super::node::{Node, Report};
use super::stages::Written;
use crate::image::Tag;
use crate::pipeline::{Follow, Picked, Pipeline};

/// Which channel of which repository belongs to whom, over all pipelines of the file.
#[derive(Default)]
pub(super) struct Channels {
    taken: BTreeMap<(String, Tag), (String, usize)>,
}

/// The tag under this key of a stage.
pub(super) fn channel(stage: &Node<'_>, key: &str, report: &mut Report) -> Option<Tag> {
    let node = stage.get(key)?;
    let tag: Tag = node.parsed("a tag", str::parse, report)?;
    if tag.is_of_digest() {
        report.add(
            &node,
            format!("wanted a tag of your own, found `{tag}`, of the form of anchors or signatures"),
        );
        return None;
    }
    Some(tag)
}

impl Channels {
    /// Adds the channels of a pipeline, and refuses each that another stage has for one of the images, or that a rule of
    /// the pipeline would follow: what we set there would be promoted again.
    pub(super) fn add(&mut self, pipeline: &Pipeline, written: &[Written<'_>], report: &mut Report) {
        for Written { stage, node, .. } in written {
            let of_stage = [("channel", &stage.channel), ("rollback_channel", &stage.rollback_channel)];
            for (key, tag) in of_stage {
                let Some((tag, node)) = tag.as_ref().zip(node.get(key)) else { continue };
                for rule in &pipeline.images {
                    if follows(&rule.follow, tag) {
                        let name = &rule.repository;
                        report.add(&node, format!("`{tag}` is a tag that `follow` of {name} picks; wanted one that it leaves out (`allow`, `ignore`)"));
                    }
                    let place = format!("stage `{}` of pipeline `{}`", stage.name, pipeline.name);
                    let name = (rule.repository.canonical(), tag.clone());
                    if let Some((owner, line)) = self.taken.get(&name) {
                        report.add(
                            &node,
                            format!(
                                "`{tag}` of {} belongs to {owner} (line {line}) already",
                                rule.repository
                            ),
                        );
                    } else {
                        self.taken.insert(name, (place, node.line));
                    }
                }
            }
        }
    }
}

/// Whether the rule picks this tag where there is no other.
fn follows(follow: &Follow, tag: &Tag) -> bool {
    !matches!(follow.pick(std::slice::from_ref(tag)), Picked::Nothing)
}

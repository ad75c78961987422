//! Effects as sentences.

use super::sentence::{event, standing_word, version};
use super::show::plain;
use crate::plan::Effect;

/// Says what would be done, one line for each thing.
pub(super) fn effect(done: &Effect) -> Vec<String> {
    let line = match done {
        Effect::Record(entries) => {
            return entries
                .iter()
                .map(|entry| {
                    let told = event(&entry.event);
                    let stage = told.stage.map_or_else(String::new, |stage| format!("{stage}: "));
                    format!("record: {stage}{}", told.text)
                })
                .collect();
        }
        Effect::Open(open) => format!("open a pull request: {}", open.title),
        Effect::Edit { number, .. } => format!("bring the text of pull request {number} up to date"),
        Effect::Check { head, check } => {
            format!("report the check on {}: {:?}, {}", head.short(), check.status, check.summary)
        }
        Effect::Comment { thread: 0, .. } => "comment on the operations issue".to_owned(),
        Effect::Comment { thread, .. } => format!("comment on {thread}"),
        Effect::React { comment, .. } => format!("react to comment {comment}"),
        Effect::Close(close) => {
            format!("close pull request {} of {}: {}", close.number, close.stage, close.comment)
        }
        Effect::Merge(merge) => {
            format!("merge pull request {}: {} gets {}", merge.number, merge.stage, version(&merge.release))
        }
        Effect::Issue { title, .. } => format!("open the operations issue: {title}"),
        Effect::Tag(tag) => format!("let {}:{} name {}", tag.repository, tag.tag, tag.digest.short()),
        Effect::Untag { repository, digest } => {
            format!("remove {repository}:{}", crate::image::Tag::anchor(*digest))
        }
        Effect::Deploy { deployment, .. } => {
            let (commit, word) = (deployment.commit.short(), standing_word(deployment.standing));
            format!("show {commit} as {word} in {}", deployment.environment)
        }
    };
    vec![plain(&line)]
}

/// The kind of an effect, for JSON.
pub(super) fn effect_kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Record(_) => "record",
        Effect::Open(_) => "open",
        Effect::Edit { .. } => "edit",
        Effect::Check { .. } => "check",
        Effect::Comment { .. } => "comment",
        Effect::React { .. } => "react",
        Effect::Close(_) => "close",
        Effect::Merge(_) => "merge",
        Effect::Issue { .. } => "issue",
        Effect::Deploy { .. } => "deploy",
        Effect::Tag(_) => "tag",
        Effect::Untag { .. } => "untag",
    }
}

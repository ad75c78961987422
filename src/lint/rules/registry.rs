//! Rules that need to know what a registry has: is the digest there, does the tag name it, is it one platform's.

use crate::image::{Digest, Repository};
use crate::lint::Unknown;
use crate::lint::facts::{Answer, Facts, Held, Question, Trouble};
use crate::lint::mention::{LATEST, Mention, Source};
use crate::lint::stages::At;
use crate::lint::survey::Survey;
use crate::pipeline::{LintRule, Severity};

use super::{Found, Rules, advice, short};

/// What a pinned mention gives to ask.
struct Asked<'m> {
    image: &'m Repository,
    digest: Digest,
}

fn asked(mention: &Mention) -> Option<Asked<'_>> {
    let is_pin = matches!(mention.source, Source::Manifest(_));
    Some(Asked { image: mention.image.as_ref().filter(|_| is_pin)?, digest: mention.digest? })
}

fn named<'f>(mention: &Mention, facts: &'f Facts) -> Option<&'f Answer> {
    facts.named(mention.image.as_ref()?, mention.tag.as_ref()?)
}

/// The next question about a pin: what its tag names, and where that is not the digest, whether the digest is there.
pub(super) fn question(mention: &Mention, facts: &Facts) -> Option<Question> {
    let Asked { image, digest } = asked(mention)?;
    let held = Question::Held(image.clone(), digest);
    let Some(tag) = mention.tag.clone() else { return Some(held) };
    match named(mention, facts) {
        None => Some(Question::Named(image.clone(), tag)),
        Some(Ok(named)) if names(named, digest) => None,
        Some(Ok(_) | Err(Trouble::Missing)) => Some(held),
        Some(Err(Trouble::Unknown(_))) => None,
    }
}

/// Whether what a tag names is this digest, or has it as that of a platform: it is there then.
fn names(held: &Held, digest: Digest) -> bool {
    held.digest == digest || held.platforms.iter().any(|(_, platform)| *platform == digest)
}

/// Judges a pin by what the registry said.
pub(super) fn mention(rules: &mut Rules<'_>, survey: &Survey, mention: &Mention, at: &[At<'_>]) {
    let Some(Asked { image, digest }) = asked(mention) else { return };
    let own: Vec<At<'_>> = at.iter().copied().filter(|at| at.promotes(image)).collect();
    match named(mention, rules.facts) {
        Some(Ok(held)) if held.digest == digest => return,
        Some(Ok(held)) => {
            let of = held.platforms.iter().find(|(_, platform)| *platform == digest);
            if let Some((platform, _)) = of {
                let message = format!(
                    "`{}` is the manifest of {platform} alone; the tag names the index {}",
                    short(mention),
                    held.digest.short()
                );
                return add(rules, LintRule::PlatformDigest, survey, mention, (message, at));
            }
            let message = format!("`{}`: its tag names {} now", short(mention), held.digest.short());
            moved(rules, survey, mention, message, &own);
        }
        Some(Err(Trouble::Missing)) => {
            let message = format!("`{}`: the registry has no such tag any more", short(mention));
            moved(rules, survey, mention, message, &own);
        }
        Some(Err(Trouble::Unknown(reason))) => return unknown(rules, survey, mention, reason.clone()),
        None => {}
    }
    match rules.facts.held(image, digest) {
        Some(Err(Trouble::Missing)) => {
            let message = format!("`{}`: the registry does not have this digest", short(mention));
            add(rules, LintRule::DigestNotFound, survey, mention, (message, at));
        }
        Some(Err(Trouble::Unknown(reason))) => unknown(rules, survey, mention, reason.clone()),
        Some(Ok(held)) if held.platforms.is_empty() && wants_index(&own, image) => {
            let message = format!(
                "`{}` is the manifest of one platform; lockkeeper.yaml wants several",
                short(mention)
            );
            add(rules, LintRule::PlatformDigest, survey, mention, (message, at));
        }
        Some(Ok(_)) | None => {}
    }
}

/// Whether some pipeline wants more than one platform of the image.
fn wants_index(own: &[At<'_>], image: &Repository) -> bool {
    let images = own.iter().flat_map(|at| &at.pipeline.images);
    images.into_iter().any(|rule| rule.repository.is_same(image) && rule.platforms.len() > 1)
}

/// A tag that moved on; `latest`, and one that a pipeline follows because it moves, do what they are for. Of images that
/// others build, tags move without anybody here: those are judged as in a file of no stage.
fn moved(rules: &mut Rules<'_>, survey: &Survey, mention: &Mention, message: String, own: &[At<'_>]) {
    let is_latest = mention.tag.as_ref().is_some_and(|tag| tag.as_str() == LATEST);
    let follows = |image: &Repository| own.iter().any(|at| at.follows_moving_tag(image));
    if is_latest || mention.image.as_ref().is_some_and(follows) {
        return;
    }
    add(rules, LintRule::TagMoved, survey, mention, (message, own));
}

fn add(
    rules: &mut Rules<'_>,
    rule: LintRule,
    survey: &Survey,
    mention: &Mention,
    (message, at): (String, &[At<'_>]),
) {
    let next = advice(rule);
    let (file, region) = (survey.file.as_str(), mention.region);
    rules.add(Found { rule, file, region, mention: Some(mention), message, next }, at, Severity::Error);
}

fn unknown(rules: &mut Rules<'_>, survey: &Survey, mention: &Mention, reason: String) {
    rules.report.unknown.push(Unknown {
        file: survey.file.clone(),
        region: mention.region,
        reference: short(mention),
        reason,
    });
}

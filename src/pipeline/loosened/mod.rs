//! Which gates a change of `lockkeeper.yaml` loosens: such a change is shown on open promotions and voids their
//! approvals.

use super::{
    Approvals, ChangeClass, Follow, ImageRule, Join, MergePolicy, OutOfBand, Pipeline, Prereleases,
    Principal, RoleName, Rule, SigningKey, Stage, StageName, duration_text, is_wider,
};
use crate::image::Platform;
use crate::signature::Keyless;

/// What an empty list of approvers means, and (beside the owner) an empty list of those who may roll back.
const BY_DEFAULT: [Principal; 1] = [Principal::Role(RoleName::Write)];

/// Names each gate of a stage that `after` has looser than `before`, as fragments for people; empty if none is.
///
/// A team or user that is added counts as looser, even beside `role:write`: whether its members have that permission
/// is not known here. Images are a matter of the pipeline: [`loosened_images`].
#[must_use]
pub fn loosened(before: &Stage, after: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    if after.gates.soak < before.gates.soak {
        let (before, after) = (duration_text(before.gates.soak), duration_text(after.gates.soak));
        found.push(format!("soak shortened from {before} to {after}"));
    }
    if before.gates.healthy && !after.gates.healthy {
        found.push("health upstream no longer needed".to_owned());
    }
    if before.gates.provenance && !after.gates.provenance {
        found.push("source and commit of images need not be known any more".to_owned());
    }
    if before.gates.policy.is_some() && after.gates.policy.is_none() {
        found.push("errors of lint in the files no longer stop it".to_owned());
    }
    if before.gates.rollback_ready && !after.gates.rollback_ready {
        found.push("the way back need not be ready any more".to_owned());
    }
    found.extend(loosened_upstream(before, after));
    if before.merge == MergePolicy::Approved && after.merge == MergePolicy::Automatic {
        found.push("merge changed from approved to automatic".to_owned());
    }
    match (&before.gates.approvals, &after.gates.approvals) {
        (Some(before), Some(after)) => found.extend(loosened_approvals(before, after)),
        (Some(_), None) => found.push("approvals no longer needed".to_owned()),
        (None, _) => {}
    }
    found.extend(loosened_checks(before, after));
    found.extend(loosened_watch(before, after));
    if is_wider(&before.gates.windows, &after.gates.windows) {
        let windows = |stage: &Stage| {
            stage.gates.windows.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let to = if after.gates.windows.is_empty() { "any time".to_owned() } else { windows(after) };
        found.push(format!("window widened from {} to {to}", windows(before)));
    }
    if before.out_of_band == OutOfBand::Refused && after.out_of_band == OutOfBand::Allowed {
        found.push("changes out of band allowed".to_owned());
    }
    let count = |stage: &Stage| stage.rollback_approvals.as_ref().map_or(0, |rule| rule.min);
    if count(after) < count(before) {
        found.push(format!("approvals of a rollback lowered from {} to {}", count(before), count(after)));
    }
    let added = added(&before.rollback_by, &after.rollback_by);
    found.extend(added.into_iter().map(|principal| format!("`{principal}` may now roll back")));
    let added = after.hotfix_by.iter().filter(|principal| !before.hotfix_by.contains(principal));
    found.extend(added.map(|principal| format!("`{principal}` may now ship a hotfix")));
    found
}

fn loosened_upstream(before: &Stage, after: &Stage) -> Vec<String> {
    let missing = |one: &Stage, other: &Stage| -> Vec<StageName> {
        one.after.iter().filter(|upstream| !other.after.contains(upstream)).cloned().collect()
    };
    let list =
        |stage: &Stage| stage.after.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let (lost, new) = (missing(before, after), missing(after, before));
    match (before.join, after.join) {
        (Join::All, Join::All) => {
            lost.iter().map(|upstream| format!("no longer comes after stage `{upstream}`")).collect()
        }
        (Join::All, Join::Any) if before.after.is_empty() => Vec::new(),
        (Join::All, Join::Any) => {
            vec![format!("now comes after any of {}, no longer after all of {}", list(after), list(before))]
        }
        (Join::Any, Join::Any) => {
            new.iter().map(|upstream| format!("stage `{upstream}` alone is enough")).collect()
        }
        // Each that is left was one of those before, or there is none any more.
        (Join::Any, Join::All) if after.after.iter().any(|upstream| before.after.contains(upstream)) => {
            Vec::new()
        }
        (Join::Any, Join::All) => vec![format!("no longer comes after any of {}", list(before))],
    }
}

/// Names what says less of what is live in an upstream stage than it did, and of how it does there.
#[must_use]
pub fn loosened_live(before: &Stage, after: &Stage) -> Vec<String> {
    let (was, is, name) = (&before.live, &after.live, &after.name);
    let watch = loosened_watch(before, after).into_iter().map(|what| format!("`{name}`: {what}"));
    let mut found: Vec<String> = watch.collect();
    if was.is_observed() && was.source != is.source {
        found.push(format!("what is live in `{name}` is said by {}, no more by {}", is.source, was.source));
    } else if was.is_observed() && is.counts_for > was.counts_for {
        let (was, is) = (duration_text(was.counts_for), duration_text(is.counts_for));
        found.push(format!("an observation of `{name}` counts for {is}, not for {was}"));
    }
    found
}

/// Names what an image no longer must have before it counts, as fragments for people: a platform, an age, a tag that the
/// filters let in, a digest that stays, a key that may sign it now.
///
/// A key counts by itself, not by its name: another one under the same name may sign now, the same one under another
/// name always could.
///
/// An image that is new or gone is another pipeline's business: its releases are not those that were approved. Whether a
/// range or format is wider than another is not asked: which releases come next is no gate of the one approved.
#[must_use]
pub fn loosened_images(before: &Pipeline, after: &Pipeline) -> Vec<String> {
    let same =
        |image: &ImageRule| after.images.iter().find(|other| other.repository.is_same(&image.repository));
    let pairs = before.images.iter().filter_map(|image| Some((image, same(image)?)));
    pairs.flat_map(|(before, after)| loosened_image(before, after)).collect()
}

fn loosened_image(before: &ImageRule, after: &ImageRule) -> Vec<String> {
    let name = &before.repository;
    // A platform without a variant is served by any.
    let covers = |other: &Platform, platform: &Platform| {
        other.serves(platform) && (other.variant.is_some() || platform.variant.is_none())
    };
    let gone = before
        .platforms
        .iter()
        .filter(|platform| !after.platforms.iter().any(|other| covers(other, platform)));
    let mut found: Vec<String> =
        gone.map(|platform| format!("platform {platform} of `{name}` no longer needed")).collect();
    if after.minimum_age < before.minimum_age {
        let (before, after) = (duration_text(before.minimum_age), duration_text(after.minimum_age));
        found.push(format!("minimum age of `{name}` shortened from {before} to {after}"));
    }
    if let Some(source) = before.source.as_ref().filter(|source| after.source.as_ref() != Some(*source)) {
        found.push(format!("`{name}` need not come from {source} any more"));
    }
    let (old, new) = (&before.follow, &after.follow);
    for (key, old, new) in
        [("allow", &old.filter.allow, &new.filter.allow), ("ignore", &old.filter.ignore, &new.filter.ignore)]
    {
        match (old, new) {
            (Some(_), None) => found.push(format!("`{key}` of `{name}` removed")),
            (Some(old), Some(new)) if old != new => {
                found.push(format!(
                    "`{key}` of `{name}` changed from `{}` to `{}`",
                    old.as_str(),
                    new.as_str()
                ));
            }
            (Some(_) | None, _) => {}
        }
    }
    if prereleases(new) == Prereleases::All && prereleases(old) == Prereleases::Named {
        found.push(format!("pre-releases of `{name}` now count"));
    }
    if new.moves() && !old.moves() {
        found.push(format!("tags of `{name}` may now move"));
    }
    found.extend(loosened_signatures(before, after));
    found
}

fn prereleases(follow: &Follow) -> Prereleases {
    if let Rule::Semver(range) = &follow.rule { range.prereleases() } else { Prereleases::Named }
}

fn loosened_signatures(before: &ImageRule, after: &ImageRule) -> Vec<String> {
    if before.signed_by.is_empty() {
        return Vec::new();
    }
    if after.signed_by.is_empty() {
        return vec![format!("signature of `{}` no longer needed", before.repository)];
    }
    let is_known = |signer: &&SigningKey| before.signed_by.keys.iter().any(|known| known.key == signer.key);
    let new = after.signed_by.keys.iter().filter(|signer| !is_known(signer));
    let line = |signer: &SigningKey| {
        let (name, id) = (&signer.name, signer.key.id().short());
        format!("signatures of `{}` by key `{name}` ({id}) now count", before.repository)
    };
    let is_named = |signer: &&Keyless| before.signed_by.keyless.contains(signer);
    let named = after.signed_by.keyless.iter().filter(|signer| !is_named(signer)).map(|signer| {
        let (identity, issuer) = (signer.identity(), signer.issuer());
        format!("keyless signatures of `{}` by `{identity}` of {issuer} now count", before.repository)
    });
    new.map(line).chain(named).collect()
}

fn loosened_watch(before: &Stage, after: &Stage) -> Vec<String> {
    let Some(before) = &before.watch else { return Vec::new() };
    let Some(after) = &after.watch else { return vec!["no longer watched after a merge".to_owned()] };
    let mut found = Vec::new();
    if after.length < before.length {
        let (before, after) = (duration_text(before.length), duration_text(after.length));
        found.push(format!("watch shortened from {before} to {after}"));
    }
    if after.on_failure < before.on_failure {
        let (before, after) = (before.on_failure, after.on_failure);
        found.push(format!("what follows a watch that fails weakened from {before} to {after}"));
    }
    found
}

fn loosened_approvals(before: &Approvals, after: &Approvals) -> Vec<String> {
    let mut found = Vec::new();
    if after.min < before.min {
        found.push(format!("approvals lowered from {} to {}", before.min, after.min));
    }
    found.extend(ChangeClass::TOLD.into_iter().filter_map(|class| loosened_class(class, before, after)));
    let added = added(&before.from, &after.from);
    found.extend(added.into_iter().map(|principal| format!("approvals of `{principal}` now count")));
    if before.independent && !after.independent {
        found.push("approvals of the commits' authors now count".to_owned());
    }
    if !before.unknown_authors_allowed && after.unknown_authors_allowed && after.independent {
        found.push("unknown authors allowed".to_owned());
    }
    found
}

/// What a class needs less than before, where one of the two says so of this class. Of which class nothing tells needs no
/// word of its own: the most that are configured get fewer only where one of the numbers does.
fn loosened_class(class: ChangeClass, before: &Approvals, after: &Approvals) -> Option<String> {
    let is_named = before.by_class.contains_key(&class) || after.by_class.contains_key(&class);
    let (was, is) = (before.needed(class), after.needed(class));
    let text = || format!("approvals of a {} change lowered from {was} to {is}", class.word());
    (is_named && is < was).then(text)
}

fn loosened_checks(before: &Stage, after: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for check in before.gates.checks.iter().filter(|check| !after.gates.checks.contains(check)) {
        let is_in_another_form = after.gates.checks.iter().any(|other| other.name == check.name);
        match &check.app {
            // From any app to one certain app is stricter.
            None if is_in_another_form => {}
            Some(app) if is_in_another_form => {
                found.push(format!("check `{}` need not come from `{app}` any more", check.name));
            }
            Some(_) | None => found.push(format!("check `{}` no longer needed", check.name)),
        }
    }
    found
}

/// Who is in `after` and was not covered by `before`.
fn added<'a>(before: &'a [Principal], after: &'a [Principal]) -> Vec<&'a Principal> {
    let or_default = |list: &'a [Principal]| if list.is_empty() { &BY_DEFAULT } else { list };
    let before = or_default(before);
    let covered = |principal: &&Principal| {
        let is_admin_of_writers =
            **principal == Principal::Role(RoleName::Admin) && before.contains(&BY_DEFAULT[0]);
        before.contains(principal) || is_admin_of_writers
    };
    or_default(after).iter().filter(|principal| !covered(principal)).collect()
}

#[cfg(test)]
mod tests;

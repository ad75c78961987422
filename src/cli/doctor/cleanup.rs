//! Whether scripts that clean a registry up leave alone what has to stay.

use std::path::PathBuf;

use super::Findings;
use crate::bounded;
use crate::cli::keep_list::collect::{Kept, List, list};
use crate::image::{Digest, Repository, Tag};
use crate::lint::{Deletes, Filter, Part, Place, Purge, Target, purges};
use crate::server::assemble;
use crate::settings::Settings;
use crate::store::Store;

/// The largest script that is read.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;
/// Earlier releases that count as having to stay, as `keep-list` has them.
const EARLIER: usize = 5;
/// Most images that are named of those that a command would take.
const NAMED_MAX: usize = 5;

/// Judges each command of each script that untags or deletes images.
pub(super) async fn scripts(settings: &Settings, scripts: &[PathBuf], findings: &mut Findings) {
    let store = match Store::open(&settings.store.path).await {
        Ok(store) => store,
        Err(error) => {
            for script in scripts {
                let text = format!("was not judged, since the store cannot be opened: {error}");
                findings.bad(
                    format!("clean-up {}", script.display()),
                    text,
                    "mend what is said of the store",
                );
            }
            return;
        }
    };
    let mut kept = match list(settings, &store, EARLIER).await {
        Ok(kept) => kept,
        Err(error) => return findings.bad("clean-up", error.what, "lockkeeper keep-list"),
    };
    kept.read_parts(&assemble::registry(&settings.registry)).await;
    for gap in &kept.gaps {
        findings.notice(
            "clean-up",
            format!("what has to stay is not wholly known: {gap}"),
            "lockkeeper keep-list",
        );
    }
    for script in scripts {
        let subject = format!("clean-up {}", script.display());
        match bounded::read(script, SCRIPT_BYTES_MAX) {
            Err(error) => findings.bad(subject, error.to_string(), "name a script that can be read"),
            Ok(content) => {
                let found = purges(&String::from_utf8_lossy(&content));
                if found.is_empty() {
                    findings.good(&subject, "has no command that is known to untag or delete images");
                }
                for purge in &found {
                    judge(&subject, purge, &kept, findings);
                }
            }
        }
    }
}

fn judge(subject: &str, purge: &Purge, kept: &List, findings: &mut Findings) {
    let subject = format!("{subject}:{}", purge.line);
    match &purge.deletes {
        Deletes::Targets(targets) => {
            let taken: Vec<String> = targets.iter().flat_map(|target| of_target(kept, target)).collect();
            told(subject, purge, &taken, findings);
        }
        Deletes::AllUntagged => untagged(subject, &format!("`{}`", purge.text), findings),
        Deletes::Unclear => unclear(&subject, &format!("what `{}` deletes", purge.text), findings),
        Deletes::Matching { filters, tags, untagged: has_untagged, locked } => {
            let known: Vec<&Filter> = filters.iter().flatten().collect();
            let is_unclear = known.len() < filters.len();
            if is_unclear {
                unclear(&subject, &format!("an expression of `{}`", purge.text), findings);
            }
            let is_about = |name: &Repository| known.iter().any(|filter| filter.is_about(name));
            if *has_untagged && kept.images.keys().any(|(name, _)| is_unclear || is_about(name)) {
                untagged(subject.clone(), &format!("`{}`", purge.text), findings);
            }
            if *locked {
                let text = format!("`{}` takes locks off and deletes what they kept", purge.text);
                findings.notice(&subject, text, "leave out --include-locked");
            }
            let taken = taken(kept, None, |repository, tag| {
                *tags && known.iter().any(|filter| filter.takes(repository, tag))
            });
            // What the other expressions leave alone is no all-clear.
            if !is_unclear || !taken.is_empty() {
                told(subject, purge, &taken, findings);
            }
        }
    }
}

fn of_target(kept: &List, target: &Target) -> Vec<String> {
    match &target.part {
        Part::Digest(digest) => holding(kept, &target.place, *digest),
        Part::Tag(named) => {
            taken(kept, Some(named), |repository, tag| target.place.is(repository) && tag == named)
        }
        Part::All => taken(kept, None, |repository, _| target.place.is(repository)),
    }
}

fn unclear(subject: &str, what: &str, findings: &mut Findings) {
    findings.notice(
        subject,
        format!("{what} cannot be judged here"),
        "write out what it names; lockkeeper keep-list -o acr-purge (or -o regex) prints what leaves alone what has to stay",
    );
}

/// The images and channels that lose a tag, each with why it has to stay. An anchor counts where the command names it, or
/// nothing else holds its image.
fn taken(list: &List, named: Option<&Tag>, is_taken: impl Fn(&Repository, &Tag) -> bool) -> Vec<String> {
    let losing = |((repository, digest), kept): (&(Repository, Digest), &Kept)| {
        let anchor = Tag::anchor(*digest);
        let holds = |tag: &&Tag| !tag.is_anchor() || kept.tags.is_empty() || named == Some(*tag);
        let tag = kept.tags.iter().chain([&anchor]).filter(holds).find(|tag| is_taken(repository, tag))?;
        Some(format!("{repository}:{tag} ({})", why(kept)))
    };
    let images = list.images.iter().filter_map(losing);
    let channels =
        list.channels.iter().flat_map(|(repository, tags)| tags.iter().map(move |tag| (repository, tag)));
    let channels = channels.filter(|(repository, tag)| is_taken(repository, tag));
    images.chain(channels.map(|(repository, tag)| format!("{repository}:{tag} (a channel)"))).collect()
}

/// The images of which this digest is one, or a platform's part.
fn holding(list: &List, place: &Place, digest: Digest) -> Vec<String> {
    let is_it = |((repository, known), kept): &(&(Repository, Digest), &Kept)| {
        let is_part = kept.parts.iter().any(|(_, part)| *part == digest);
        (*known == digest || is_part) && place.is(repository)
    };
    let found = list.images.iter().filter(is_it);
    found.map(|((repository, _), kept)| format!("{repository}@{} ({})", digest.short(), why(kept))).collect()
}

fn why(kept: &Kept) -> &str {
    kept.whys.first().map_or("", String::as_str)
}

fn told(subject: String, purge: &Purge, taken: &[String], findings: &mut Findings) {
    if taken.is_empty() {
        return findings.good(subject, format!("`{}` takes no tag of what has to stay", purge.text));
    }
    let more = taken.len().checked_sub(NAMED_MAX).filter(|more| *more > 0).map(|more| format!("{more} more"));
    let named = taken.iter().take(NAMED_MAX).cloned().chain(more).collect::<Vec<_>>().join(", ");
    findings.bad(
        subject,
        format!("`{}` takes what has to stay: {named}", purge.text),
        "lockkeeper keep-list -o acr-purge (or -o regex) prints what leaves it alone",
    );
}

fn untagged(subject: String, what: &str, findings: &mut Findings) {
    findings.notice(
        subject,
        format!("{what} deletes manifests without a tag: what is pinned is one as soon as its tag moves"),
        "have lockkeeper set anchors (`retag_docker_config` of `[registry]`), or keep untagged manifests",
    );
}

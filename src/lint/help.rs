//! What each rule is about: what, why, and what to do.

use crate::pipeline::LintRule;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Help {
    /// One line.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub next: &'static str,
    /// Whether a registry has to be asked.
    pub asks_registry: bool,
}

/// What a rule is about.
#[must_use]
pub fn help(rule: LintRule) -> Help {
    let (title, why, next) = texts(rule);
    let asks_registry =
        matches!(rule, LintRule::PlatformDigest | LintRule::DigestNotFound | LintRule::TagMoved);
    Help { title, why, next, asks_registry }
}

fn texts(rule: LintRule) -> (&'static str, &'static str, &'static str) {
    match rule {
        LintRule::LatestTag => (
            "A manifest pulls `latest`, written or implied by no tag",
            "The tag moves with every push, so what runs is not what was reviewed, differs from node to node, and cannot be rolled back to.",
            "Name a version and pin its digest; `lockkeeper lint --fix` pins what the tag names now.",
        ),
        LintRule::MissingDigest => (
            "A reference in a stage's file has no digest",
            "A tag can be moved in the registry, so what was tested upstream need not be what this stage gets.",
            "Pin the digest: `lockkeeper lint --fix`, or `lockkeeper repin`.",
        ),
        LintRule::PlatformDigest => (
            "The digest of one platform is pinned where an index exists",
            "Nodes of another platform cannot run it; such pins come from tools that ask for the local platform.",
            "Pin the digest of the index, which `lockkeeper resolve` prints.",
        ),
        LintRule::DigestNotFound => (
            "The registry does not have the pinned digest",
            "A node that has no copy cannot start it: a new node, a restart or a rollback fails.",
            "Push the image again, restore it, or promote a release that is there; `lockkeeper keep-list` tells clean-ups what to keep.",
        ),
        LintRule::TagMoved => (
            "The tag beside the digest no longer names it",
            "People read the tag, machines use the digest: they mean different images now.",
            "Find out who moved the tag; to take what it names now is a promotion, which --fix never does.",
        ),
        LintRule::MixedDigests => (
            "One image has several digests in a stage or group",
            "Regions of one group run different code: a half promotion, or an edit that was forgotten.",
            "Promote the release to the stages that are behind, or roll the others back.",
        ),
        LintRule::LatestInCi => (
            "A CI file, Dockerfile, compose file or script pulls `latest`",
            "The same commit builds differently tomorrow, and whoever pushes that tag runs code in your pipeline.",
            "Name a version, best with its digest.",
        ),
        LintRule::UnreadPin => (
            "A file of a stage is missing, cannot be read, or has no pin of the pipeline",
            "What cannot be read is not checked, and the stage cannot be promoted.",
            "Correct the file, or `pins` of the stage in lockkeeper.yaml; `lockkeeper pins` shows what is read.",
        ),
        LintRule::ExpiredExemption => (
            "An exemption is past its date",
            "It exempts nothing any more, and its owner promised to be done by now.",
            "Mend what it was about and remove it, or have its owner renew the date.",
        ),
        LintRule::UnusedExemption => (
            "An exemption exempts nothing",
            "It would hide the next finding of its kind, which nobody has looked at.",
            "Remove it.",
        ),
    }
}

//! How many approvals a change needs.

use std::collections::BTreeMap;

use super::{IMAGES, release, snapshot};
use crate::image::{Digest, Image, LABEL_PREFIX, Pinned, Release};
use crate::pipeline::{Approvals, ChangeClass};
use crate::plan::Snapshot;
use crate::plan::quorum::quorum;

/// A number of its own for each class, so that each answer shows why; `min` is 1.
fn rule() -> Approvals {
    let by_class = BTreeMap::from([
        (ChangeClass::Major, 6),
        (ChangeClass::Minor, 5),
        (ChangeClass::Rebuild, 3),
        (ChangeClass::BaseOnly, 2),
    ]);
    Approvals { min: 1, by_class, from: Vec::new(), independent: false, unknown_authors_allowed: false }
}

/// What is needed from one release to another: `1.0.0=bytes` is a tag that stands for other bytes than its own.
fn check(world: &Snapshot, was: Option<&Release>, release: &Release, want: (u32, &str)) {
    let found = quorum(world, &rule(), was, release);
    let why = format!("{}: {} needed", want.1, want.0);
    assert_eq!((found.count, found.why), (want.0, Some(why)), "{was:?} → {release:?}");
}

/// Says that the registry was asked for these bytes, which have these labels.
fn read(world: &mut Snapshot, bytes: &str, labels: &[(&str, &str)]) {
    let digest = Digest::of(bytes.as_bytes());
    let labels = labels.iter().map(|(key, value)| (format!("{LABEL_PREFIX}{key}"), (*value).to_owned()));
    let image = Image {
        digest,
        media_type: String::new(),
        platforms: Vec::new(),
        labels: labels.collect(),
        created: None,
        parts: Vec::new(),
        missing: Vec::new(),
    };
    world.images.insert(digest, Ok(image));
}

#[test]
fn without_classes_the_number_needs_no_reason() {
    let world = snapshot(&IMAGES[..1], "semver: '*'");
    let rule = Approvals { min: 2, by_class: BTreeMap::new(), ..rule() };
    let found = quorum(&world, &rule, None, &release(&["1.0.0"]));
    assert_eq!((found.count, found.why), (2, None));
}

#[test]
fn each_class_has_its_number_and_others_the_least() {
    let world = snapshot(&IMAGES[..1], "semver: '*'");
    for (was, new, want) in [
        ("1.4.1", "2.0.0", (6, "major change")),
        ("1.4.1", "1.5.0", (5, "minor change")),
        ("1.4.1", "1.4.2", (1, "patch change")),
        ("1.4.2", "1.4.1", (6, "going back to an older version")),
        ("2.0.0", "1.9.0", (6, "going back to an older version")),
    ] {
        check(&world, Some(&release(&[was])), &release(&[new]), want);
    }
    let unknown = (6, "nothing tells how much changes");
    check(&world, None, &release(&["1.0.0"]), unknown);
    check(&world, Some(&release(&["1.0.0"])), &release(&["1.0.0"]), unknown);
    check(&world, Some(&release(&["1.0.0"])), &release(&["v1.0.0"]), unknown);
}

/// Labels say that it is the same built again: that counts only where they were read.
#[test]
fn less_than_a_patch_has_to_be_read() {
    let commit = ("revision", "4f0c7f1a0b0c");
    let (was, new) = (release(&["main=old"]), release(&["main=new"]));
    for (old_base, new_base, want) in [("a", "a", (3, "rebuild change")), ("a", "b", (2, "base-only change"))]
    {
        let mut world = snapshot(&IMAGES[..1], "tag: main");
        check(&world, Some(&was), &new, (6, "nothing tells how much changes"));
        read(&mut world, "old", &[commit, ("base.name", old_base)]);
        check(&world, Some(&was), &new, (6, "nothing tells how much changes"));
        read(&mut world, "new", &[commit, ("base.name", new_base)]);
        check(&world, Some(&was), &new, want);
    }
    // The same version under another tag: a rebuild, if no label says another thing.
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    let (was, new) = (release(&["1.0.0"]), release(&["v1.0.0"]));
    read(&mut world, "1.0.0", &[]);
    check(&world, Some(&was), &new, (6, "nothing tells how much changes"));
    read(&mut world, "v1.0.0", &[]);
    check(&world, Some(&was), &new, (3, "rebuild change"));
}

#[test]
fn a_label_or_a_number_that_goes_back_needs_most() {
    let mut world = snapshot(&IMAGES[..1], "tag: main");
    read(&mut world, "old", &[("version", "1.5.0")]);
    read(&mut world, "new", &[("version", "1.4.9")]);
    let (was, new) = (release(&["main=old"]), release(&["main=new"]));
    check(&world, Some(&was), &new, (6, "going back to an older version"));
    check(&world, Some(&new), &was, (5, "minor change"));
    let mut world = snapshot(&IMAGES[..1], "numeric: true");
    read(&mut world, "7", &[("revision", "4f0c7f1a0b0c")]);
    read(&mut world, "8", &[("revision", "4f0c7f1a0b0c")]);
    check(&world, Some(&release(&["7"])), &release(&["8"]), (3, "rebuild change"));
    check(&world, Some(&release(&["8"])), &release(&["7"]), (6, "going back to an older version"));
}

#[test]
fn of_several_images_the_largest_number_counts() {
    let world = snapshot(&IMAGES, "semver: '*'");
    let was = release(&["1.0.0", "1.0.0=api"]);
    for (web, api, want) in [
        ("1.0.1", "1.0.0=api", (1, "patch change of `web`")),
        ("1.0.1", "1.1.0", (5, "minor change of `api`")),
        ("2.0.0", "1.1.0", (6, "major change of `web`")),
        ("1.0.1", "0.9.0", (6, "going back to an older version of `api`")),
        ("1.0.1", "1.0.0=other", (6, "nothing tells how much changes of `api`")),
        ("1.0.0", "1.0.0=api", (6, "nothing tells how much changes")),
    ] {
        check(&world, Some(&was), &release(&[web, api]), want);
    }
}

#[test]
fn a_pin_without_a_tag_has_the_one_by_which_it_came() {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    let (was, new) = (release(&["1.4.1"]), release(&["1.5.0"]));
    let bare: Release =
        was.images().map(|(name, pinned)| (name.clone(), Pinned { tag: None, ..pinned.clone() })).collect();
    check(&world, Some(&bare), &new, (6, "nothing tells how much changes"));
    super::came(&mut world, 1, was);
    check(&world, Some(&bare), &new, (5, "minor change"));
}

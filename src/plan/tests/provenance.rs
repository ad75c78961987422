//! Whether it is known what images were built from.

use super::{IMAGES, release, snapshot};
use crate::image::{Digest, Image, LABEL_PREFIX};
use crate::plan::provenance::hold;
use crate::plan::{Snapshot, Unread};

const COMMIT: &str = "4f0c7f1a0b0c4f0c7f1a0b0c4f0c7f1a0b0c4f0c";

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

/// What is said of web 1.0.0 and api 1.0.0; nothing where all is known.
fn check(world: &Snapshot, want: &str) {
    let both = release(&["1.0.0", "1.0.0=api"]);
    let found = hold(world, &world.pipeline.stages[1], &both);
    let found = found.map_or_else(String::new, |hold| format!("{}: {}", hold.gate.name(), hold.text));
    let is_it = if want.is_empty() { found.is_empty() } else { found.contains(want) };
    assert!(is_it, "wanted {want}, found {found}");
}

#[test]
fn each_image_names_its_source_and_a_whole_commit() {
    let mut world = snapshot(&IMAGES, "semver: '*'");
    check(&world, "");
    world.pipeline.stages[1].gates.provenance = true;
    check(&world, "provenance: r.example/shop/web 1.0.0 was not read yet");
    let absent = Unread::Unknown("the registry is away".to_owned());
    world.images.insert(Digest::of(b"1.0.0"), Err(absent));
    check(&world, "r.example/shop/web 1.0.0 does not tell what it was built from: the registry is away");
    let source = ("source", "https://git.example/shop/web");
    read(&mut world, "api", &[source, ("revision", COMMIT)]);
    for (labels, want) in [
        (&[][..], "names neither its source (`org.opencontainers.image.source`) nor its commit"),
        (&[source], "does not name its commit (`org.opencontainers.image.revision`)"),
        (&[("revision", COMMIT)], "does not name its source (`org.opencontainers.image.source`)"),
        (&[("source", ""), ("revision", COMMIT)], "does not name its source"),
        (&[("source", "the shop"), ("revision", COMMIT)], "does not name its source"),
        (&[source, ("revision", "")], "does not name its commit"),
        (&[source, ("revision", "main")], "names `main` as its commit"),
        (&[source, ("revision", &COMMIT[..39])], "which is no whole id"),
        (&[source, ("revision", COMMIT)], ""),
        (&[source, ("revision", &COMMIT.repeat(2)[..64])], ""),
        (
            &[source, ("revision", &COMMIT.repeat(2)[..63])],
            "which is no whole id: build it with these labels",
        ),
    ] {
        read(&mut world, "1.0.0", labels);
        check(&world, want);
    }
    read(&mut world, "1.0.0", &[source, ("revision", COMMIT)]);
    for (wanted, want) in [
        ("https://git.example/shop/web", ""),
        ("https://git.example/shop/api", "names `https://git.example/shop/web` as its source"),
    ] {
        world.pipeline.images[0].source = Some(wanted.parse().unwrap());
        check(&world, want);
    }
    world.pipeline.images[0].source = None;
    read(&mut world, "api", &[source]);
    check(&world, "r.example/shop/api 1.0.0 does not name its commit");
}

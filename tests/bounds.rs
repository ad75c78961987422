//! What files and bodies that are made to harm meet: a bound, with a side on which all is well.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lockkeeper::command;
use lockkeeper::image::{Pinned, Reference, Repository};
use lockkeeper::manifest::{find, pins_of, repin};
use lockkeeper::pipeline;
use lockkeeper::server::webhooks::{distribution, generic};

fn app() -> Repository {
    "r.example/app".parse().unwrap()
}

fn to() -> Pinned {
    Pinned { tag: Some("v2".parse().unwrap()), digest: format!("sha256:{}", "2".repeat(64)).parse().unwrap() }
}

fn refused(text: &str) -> String {
    repin(text.as_bytes(), &app(), &to(), None).unwrap_err().reason
}

/// `levels` lists, each of nine times the one before: 9 to the power of `levels` words.
fn laughs(levels: usize) -> String {
    let mut text = "a0: &a0 lol\n".to_owned();
    for level in 1..=levels {
        let of = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(text, "a{level}: &a{level} [{of}]").unwrap();
    }
    text + "image: r.example/app:v1\n"
}

#[test]
fn a_billion_laughs_end_the_reading() {
    let few = laughs(3);
    assert_eq!(repin(few.as_bytes(), &app(), &to(), None).unwrap().len(), few.len() + 72);
    assert!(
        find(laughs(9).as_bytes(), &[]).unwrap_err().reason.contains("aliases make more than 2000000 nodes")
    );
    assert!(refused(&laughs(9)).contains("aliases make more than 2000000 nodes"));
    for levels in [3, 9] {
        let errors = pipeline::parse(laughs(levels).as_bytes()).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].reason.contains("an anchor"), "{errors:?}");
    }
}

#[test]
fn aliases_repeat_no_more_text_than_is_bounded() {
    let text = |uses: usize| {
        let uses = vec!["*text"; uses].join(", ");
        format!("text: &text {}\nuses: [{uses}]\nimage: r.example/app:v1\n", "x".repeat(1 << 20))
    };
    assert!(repin(text(10).as_bytes(), &app(), &to(), None).is_ok());
    assert!(refused(&text(1_000)).contains("aliases make more than 67108864 bytes of text"));
    // To list the pins takes no text but theirs.
    assert_eq!(find(text(1_000).as_bytes(), &[]).unwrap().pins.len(), 1);
}

#[test]
fn aliases_repeat_no_more_references_than_are_bounded() {
    let text = |uses: usize| {
        let pins = "{image: r.example/app:v1},".repeat(100);
        format!("pins: &pins [{pins}]\nuses: [{}]\n", "*pins,".repeat(uses))
    };
    assert_eq!(find(text(199).as_bytes(), &[]).unwrap().pins.len(), 20_000);
    assert!(find(text(200).as_bytes(), &[]).unwrap_err().reason.contains("more than 20000 references"));
    assert!(find(text(100_000).as_bytes(), &[]).unwrap_err().reason.contains("more than 20000 references"));
}

#[test]
fn a_bundle_of_5_mb_is_edited_exactly() {
    let object = |number: usize, image: &str| {
        let filler: String = (0..22)
            .map(|line| ["    note-", &line.to_string(), ": some words that stand here\n"].concat())
            .collect();
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d{number}\n  annotations:\n{filler}spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: {image} # {number}\n---\n"
        )
    };
    let old = format!("r.example/app:v1@sha256:{}", "1".repeat(64));
    let bundle = |image: &str| -> String {
        (0..5_000)
            .map(|number| object(number, if number % 50 == 7 { image } else { "r.example/other:v1" }))
            .collect()
    };
    let (before, new) = (bundle(&old), format!("r.example/app:{}", "v2@sha256:") + &"2".repeat(64));
    assert!(before.len() > 5_000_000, "{}", before.len());
    let found = find(before.as_bytes(), &[]).unwrap();
    assert_eq!((found.pins.len(), pins_of(&found, &app()).count()), (5_000, 100));
    assert!(repin(before.as_bytes(), &app(), &to(), None).unwrap() == bundle(&new).into_bytes());
}

#[test]
fn a_line_of_100_mb_is_refused_by_its_length() {
    let mut line = b"image: ".to_vec();
    line.resize(100_000_000, b'x');
    assert!(find(&line, &[]).unwrap_err().reason.contains("100000000 bytes"));
    assert!(repin(&line, &app(), &to(), None).unwrap_err().reason.contains("100000000 bytes"));
    assert!(pipeline::parse(&line).unwrap_err()[0].reason.contains("100000000"));
    let text = String::from_utf8(line).unwrap();
    let known = BTreeSet::new();
    assert_eq!(command::parse(&text, "lockkeeper", &known), Ok(vec![]), "nobody is addressed");
    let error = command::parse(&format!("{text}\n/hold"), "lockkeeper", &known).unwrap_err();
    assert!(error.to_string().contains("at most 65536 bytes"), "{error}");
    assert!(text.parse::<Reference>().unwrap_err().to_string().len() < 300);
    for error in
        [distribution::parse(text.as_bytes()).unwrap_err(), generic::parse(text.as_bytes()).unwrap_err()]
    {
        assert!(error.to_string().len() < 300, "{error}");
    }
}

//! The fuzz targets over their seeds and findings, on the stable toolchain. `fuzz/README.md` says how to search on.
//!
//! A seed is a file in `corpora/<target>` (or among the fixtures); a finding that was mended is a file in
//! `regressions/<target>`, named after what was wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Fixtures of other tests that are seeds, too.
const FIXTURES: [(&str, &str); 5] = [
    ("pins", "manifests"),
    ("repin", "manifests"),
    ("rules", "pipelines"),
    ("signatures", "signatures"),
    ("webhook_distribution", "webhooks/distribution"),
];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The files below a folder that is there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Passes all seeds and findings of a target through it, and names the file that fails.
fn check(name: &str) {
    let (_, target) = targets::ALL.into_iter().find(|(known, _)| *known == name).unwrap();
    let fixtures = FIXTURES
        .iter()
        .filter(|(known, _)| *known == name)
        .map(|(_, folder)| tests().join("fixtures").join(folder));
    let own = ["corpora", "regressions"].map(|kind| tests().join("fuzz").join(kind).join(name));
    let inputs: Vec<PathBuf> = fixtures.chain(own).flat_map(|folder| files(&folder)).collect();
    assert!(inputs.len() >= 3, "only {} seeds for {name}", inputs.len());
    for path in inputs {
        let bytes = fs::read(&path).unwrap();
        assert!(catch_unwind(|| target(&bytes)).is_ok(), "{} breaks {name}", path.display());
        // Also cut off in the midst, as a connection may be.
        let cut = &bytes[..bytes.len() / 2];
        assert!(catch_unwind(|| target(cut)).is_ok(), "the first half of {} breaks {name}", path.display());
    }
}

/// What opens something in one of the formats; 10,000 of them would fill the stack of a reader that recurses.
const OPENINGS: [&str; 16] = [
    "[",
    "{",
    "- ",
    "? ",
    "{a: ",
    "[{\"a\":",
    "{\"events\":[",
    "&a [",
    "!x {",
    "> ",
    "* ",
    "![",
    "(((",
    "**_",
    "<b>\n",
    "0004",
];
const LEVELS: usize = 10_000;

#[test]
fn deep_nesting_and_long_lines_overflow_nothing() {
    let deep = OPENINGS.iter().flat_map(|opening| {
        let nested = opening.repeat(LEVELS);
        [format!("image: r.example/app:1\n{nested}"), nested]
    });
    let long = ["x", "x ", "\"", "a: ", "/hold ", "\\", "%zz", "é", "\n"]
        .map(|piece| piece.repeat(200_000 / piece.len()));
    let schema = r#"{"schemaVersion":2,"config":"#;
    let answers = [
        format!("200\n\n\n>>>\n200\n\n{schema}{}", "[".repeat(LEVELS)),
        format!("200\n\n\n>>>\n200\n\n{}", "{\"tags\":".repeat(LEVELS)),
        format!("push\n{{\"commits\":{}", "[{\"a\":".repeat(LEVELS)),
        format!("harbor\n{{\"data\":{}", "[{\"a\":".repeat(LEVELS)),
        format!("eventgrid\n[{{\"data\":{}", "[{\"a\":".repeat(LEVELS)),
        format!("issue_comment form\npayload={}", "%7B%22comment%22%3A".repeat(LEVELS)),
    ];
    for input in deep.chain(long).chain(answers) {
        for (name, target) in targets::ALL {
            let shown: String = input.chars().take(30).collect();
            assert!(catch_unwind(|| target(input.as_bytes())).is_ok(), "{shown:?}… breaks {name}");
        }
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

tests! {
    comments credentials escape git_wire lint markdown pages pins references registry repin rules signatures trailers
    observations webhook_distribution webhook_generic webhook_github webhook_registries webhook_signature webhook_token
}

#[test]
fn every_target_is_tested_and_searched_and_has_no_folder_of_nobody() {
    let known: BTreeSet<String> = targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, TESTED.iter().map(|name| (*name).to_owned()).collect());
    let manifest = fs::read_to_string(tests().join("../fuzz/Cargo.toml")).unwrap();
    let searched = manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    assert_eq!(known, searched.filter(|name| *name != "lockkeeper-fuzz").map(str::to_owned).collect());
    for name in &known {
        let program = fs::read_to_string(tests().join(format!("../fuzz/fuzz_targets/{name}.rs"))).unwrap();
        let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| lockkeeper_fuzz::{name}(data));");
        assert_eq!(program.trim_end(), format!("#![no_main]\n\n{call}"), "nothing else, and nothing unsafe");
    }
    for kind in ["corpora", "regressions"] {
        // Without findings there is no folder of regressions.
        for entry in fs::read_dir(tests().join("fuzz").join(kind)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(known.contains(&name), "{kind}/{name} belongs to no target");
        }
    }
}

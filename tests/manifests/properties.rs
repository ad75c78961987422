//! What holds for every file and every pin. `PROPTEST_CASES` asks for more cases, `PROPTEST_RNG_SEED` for others.

use std::env;

use lockkeeper::image::Repository;
use lockkeeper::manifest::{find, pins_of, repin, repin_any};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde::Deserialize;
use serde_yaml::Value;

use super::generate::{file, tags};
use super::{digest, pinned};

/// The same cases in every run, unless others are asked for.
fn config(cases_usual: u32) -> ProptestConfig {
    let given = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    ProptestConfig {
        cases: given("PROPTEST_CASES").map_or(cases_usual, |cases| u32::try_from(cases).unwrap()),
        rng_seed: RngSeed::Fixed(given("PROPTEST_RNG_SEED").unwrap_or(3)),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// All documents, read by a parser that shares nothing with the one of the spans.
fn values(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap().trim_start_matches('\u{feff}');
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// The strings that differ between two values of the same structure, as they are afterwards; none where that differs.
fn changed(old: &Value, new: &Value) -> Option<Vec<String>> {
    let all = |pairs: Vec<(&Value, &Value)>| {
        let parts: Option<Vec<Vec<String>>> = pairs.into_iter().map(|(old, new)| changed(old, new)).collect();
        parts.map(|parts| parts.concat())
    };
    match (old, new) {
        (Value::Sequence(old), Value::Sequence(new)) if old.len() == new.len() => {
            all(old.iter().zip(new).collect())
        }
        (Value::Mapping(old), Value::Mapping(new)) if old.keys().eq(new.keys()) => {
            all(old.values().zip(new.values()).collect())
        }
        (Value::Tagged(old), Value::Tagged(new)) if old.tag == new.tag => changed(&old.value, &new.value),
        (old, new) if old == new => Some(Vec::new()),
        // A tag that was a number for the reader is a string now.
        (Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null, Value::String(new)) => {
            Some(vec![new.clone()])
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn only_the_pins_differ_and_the_way_back_is_exact(file in file(), (old, new) in (tags(), tags())) {
        let template = file.template();
        let (one, two) = (digest('1'), digest('2'));
        let before = template.fill(&old, &old, &one);
        let image: Repository = "r.example/app".parse().unwrap();
        let (from, to) = (pinned(&format!("{old}@{one}")), pinned(&format!("{new}@{two}")));
        if template.pins == 0 {
            prop_assert_eq!(repin_any(&before, &image, &to, None), Ok(None));
            return Ok(());
        }
        let got = repin(&before, &image, &to, None);
        let Ok(got) = got else {
            return Err(TestCaseError::fail(format!("{got:?}\n{}", String::from_utf8_lossy(&before))));
        };
        // Exactly these bytes; a tag that reads as a number gets quotes where it stands alone, at all places or none.
        let after = [&new, &format!("\"{new}\"")].map(|plain| template.fill(&new, plain, &two));
        prop_assert!(after.contains(&got), "{}\n{}", String::from_utf8_lossy(&before), String::from_utf8_lossy(&got));
        let is_text = |tag: &str| serde_yaml::from_str::<Value>(tag).unwrap().is_string();
        prop_assert!(is_text(&new) || got == after[1], "{new} is a number without quotes");
        // The independent reader: nothing else reads otherwise, and what does is the new tag or digest.
        let whole = format!("r.example/app:{new}@{two}");
        let in_one = format!("{new}@{two}");
        for (old, new_value) in values(&before).iter().zip(&values(&got)) {
            let changed = changed(old, new_value);
            prop_assert!(changed.is_some(), "the structure differs");
            for text in changed.unwrap() {
                prop_assert!([&new, &two, &whole, &in_one].contains(&&text), "{text}");
            }
        }
        // The way back: the first bytes, but for the quotes that a number has now.
        let back = repin(&got, &image, &from, None).unwrap();
        let first = [&old, &format!("\"{old}\"")].map(|plain| template.fill(&old, plain, &one));
        prop_assert!(first.contains(&back));
        prop_assert!(!is_text(&old) || got == after[1] || back == before || first[0] != first[1]);
        let again = repin(&back, &image, &to, None).unwrap();
        prop_assert_eq!(repin(&again, &image, &from, None).unwrap(), back);
        // And the list says so.
        let found = find(&got, &[]).unwrap();
        prop_assert!(pins_of(&found, &image).count() >= template.pins);
        prop_assert!(pins_of(&found, &image).all(|pin| pin.digest == Some(to.digest) && pin.tag == to.tag));
    }

    #[test]
    fn any_one_pin_can_be_moved_alone(file in file(), which in any::<prop::sample::Index>()) {
        let before = file.template().fill("v1", "v1", &digest('1'));
        let image: Repository = "r.example/app".parse().unwrap();
        let (from, to) = (pinned(&format!("v1@{}", digest('1'))), pinned(&format!("v2@{}", digest('2'))));
        let found = find(&before, &[]).unwrap();
        let pins: Vec<_> = pins_of(&found, &image).collect();
        if pins.is_empty() {
            return Ok(());
        }
        let pin = pins[which.index(pins.len())];
        // A value read at two places is refused; everything else moves, and nothing but it.
        match repin(&before, &image, &to, Some(&pin.path)) {
            Err(refusal) => prop_assert!(refusal.reason.starts_with("entangled"), "{}", refusal),
            Ok(after) => {
                let again = find(&after, &[]).unwrap();
                prop_assert_eq!(found.pins.len(), again.pins.len());
                for (one, other) in found.pins.iter().zip(&again.pins) {
                    let is_meant = one.path == pin.path && one.repository.is_same(&image);
                    let want = if is_meant { Some(to.digest) } else { one.digest };
                    prop_assert_eq!(other.digest, want);
                }
                prop_assert_eq!(repin(&after, &image, &from, Some(&pin.path)), Ok(before));
            }
        }
    }

    #[test]
    fn a_broken_neighbour_never_makes_a_wrong_edit(file in file(), cut in any::<prop::sample::Index>()) {
        let before = file.template().fill("v1", "v1", &digest('1'));
        let text = std::str::from_utf8(&before).unwrap();
        let at = (0..=cut.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let image: Repository = "r.example/app".parse().unwrap();
        let to = pinned(&format!("v2@{}", digest('2')));
        // Cut off anywhere: moved and back, or refused.
        if let Ok(Some(after)) = repin_any(&before[..at], &image, &to, None) {
            let from = pinned(&format!("v1@{}", digest('1')));
            let there = repin(&after, &image, &from, None).unwrap();
            prop_assert_eq!(repin(&there, &image, &to, None), Ok(after));
        }
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn nothing_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = find(&bytes, &["a.b[0]"]);
    }

    #[test]
    fn nothing_panics_on_what_looks_like_yaml(
        text in "(image|repository|tag|digest|images|newTag|: |:|\n|\n  |\n- |- |\\{|\\}|\\[|\\]|, |&a |\\*a|<<: |\"|'|\\||>-|#|---|\\.\\.\\.|!!str |!x |~|é|\t|\r|%YAML|r/app:1|@sha256:|lockkeeper: pin| # |\u{feff}|\\\\u0041){0,60}",
    ) {
        let image: Repository = "r/app".parse().unwrap();
        let _ = find(text.as_bytes(), &["image", "images[0].tag"]);
        if let Ok(Some(after)) = repin_any(text.as_bytes(), &image, &pinned(&format!("1.20@{}", digest('2'))), None) {
            prop_assert!(find(&after, &[]).is_ok());
        }
    }
}

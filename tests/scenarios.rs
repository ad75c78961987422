//! Scenarios: each file of `tests/scenarios` is a story with its expectations (the words are in its README.md).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use support::story::Story;

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "story"))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_ends_as_expected() {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut failed = Vec::new();
    let mut count = 0;
    for path in files().into_iter().filter(|path| path.to_string_lossy().contains(&only)) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        count += 1;
        if let Err(error) = Story::new().tell(&text).await {
            failed.push(format!("{name}: {error}"));
        } else {
            println!("scenario {name}");
        }
    }
    assert!(count > 0, "no scenario matches");
    assert!(failed.is_empty(), "{} of {count} scenarios failed:\n{}", failed.len(), failed.join("\n\n"));
}

/// Stopped right after its k-th write, for every k, and started again, the world ends as undisturbed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_after_any_write_changes_nothing() {
    for name in ["restart-straight", "restart-rollback"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scenarios/{name}.story"));
        let text = std::fs::read_to_string(path).unwrap();
        let mut undisturbed = Story::new();
        undisturbed.tell(&text).await.unwrap();
        let want = undisturbed.portrait().await.unwrap();
        let writes = undisturbed.writes();
        assert!(writes > 20, "{name} has only {writes} writes");
        for k in 1..=writes {
            let mut story = Story::new();
            story.stop_after(k);
            story
                .tell(&text)
                .await
                .unwrap_or_else(|error| panic!("{name}, stopped after write {k} of {writes}: {error}"));
            let found = story.portrait().await.unwrap();
            assert_eq!(found, want, "{name}, stopped after write {k} of {writes}");
        }
        println!("{name}: stopped after each of {writes} writes");
    }
}

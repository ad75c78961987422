//! Scenarios: each file of `tests/scenarios` is a story with its expectations (the words are in its README.md), told on
//! both forges.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use futures::stream::{self, StreamExt as _};
use support::faults::Fault;
use support::secrets::{self, Eyes};
use support::story::At;
use support::story::github::key;
use support::sweep::{self, Extent, Told};

/// Stories told at one time: two for each core of the smallest machine, as half of a story is waiting for git.
const AT_ONCE: usize = 4;

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

/// Each story ends as it says, on either forge; and a line of it that is disturbed, by a stop after a write or by a call of
/// a remote that fails, leaves the same world behind. `LOCKKEEPER_SWEEP`: a number chooses other moments, `stops` takes
/// every stop, `all` every one. `LOCKKEEPER_FORGE`: `local` or `github` alone. Nothing of it shows a secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_ends_as_expected_whatever_disturbs_it() {
    let eyes = Eyes::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(eyes.clone()).init();
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let extent = match std::env::var("LOCKKEEPER_SWEEP") {
        Ok(all) if all == "all" => Extent::All,
        Ok(stops) if stops == "stops" => Extent::Stops,
        Ok(seed) => Extent::Sample(seed.parse().expect("LOCKKEEPER_SWEEP is `all`, `stops` or a number")),
        Err(_) => Extent::Sample(0),
    };
    let mut files: Vec<PathBuf> =
        files().into_iter().filter(|path| path.to_string_lossy().contains(&only)).collect();
    // Stories with keys need what makes them.
    if support::parts::part("openssl").is_none() {
        files.retain(|path| !std::fs::read_to_string(path).unwrap().contains("KEY("));
    }
    let forges = forges();
    let files = || files.iter().cloned().enumerate();
    let all = forges.iter().flat_map(|at| files().map(|(index, file)| (*at, file, part(*at, extent, index))));
    let told = stream::iter(all.collect::<Vec<_>>())
        .map(|(at, path, extent)| tokio::spawn(tell(at, path, extent)))
        .buffer_unordered(AT_ONCE)
        .map(Result::unwrap)
        .collect::<Vec<_>>()
        .await;
    assert!(!told.is_empty(), "no scenario matches");
    let mut disturbed: BTreeMap<Fault, usize> = BTreeMap::new();
    for (fault, count) in told.iter().flat_map(|told| &told.disturbed) {
        *disturbed.entry(*fault).or_insert(0) += count;
    }
    println!(
        "{} scenarios, disturbed at {} moments: {disturbed:?}; {} left out",
        told.len(),
        disturbed.values().sum::<usize>(),
        told.iter().map(|told| told.left_out).sum::<usize>()
    );
    let failures: Vec<&str> = told.iter().flat_map(|told| &told.failures).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n\n"));
    no_secret_was_logged(&eyes);
}

/// Nor would one be overlooked.
fn no_secret_was_logged(eyes: &Eyes) {
    println!("{} lines of log", eyes.lines());
    assert!(eyes.lines() > 100, "hardly anything was logged");
    assert_eq!(eyes.leaks(), [""; 0]);
    tracing::debug!(token = secrets::token_of("li"), "planted");
    tracing::trace!("planted: {}", secrets::GIT_TOKEN);
    assert_eq!(eyes.leaks().len(), 2);
}

/// Both, but for what `LOCKKEEPER_FORGE` leaves out, and for GitHub where the key of its App cannot be made.
fn forges() -> Vec<At> {
    let mut forges = match std::env::var("LOCKKEEPER_FORGE").as_deref() {
        Ok("local") => vec![At::Local],
        Ok("github") => vec![At::GitHub],
        Ok(other) => panic!("LOCKKEEPER_FORGE is `local` or `github`, not {other}"),
        Err(_) => vec![At::Local, At::GitHub],
    };
    forges.retain(|at| *at != At::GitHub || key().is_some());
    forges
}

/// A sample at GitHub takes one story of so many, each with its own number: what is disturbed there costs three times as
/// much as on the local forge.
const GITHUB_PART: u64 = 12;

fn part(at: At, extent: Extent, index: usize) -> Extent {
    let Extent::Sample(seed) = extent else { return extent };
    let is_in = at == At::Local || (seed + index as u64).is_multiple_of(GITHUB_PART);
    if is_in { extent } else { Extent::Undisturbed }
}

async fn tell(at: At, path: PathBuf, extent: Extent) -> Told {
    let begun = Instant::now();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut told = sweep::tell(at, &name, &std::fs::read_to_string(&path).unwrap(), extent).await;
    for failure in &mut told.failures {
        *failure = format!("at {at:?}: {failure}");
        println!("FAILED {failure}");
    }
    println!(
        "scenario {name} at {at:?}: {} moments, {} failures, {:.1} s",
        told.disturbed.values().sum::<usize>(),
        told.failures.len(),
        begun.elapsed().as_secs_f32()
    );
    told
}

//! The kernel on a folder of public manifests: `LOCKKEEPER_CORPUS` names it.
//!
//! Every reference that is found is moved alone, moved on and moved back, and judged by means that share nothing with
//! the kernel: line by line as text, and value by value as `serde_yaml` reads the whole file. A crude finder looks for
//! what the kernel does not see. `LOCKKEEPER_CORPUS_LIST` names a file for everything that is not exact.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "corpus/crude.rs"]
mod crude;
#[path = "corpus/judge.rs"]
mod judge;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lockkeeper::lint::{Asks, Checkout, Facts, Kind, Named, Survey, Terms};
use lockkeeper::manifest::find;

use judge::Verdict;

/// The variable that names the corpus.
const CORPUS: &str = "LOCKKEEPER_CORPUS";
/// The variable that names the file for what is not exact.
const LIST: &str = "LOCKKEEPER_CORPUS_LIST";
/// Of the references that can hold a digest as they stand, at least so many in 1,000 are exact.
const EXACT_PER_THOUSAND_MIN: usize = 999;

/// What is counted, and one line for each of it that is not exact.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<String, usize>,
    list: String,
}

impl Tally {
    fn count(&mut self, class: &str) {
        *self.counts.entry(class.to_owned()).or_default() += 1;
    }

    fn note(&mut self, class: &str, line: &str) {
        self.count(class);
        writeln!(self.list, "{class}\t{line}").unwrap();
    }

    fn of(&self, begins: &str) -> usize {
        self.counts.iter().filter(|(class, _)| class.starts_with(begins)).map(|(_, count)| count).sum()
    }

    /// Prints the table and writes the list where one is wanted.
    fn close(&self, title: &str, ends: &str) {
        println!("\n| {title} | number |\n|---|---|");
        for (class, count) in &self.counts {
            println!("| {class} | {count} |");
        }
        if let Some(list) = std::env::var_os(LIST) {
            fs::write(PathBuf::from(list).with_extension(ends), &self.list).unwrap();
        }
    }
}

/// The corpus. Without one, says that the test is skipped and returns nothing.
fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(CORPUS).map(PathBuf::from) else {
        let thread = std::thread::current();
        // Written past the test harness, which would show the line of a failed test only.
        let test = thread.name().unwrap_or("a test");
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {CORPUS} names no folder");
        return None;
    };
    assert!(folder.is_dir(), "{CORPUS} names `{}`, which is no folder", folder.display());
    Some(folder)
}

/// All YAML files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let is_yaml = entry.path().extension().is_some_and(|end| end == "yaml" || end == "yml");
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else if is_yaml && entry.file_type().unwrap().is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

/// The name of a class without what differs from file to file.
fn class(reason: &str) -> String {
    let mut class = String::new();
    for (number, part) in reason.split('`').enumerate() {
        let is_name = number % 2 == 1 && (part.contains(['.', '/', ':', '[']) || part.len() > 20);
        class.push_str(if is_name { "…" } else { part });
    }
    class.chars().map(|char| if char.is_ascii_digit() { '#' } else { char }).take(110).collect()
}

fn is_template(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"{{")
}

#[test]
fn every_reference_of_the_corpus_is_exact_or_refused() {
    let Some(folder) = corpus() else { return };
    let (mut tally, mut read) = (Tally::default(), Tally::default());
    for path in files(&folder) {
        let bytes = fs::read(&path).unwrap();
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let found = match find(&bytes, &[]) {
            Ok(found) => found,
            Err(error) => {
                let kind = if is_template(&bytes) { "template" } else { "no YAML" };
                read.note(
                    &format!("file, {kind}: {}", class(&error.reason)),
                    &format!("{name}:{}", error.line),
                );
                continue;
            }
        };
        read.count("file, read");
        for place in &found.unreadable {
            let at = format!("{name}:{} {}", place.line, place.path);
            read.note(&format!("place: {}", class(&place.reason)), &format!("{at} {}", place.reason));
        }
        for pin in &found.pins {
            let at = format!("{name}:{} {} {}", pin.line, pin.path, pin.repository);
            match judge::judge(&bytes, &found, pin) {
                Verdict::Exact { class } => tally.count(&format!("exact, {class}")),
                Verdict::Refused(refusal) => {
                    tally.note(&format!("refused: {}", class(&refusal.reason)), &format!("{at} {refusal}"));
                }
                Verdict::Wrong(why) => tally.note(&format!("WRONG: {why}"), &at),
            }
        }
    }
    read.close("files and places", "read");
    tally.close("references", "pins");
    assert_eq!(tally.of("WRONG"), 0, "see the table");
    let not_pinnable: usize =
        judge::NOT_PINNABLE.iter().map(|reason| tally.of(&format!("refused: {reason}"))).sum();
    let (exact, refused) = (tally.of("exact"), tally.of("refused") - not_pinnable);
    println!(
        "\n{exact} exact, {refused} refused though pinnable, {not_pinnable} without a place for a digest"
    );
    assert!(exact * 1000 >= (exact + refused) * EXACT_PER_THOUSAND_MIN, "too much is refused");
}

#[test]
fn a_crude_finder_sees_nothing_more_in_the_corpus() {
    let Some(folder) = corpus() else { return };
    let mut tally = Tally::default();
    for path in files(&folder) {
        let bytes = fs::read(&path).unwrap();
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let (Ok(found), Ok(text)) = (find(&bytes, &[]), std::str::from_utf8(&bytes)) else { continue };
        if crude::documents(text).is_none() {
            tally.note("file that serde_yaml does not read: looked at by lines", &name);
            for (line, value) in crude::lines(text) {
                let is_found = found.pins.iter().any(|pin| pin.line == line)
                    || found.unreadable.iter().any(|place| place.line == line);
                let class = if is_found { "found by both, by lines" } else { "missed, by lines" };
                tally.note(class, &format!("{name}:{line} {value}"));
            }
        }
        for seen in crude::references(text) {
            let is_found = found.pins.iter().any(|pin| seen.is_in(&pin.path, pin.document))
                || found.unreadable.iter().any(|place| seen.is_below(&place.path));
            if is_found {
                tally.count("found by both");
            } else {
                let class = format!("missed, {}", seen.class());
                tally.note(&class, &format!("{name} {} {} {}", seen.document, seen.path, seen.value));
            }
        }
    }
    tally.close("crude finder", "recall");
    assert!(tally.of("found by both") > 0, "the folder holds no reference");
}

/// `lint` over all files at once: what it finds says `latest` or has no tag, and what says `:latest` where a crude
/// finder sees a reference is found, but where overlays give another tag.
#[test]
fn lint_finds_what_pulls_latest_in_the_corpus_and_nothing_else() {
    let Some(folder) = corpus() else { return };
    let mut tally = Tally::default();
    let begun = std::time::Instant::now();
    let surveys = files(&folder).into_iter().map(|path| {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let Named::Is(kind) = Kind::of_name(&name) else { panic!("{name} is not looked at") };
        Survey::of(&name, kind, &fs::read(&path).unwrap(), &[])
    });
    let checkout = Checkout { surveys: surveys.collect(), ..Checkout::default() };
    let terms = Terms { today: "2026-11-21".parse().unwrap(), asks: Asks::Nothing };
    let report = checkout.judge(terms, &Facts::default());
    println!("{} files in {:?}", checkout.surveys.len(), begun.elapsed());
    for finding in &report.findings {
        let text = fs::read_to_string(folder.join(&finding.file)).unwrap();
        let line = text.lines().nth(finding.region.line - 1).unwrap_or_default();
        let said = finding.message.split('`').nth(1).unwrap_or_default();
        let name = said.trim_end_matches(":latest").rsplit('/').next().unwrap_or_default();
        let is_there = line.contains("latest") || line.contains(name);
        let class = if is_there { "found, and it stands there" } else { "found where it does not stand" };
        tally.note(class, &format!("{}:{} {said} | {line}", finding.file, finding.region.line));
    }
    for survey in checkout.surveys.iter().filter(|survey| survey.kind == Kind::Manifest) {
        let Ok(text) = fs::read_to_string(folder.join(&survey.file)) else { continue };
        for seen in crude::references(&text).iter().filter(|seen| seen.value.ends_with(":latest")) {
            let mut latest = survey.mentions.iter().filter(|mention| mention.means_latest());
            let is_known = latest.any(|mention| {
                mention.place.as_ref().is_some_and(|(document, path)| seen.is_in(path, *document))
            });
            let class = if is_known {
                "crude, known as latest".to_owned()
            } else {
                format!("missed, {}", seen.class())
            };
            tally.note(&class, &format!("{} {} {}", survey.file, seen.path, seen.value));
        }
    }
    tally.close("lint", "lint");
    assert_eq!(tally.of("found where"), 0);
    assert!(tally.of("crude, known") > 0, "the folder holds no reference");
}

//! The kernels of `manifest`: find, repin with its proof, and the filter by bytes, beside the parsers alone and the limits of
//! the machine. The tables have ratios over a corpus, measured in turn in one run; criterion has statistics of single bundles.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark fails where it stands")]

mod support;

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use lockkeeper::image::{Pinned, Repository};
use lockkeeper::manifest;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use support::change::{self, Change};
use support::corpus::{self, File};
use support::measure::quick;
use support::table::{Table, figures, megabytes, millis};
use support::thread::{CpuTime, in_turn};

fn main() {
    let files = corpus::files();
    let changes = change::changes(&files);
    let jobs: Vec<Job<'_>> = changes.iter().filter_map(Job::new).collect();
    edits("all files with a reference", &jobs);
    let single: Vec<Job<'_>> = jobs.into_iter().filter(|job| documents(job.text).nth(1).is_none()).collect();
    edits("those of one document, where no filter helps", &single);
    scans(&files);
    let mut criterion = Criterion::default().with_measurement(CpuTime).configure_from_args();
    if quick() {
        criterion = criterion.sample_size(10).measurement_time(Duration::from_millis(200));
    }
    bundles(&mut criterion);
    criterion.final_summary();
}

/// A change, and what its repin has to parse.
struct Job<'c> {
    change: &'c Change<'c>,
    text: &'c str,
    /// The documents that name the repository: the edited one, and others that have to be looked into.
    named: Vec<&'c str>,
    /// The edited document.
    before: &'c str,
    after: String,
}

impl<'c> Job<'c> {
    fn new(change: &'c Change<'c>) -> Option<Self> {
        let text = std::str::from_utf8(&change.file.bytes).unwrap();
        let parts: Vec<&str> = change.pin.repository.stem().split('/').collect();
        let is_named = |document: &&str| parts.iter().all(|part| document.contains(part));
        let at = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
        let before = documents(text).filter(|document| at(document) <= change.pin.span.start).last()?;
        let after = splice(&change.file.bytes, change)?;
        let end = at(before) + before.len() + after.len() - text.len();
        let after = String::from_utf8(after.get(at(before)..end)?.to_vec()).unwrap();
        Some(Self { change, text, named: documents(text).filter(is_named).collect(), before, after })
    }
}

/// The documents of a file, by lines that begin with `---`.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let starts = memchr::memmem::find_iter(text.as_bytes(), "\n---").map(|at| at + 1);
    let starts: Vec<usize> = std::iter::once(0).chain(starts).chain([text.len()]).collect();
    let ranges: Vec<_> = starts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    ranges.into_iter().map(move |range| &text[range])
}

/// Reads all events, and keeps none.
fn parse(text: &str) {
    let options = granit_parser::options! { emit_comments: false };
    for event in granit_parser::Parser::new_from_str_with_options(text, options) {
        if black_box(event).is_err() {
            return;
        }
    }
}

/// Reads a document by the reader of the proof, every value, and keeps nothing.
fn read(text: &str) {
    let _ = black_box(Nothing.deserialize(serde_yaml::Deserializer::from_str(text)));
}

/// Finds the pin and puts the new reference in its place; no proof.
fn splice(bytes: &[u8], change: &Change<'_>) -> Option<Vec<u8>> {
    let found = manifest::find(bytes, &[]).ok()?;
    let is_it = |pin: &&manifest::Pin| pin.path == change.pin.path && pin.document == change.pin.document;
    let pin = found.pins.iter().find(is_it)?;
    let at = pin.span.start + memchr::memmem::find(&bytes[pin.span.clone()], change.old.as_bytes())?;
    Some([&bytes[..at], change.new.as_bytes(), &bytes[at + change.old.len()..]].concat())
}

fn repin(change: &Change<'_>) {
    let Change { file, pin, to, .. } = change;
    let _ = black_box(manifest::repin(&file.bytes, &pin.repository, to, Some(&pin.path)));
}

/// A kernel over all of these.
fn over<T>(items: &[T], kernel: impl Fn(&T)) -> impl FnMut() {
    move || {
        for item in items {
            kernel(item);
        }
    }
}

/// One reference changed in each file.
fn edits(which: &str, jobs: &[Job<'_>]) {
    let bytes: usize = jobs.iter().map(|job| job.text.len()).sum();
    let title =
        format!("One reference in each of {} files, {}: {which}", jobs.len(), megabytes(bytes as u64));
    let rounds = if quick() { 3 } else { 9 };
    let [copy, search, granit, find, spliced, named, serde, repinned] = in_turn(
        rounds,
        [
            &mut over(jobs, |job| drop(black_box(job.text.to_owned()))),
            &mut over(jobs, |job| {
                black_box(memchr::memmem::find(job.text.as_bytes(), b"no such word"));
            }),
            &mut over(jobs, |job| parse(job.text)),
            &mut over(jobs, |job| drop(black_box(manifest::find(job.text.as_bytes(), &[])))),
            &mut over(jobs, |job| drop(black_box(splice(job.text.as_bytes(), job.change)))),
            &mut over(jobs, |job| job.named.iter().for_each(|document| parse(document))),
            &mut over(jobs, |job| [job.before, &job.after].into_iter().for_each(read)),
            &mut over(jobs, |job| repin(job.change)),
        ],
    );
    let mut table = Table::new(&title, &["kernel", "CPU", "MB/s", "speed beside"]);
    let mut row = |name: &str, time: Duration, beside: Option<(&str, Duration)>| {
        let beside =
            beside.map(|(limit, of)| format!("{:.2} of {limit}", of.as_secs_f64() / time.as_secs_f64()));
        let speed = figures(bytes as f64 / 1e6 / time.as_secs_f64());
        table.row([name.to_owned(), millis(time), speed, beside.unwrap_or_default()]);
    };
    row("memory copy", copy, None);
    row("memmem", search, None);
    row("granit-parser alone", granit, None);
    row("find", find, Some(("the parser alone", granit)));
    row("find and splice", spliced, Some(("the parser alone", granit)));
    row("granit-parser alone, documents that name the repository", named, None);
    row("serde_yaml alone, the edited document before and after", serde, None);
    row("find, splice and prove", repinned, Some(("these three parses", named + serde)));
    table.print();
}

/// All files, most of which do not name the image.
fn scans(files: &[File]) {
    let bytes = corpus::bytes(files);
    let title = format!("All {} files, {}: {}", files.len(), megabytes(bytes as u64), corpus::source());
    let to = Pinned {
        tag: Some("9.9.9".parse().unwrap()),
        digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
    };
    let texts: Vec<&str> = files.iter().map(|file| std::str::from_utf8(&file.bytes).unwrap()).collect();
    let image = |name: &str| name.parse::<Repository>().unwrap();
    let (common, rare) = (image("nginx"), image("r.example/no/such"));
    let repin = |text: &str, image| drop(black_box(manifest::repin_any(text.as_bytes(), image, &to, None)));
    let [granit, find, common, rare] = in_turn(
        if quick() { 3 } else { 5 },
        [
            &mut over(&texts, |text| parse(text)),
            &mut over(&texts, |text| drop(black_box(manifest::find(text.as_bytes(), &[])))),
            &mut over(&texts, |text| repin(text, &common)),
            &mut over(&texts, |text| repin(text, &rare)),
        ],
    );
    let mut table = Table::new(&title, &["kernel", "CPU", "MB/s", "speed beside the parser alone"]);
    for (name, time) in [
        ("granit-parser alone", granit),
        ("find every reference", find),
        ("repin `nginx` wherever it is", common),
        ("repin an image that is nowhere", rare),
    ] {
        let speed = figures(bytes as f64 / 1e6 / time.as_secs_f64());
        let beside = format!("{:.2}×", granit.as_secs_f64() / time.as_secs_f64());
        table.row([name.to_owned(), millis(time), speed, beside]);
    }
    table.print();
}

/// One deployment with its service, and a bundle of a hundred, by criterion.
fn bundles(criterion: &mut Criterion<CpuTime>) {
    let image: Repository = "registry.test/acme/app-0".parse().unwrap();
    let to = Pinned {
        tag: Some("1.4.2".parse().unwrap()),
        digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
    };
    for deployments in [1, 100] {
        let text = corpus::bundle(deployments);
        let mut group = criterion.benchmark_group(format!("bundle of {deployments}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut kernel = |name: &str, work: &dyn Fn(&str)| {
            let id = BenchmarkId::from_parameter(name);
            group.bench_with_input(id, text.as_str(), |bencher, text| bencher.iter(|| work(text)));
        };
        kernel("memory copy", &|text| drop(black_box(text.to_owned())));
        kernel("memmem", &|text| {
            black_box(memchr::memmem::find(text.as_bytes(), b"nowhere"));
        });
        kernel("granit-parser alone", &parse);
        kernel("serde_yaml alone", &|text| documents(text).for_each(read));
        kernel("find", &|text| drop(black_box(manifest::find(text.as_bytes(), &[]).unwrap())));
        kernel("find, splice and prove", &|text| {
            drop(black_box(manifest::repin(text.as_bytes(), &image, &to, None).unwrap()));
        });
        group.finish();
    }
}

/// Reads any value and keeps nothing of it.
struct Nothing;

impl<'de> DeserializeSeed<'de> for Nothing {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Nothing)
    }
}

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any YAML value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        black_box(value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        black_box(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        black_box(value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        black_box(value);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        black_box(value);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Nothing)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry_seed(Nothing, Nothing)?.is_some() {}
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        black_box(tag);
        content.newtype_variant_seed(Nothing)
    }
}

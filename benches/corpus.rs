//! One reference changed in each file of a corpus: how fast, and what else changes, beside other editors. Every editor is a
//! process that reads the files and writes new ones; what it wrote is judged by a reader and byte by byte.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark fails where it stands")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockkeeper::manifest;
use serde::{Deserialize, Serialize};

use support::change::{self, Change, Step, Verdict};
use support::corpus;
use support::measure::{Cost, process, quick};
use support::table::{Table, figures, megabytes, millis};

/// One file for an editor: `peers/round_trip.py` reads the same.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    input: PathBuf,
    output: PathBuf,
    document: usize,
    steps: Vec<Step>,
    old: String,
    new: String,
    /// The path as `lockkeeper pins` prints it.
    path: String,
    /// `repository`, and what it is changed to.
    image: String,
    to: String,
}

/// How an editor is run.
enum Editor {
    /// This program with this word: an editor in Rust, or one process of another program for each file.
    Own(&'static str),
    /// A Python library, by `peers/round_trip.py`.
    Python(&'static str),
}

/// An editor, and how many files it is given: the slow ones get a sample.
struct Peer {
    name: &'static str,
    editor: Editor,
    files_max: usize,
}

const fn peer(name: &'static str, editor: Editor, files_max: usize) -> Peer {
    Peer { name, editor, files_max }
}

const PEERS: [Peer; 11] = [
    peer("read and write, unchanged (limit)", Editor::Own("copy"), usize::MAX),
    peer("granit-parser alone, then as above (limit)", Editor::Own("parse"), usize::MAX),
    peer("lockkeeper, find and splice", Editor::Own("splice"), usize::MAX),
    peer("lockkeeper, find, splice and prove", Editor::Own("repin"), usize::MAX),
    peer("sed on the old reference, a process each", Editor::Own("sed"), usize::MAX),
    peer("serde_yaml, read and write again", Editor::Own("serde_yaml"), usize::MAX),
    peer("PyYAML (libyaml), read and write again", Editor::Python("pyyaml"), 1_000),
    peer("ruamel.yaml round trip", Editor::Python("ruamel"), 500),
    peer("yq -y (jq), a process each", Editor::Own("yq"), 100),
    peer("sed on the old reference, the same files as yq", Editor::Own("sed"), 100),
    peer("lockkeeper repin, a process each", Editor::Own("command"), 100),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, kind, jobs] = arguments.as_slice()
        && word == "edit"
    {
        return edit(kind, Path::new(jobs));
    }
    let root = tempfile::tempdir().unwrap();
    let files = corpus::files();
    for file in &files {
        let path = root.path().join("files").join(&file.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.bytes).unwrap();
    }
    editors(root.path(), &change::changes(&files));
    commands(root.path(), &files);
}

fn editors(root: &Path, changes: &[Change<'_>]) {
    let bytes: usize = changes.iter().map(|change| change.file.bytes.len()).sum();
    let title = format!(
        "One reference changed in each of {} files, {}: {}",
        changes.len(),
        megabytes(bytes as u64),
        corpus::source()
    );
    let mut table = Table::new(
        &title,
        &[
            "editor",
            "files",
            "exact",
            "only quotes",
            "format damaged",
            "meaning changed",
            "refused",
            "CPU",
            "MB/s of CPU",
            "peak memory",
        ],
    );
    for peer in &PEERS {
        // The same files for all samples: spread over the corpus, none larger than 1 MB where it is a sample.
        let sample: Vec<&Change<'_>> = sample(changes, peer.files_max);
        let folder = root.join("jobs");
        let jobs = write_jobs(root, &folder, &sample);
        let Some(mut command) = command(&peer.editor, &jobs) else {
            let none = || "–".to_owned();
            let missing = "not installed".to_owned();
            table.row([
                peer.name.to_owned(),
                missing,
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
            ]);
            continue;
        };
        let cost = process(command.stdout(Stdio::null()));
        table.row(row(peer, &sample, &folder, cost));
        fs::remove_dir_all(&folder).unwrap();
    }
    table.print();
}

fn row(peer: &Peer, sample: &[&Change<'_>], folder: &Path, cost: Cost) -> [String; 10] {
    let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for (number, change) in sample.iter().enumerate() {
        let verdict = match fs::read(folder.join(format!("{number}.out"))) {
            Ok(after) => change.judge(&after),
            Err(_) => Verdict::Refused,
        };
        *verdicts.entry(verdict).or_default() += 1;
        if verdict != Verdict::Exact && peer.name.starts_with("lockkeeper") {
            eprintln!("{verdict:?}: {}:{} {}", change.file.name, change.pin.line, change.pin.path);
        }
    }
    let bytes: usize = sample.iter().map(|change| change.file.bytes.len()).sum();
    let is_editor = !peer.name.ends_with("(limit)");
    let count = |verdict| {
        if is_editor {
            verdicts.get(&verdict).copied().unwrap_or_default().to_string()
        } else {
            "–".to_owned()
        }
    };
    let share = format!(
        "{} ({:.2} %)",
        count(Verdict::Exact),
        100.0 * verdicts.get(&Verdict::Exact).copied().unwrap_or_default() as f64 / sample.len() as f64
    );
    [
        peer.name.to_owned(),
        sample.len().to_string(),
        if is_editor { share } else { "–".to_owned() },
        count(Verdict::Quotes),
        count(Verdict::Damaged),
        count(Verdict::Wrong),
        count(Verdict::Refused),
        millis(cost.cpu),
        figures(bytes as f64 / 1e6 / cost.cpu.as_secs_f64()),
        megabytes(cost.peak_bytes),
    ]
}

fn sample<'a, 'f>(changes: &'a [Change<'f>], files_max: usize) -> Vec<&'a Change<'f>> {
    let files_max = if quick() { files_max.min(20) } else { files_max };
    if changes.len() <= files_max {
        return changes.iter().collect();
    }
    let small: Vec<&Change<'_>> =
        changes.iter().filter(|change| change.file.bytes.len() < 1_000_000).collect();
    small.iter().copied().step_by(small.len().div_ceil(files_max)).collect()
}

fn write_jobs(root: &Path, folder: &Path, changes: &[&Change<'_>]) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let job = |(number, change): (usize, &&Change<'_>)| Job {
        input: root.join("files").join(&change.file.name),
        output: folder.join(format!("{number}.out")),
        document: change.pin.document,
        steps: change.steps.clone(),
        old: change.old.clone(),
        new: change.new.clone(),
        path: change.pin.path.clone(),
        image: change.pin.repository.to_string(),
        to: change.to.to_string(),
    };
    let jobs: Vec<Job> = changes.iter().enumerate().map(job).collect();
    let path = folder.join("jobs.json");
    fs::write(&path, serde_json::to_vec(&jobs).unwrap()).unwrap();
    path
}

/// The process of an editor; none where it is not installed.
fn command(editor: &Editor, jobs: &Path) -> Option<Command> {
    match editor {
        Editor::Own(kind) => {
            let program = if matches!(*kind, "sed" | "yq") { *kind } else { "true" };
            let is_there = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["edit", kind]).arg(jobs);
            is_there.then_some(command)
        }
        Editor::Python(library) => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let python = root.join("target/peers/bin/python");
            let script = root.join("benches/peers/round_trip.py");
            let mut command = Command::new(&python);
            command.arg(script).arg(library);
            let is_there =
                python.exists() && command.arg("--check").status().is_ok_and(|status| status.success());
            let mut command = Command::new(python);
            command.arg(root.join("benches/peers/round_trip.py")).arg(library).arg(jobs);
            is_there.then_some(command)
        }
    }
}

/// What this program does as an editor: writes a file for every job that it does not refuse.
fn edit(kind: &str, jobs: &Path) {
    let jobs: Vec<Job> = serde_json::from_slice(&fs::read(jobs).unwrap()).unwrap();
    for job in &jobs {
        let before = fs::read(&job.input).unwrap();
        let after = match kind {
            "copy" => Some(before),
            "parse" => {
                parse(&before);
                Some(before)
            }
            "splice" => splice(&before, job),
            "repin" => {
                let (image, to) = (job.image.parse().unwrap(), pinned(&job.to));
                manifest::repin(&before, &image, &to, Some(&job.path))
                    .map_err(|error| eprintln!("{error}"))
                    .ok()
            }
            "serde_yaml" => emit(&before, job),
            "sed" => output(Command::new("sed").arg(sed(job)).arg(&job.input)),
            "yq" => output(
                Command::new("yq")
                    .args(["-y", "--argjson", "path", &serde_json::to_string(&plain(&job.steps)).unwrap()])
                    .args(["--arg", "new", &job.new, "setpath($path; $new)"])
                    .arg(&job.input),
            ),
            "command" => command_line(job, &before),
            other => panic!("no editor {other}"),
        };
        if let Some(after) = after {
            fs::write(&job.output, after).unwrap();
        }
    }
}

fn parse(bytes: &[u8]) {
    let options = granit_parser::options! { emit_comments: false };
    let text = std::str::from_utf8(bytes).unwrap();
    let events = granit_parser::Parser::new_from_str_with_options(text, options);
    std::hint::black_box(events.take_while(Result::is_ok).count());
}

fn pinned(text: &str) -> lockkeeper::image::Pinned {
    let (tag, digest) = text.split_once('@').unwrap();
    lockkeeper::image::Pinned { tag: Some(tag.parse().unwrap()), digest: digest.parse().unwrap() }
}

/// Finds the pin and puts the new reference in its place; no proof.
fn splice(bytes: &[u8], job: &Job) -> Option<Vec<u8>> {
    let found = manifest::find(bytes, &[]).ok()?;
    let pin = found.pins.iter().find(|pin| pin.path == job.path && pin.document == job.document)?;
    let at = pin.span.start + memchr::memmem::find(&bytes[pin.span.clone()], job.old.as_bytes())?;
    Some([&bytes[..at], job.new.as_bytes(), &bytes[at + job.old.len()..]].concat())
}

/// Reads all documents into values, sets the one, and writes all anew.
fn emit(bytes: &[u8], job: &Job) -> Option<Vec<u8>> {
    let mut documents = change::read(std::str::from_utf8(bytes).ok()?)?;
    *change::at_mut(documents.get_mut(job.document)?, &job.steps)? = job.new.clone().into();
    let texts: Option<Vec<String>> =
        documents.iter().map(|document| serde_yaml::to_string(document).ok()).collect();
    Some(texts?.join("---\n").into_bytes())
}

fn sed(job: &Job) -> String {
    let escaped: String = job
        .old
        .chars()
        .flat_map(|char| (".*[]^$|\\".contains(char)).then_some('\\').into_iter().chain([char]))
        .collect();
    format!("s|{escaped}|{}|g", job.new)
}

fn plain(steps: &[Step]) -> Vec<serde_json::Value> {
    let plain = |step: &Step| match step {
        Step::Key(key) => key.as_str().into(),
        Step::Index(index) => (*index).into(),
    };
    steps.iter().map(plain).collect()
}

/// The whole program on a copy of the file.
fn command_line(job: &Job, before: &[u8]) -> Option<Vec<u8>> {
    let copy = job.output.with_extension("yaml");
    fs::write(&copy, before).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["repin", "--image", &job.image, "--to", &job.to, "--only", &job.path]).arg(&copy);
    output(&mut command).map(|_| fs::read(&copy).unwrap())
}

fn output(command: &mut Command) -> Option<Vec<u8>> {
    let done = command.stderr(Stdio::null()).output().unwrap();
    done.status.success().then_some(done.stdout)
}

/// The command line over the whole corpus.
fn commands(root: &Path, files: &[corpus::File]) {
    let folder = root.join("files");
    let bytes = corpus::bytes(files);
    let title =
        format!("All {} files of the corpus, {}, by one process", files.len(), megabytes(bytes as u64));
    let mut table = Table::new(&title, &["command", "wall", "CPU", "MB/s of CPU", "peak memory"]);
    let program = env!("CARGO_BIN_EXE_lockkeeper");
    let digest = format!("sha256:{}", "a".repeat(64));
    let repin = ["repin", "--dry-run", "--image", "no.example/such/image", "--to", &digest];
    let rows: [(&str, &str, &[&str]); 4] = [
        ("`lockkeeper pins`", program, &["pins"]),
        ("`lockkeeper pins -o json`", program, &["pins", "-o", "json"]),
        ("`lockkeeper repin` of an image that is nowhere", program, &repin),
        ("`grep -rE '@sha256:'`", "grep", &["-rE", "@sha256:"]),
    ];
    for (name, program, arguments) in rows {
        let cost = |_| cost_of(Command::new(program).args(arguments).arg(&folder));
        let mut costs: Vec<Cost> = (0..if quick() { 1 } else { 5 }).map(cost).collect();
        costs.sort_by_key(|cost| cost.cpu);
        let cost = costs[costs.len() / 2];
        let speed = figures(bytes as f64 / 1e6 / cost.cpu.as_secs_f64());
        table.row([name.to_owned(), millis(cost.wall), millis(cost.cpu), speed, megabytes(cost.peak_bytes)]);
    }
    table.print();
}

/// The cost of a process, whatever it answers: `repin` of what is nowhere, and `grep` that finds nothing, exit with an error.
fn cost_of(command: &mut Command) -> Cost {
    use wait4::Wait4 as _;
    let start = std::time::Instant::now();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let used = child.wait4().unwrap();
    Cost { wall: start.elapsed(), cpu: used.rusage.utime + used.rusage.stime, peak_bytes: used.rusage.maxrss }
}

//! The memory of a whole process over files that make the most of the bounds.
//!
//! A test program of its own, small itself: what a process has before it becomes another counts as that one's. The files
//! are an eighth of the largest; with `LOCKKEEPER_LARGEST=1` they are as large as is read, and cost some minutes.

use std::fs;
use std::process::{Command, Stdio};

use wait4::Wait4 as _;

/// What the program takes for itself, with its dependencies and without optimisation, in MiB.
const MEMORY_MIB_BASE: u64 = 50;
/// Bytes of memory for a byte of the file: a node of 80 bytes for each two of `1,`, and room.
const MEMORY_PER_BYTE_MAX: u64 = 48;
/// Most bytes of a file, as `manifest` reads it.
const FILE_BYTES_MAX: usize = 16 << 20;

/// The name of a file, and its pieces.
const WORST: [(&str, &str, &str); 10] = [
    ("nodes", "image: [", "1,"),
    ("one long text", "image: ", "x"),
    ("one long comment", "image: r.example/app:v1 #", "x"),
    ("keys", "image: r.example/app:v1\n", "k: {a: b}\n"),
    ("empty documents", "image: r.example/app:v1\n", "---\n"),
    ("documents with pins", "", "---\nimage: r.example/app:v1\n"),
    ("pins", "", "- image: r.example/app:v1\n"),
    ("markers", "", "- r.example/app:v1 # lockkeeper: pin\n"),
    ("unreadable places", "", "- image: '{{ x }}'\n"),
    ("anchors", "image: r.example/app:v1\nx:\n", "- &a b\n"),
];

#[test]
fn the_worst_files_take_bounded_memory() {
    let is_long = std::env::var_os("LOCKKEEPER_LARGEST").is_some();
    let bytes = if is_long { FILE_BYTES_MAX } else { FILE_BYTES_MAX / 8 };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worst.yaml");
    let mut wrong = Vec::new();
    for (name, head, piece) in WORST {
        fs::write(&file, format!("{head}{}", piece.repeat((bytes - head.len()) / piece.len()))).unwrap();
        let mut lockkeeper = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        lockkeeper.args(["pins", "-o", "json"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let used = lockkeeper.spawn().unwrap().wait4().unwrap();
        assert!(used.status.code().is_some(), "{name}: it did not end by itself");
        let (mib, cpu) = (used.rusage.maxrss >> 20, used.rusage.utime + used.rusage.stime);
        println!("{mib} MiB, {cpu:?} of CPU: {name}");
        if mib > MEMORY_MIB_BASE + MEMORY_PER_BYTE_MAX * bytes as u64 / (1 << 20) {
            wrong.push(format!("{name}: {mib} MiB"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

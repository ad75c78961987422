//! `lockkeeper demo` as a process that stays up.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that the story may take.
pub(crate) const STORY_MAX: Duration = Duration::from_mins(3);
/// How long the end may take after Ctrl-C.
const END_MAX: Duration = Duration::from_secs(15);

/// The running demo; ended when dropped.
#[derive(Debug)]
pub(crate) struct LiveDemo {
    process: Child,
    /// What it printed up to the invitation.
    pub(crate) told: String,
}

impl LiveDemo {
    /// Starts it on a free port and waits until it has told its story.
    ///
    /// # Panics
    /// If it ends by itself, or is not done in time.
    pub(crate) fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
            .args(["demo", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut demo = Self { process, told: String::new() };
        let deadline = Instant::now() + STORY_MAX;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else { panic!("no invitation after:\n{}", demo.told) };
            demo.told.push_str(&line);
            demo.told.push('\n');
            if line.starts_with("Ctrl-C ends it") {
                return demo;
            }
        }
    }

    /// The word after this one in the introduction: `board`, `forge`, `registry`, `files`.
    pub(crate) fn introduced(&self, name: &str) -> &str {
        let mut lines = self.told.lines().map(str::split_whitespace);
        lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next())?).unwrap()
    }

    /// Resident memory, in KiB, as Linux counts it.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
    }

    /// Presses Ctrl-C and waits for the end.
    ///
    /// # Panics
    /// If it does not end.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        self.end().expect("it goes on after Ctrl-C")
    }

    fn end(&mut self) -> Option<ExitStatus> {
        let kill = format!("kill -INT {}", self.process.id());
        Command::new("sh").args(["-c", &kill]).status().ok()?;
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for LiveDemo {
    fn drop(&mut self) {
        // As Ctrl-C does, so that its folder goes too.
        let has_ended = self.process.try_wait().is_ok_and(|status| status.is_some());
        if !has_ended && self.end().is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

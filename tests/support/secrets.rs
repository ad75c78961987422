//! The secrets of every story, and eyes that look for them in all that is said.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

/// The token of the git host, as its file holds it.
pub const GIT_TOKEN: &str = "git-6f1d3b0c9a";
/// The secret under which GitHub signs what it sends.
pub const HOOK_SECRET: &str = "hook-2b9e41d7";
/// What the tokens begin with that GitHub gives to the App, and what stands in its key.
const OF_APP: [&str; 2] = ["ghs_0", "PRIVATE KEY"];
/// What a person's token begins with.
const PERSON_TOKEN: &str = "person-77c2e4-";

/// The token with which this person signs in.
pub fn token_of(person: &str) -> String {
    format!("{PERSON_TOKEN}{person}")
}

/// The place in `text` around the first secret in it.
pub fn leak(text: &str) -> Option<String> {
    let secrets = [GIT_TOKEN, PERSON_TOKEN, HOOK_SECRET].into_iter().chain(OF_APP);
    let at = secrets.into_iter().find_map(|secret| text.find(secret))?;
    let from = text.floor_char_boundary(at.saturating_sub(200));
    let to = text.floor_char_boundary((at + 40).min(text.len()));
    Some(text[from..to].to_owned())
}

/// Reads a log and keeps nothing of it but leaks.
#[derive(Debug, Clone, Default)]
pub struct Eyes {
    lines: Arc<AtomicUsize>,
    leaks: Arc<Mutex<Vec<String>>>,
}

impl Eyes {
    /// The lines read so far.
    pub fn lines(&self) -> usize {
        self.lines.load(Ordering::SeqCst)
    }

    /// Lines with a secret.
    pub fn leaks(&self) -> Vec<String> {
        self.leaks.lock().unwrap().clone()
    }
}

impl Write for Eyes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lines.fetch_add(1, Ordering::SeqCst);
        self.leaks.lock().unwrap().extend(leak(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Eyes {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

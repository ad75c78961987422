//! Programs that are run for an answer: within a time, of so many bytes, and ended with all that they started.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// How long a program may take, and how much it may print.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) timeout: Duration,
    pub(super) bytes_max: usize,
}

/// How it ended, and what it printed.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    /// Standard error.
    pub(super) words: Vec<u8>,
}

/// Why there is nothing to go by.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("it cannot be run: {0}")]
    Start(#[from] io::Error),
    #[error("it gave no answer within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("it printed more than {0} bytes")]
    Long(usize),
}

/// A program and all that it started, ended when this is dropped, unless it ended by itself. It is not awaited before that, so
/// its number is still its own.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // One that has just ended is what was wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs a program with this input. One that is dropped before it ends is ended.
pub(super) async fn run(command: Command, input: &[u8], bounds: Bounds) -> Result<Ended, ProgramError> {
    let ended = tokio::time::timeout(bounds.timeout, ended(command, input, bounds.bytes_max)).await;
    ended.unwrap_or(Err(ProgramError::Slow(bounds.timeout)))
}

async fn ended(mut command: Command, input: &[u8], bytes_max: usize) -> Result<Ended, ProgramError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let mut group = Group::of(&child);
    let stdin = child.stdin.take();
    let fed = async {
        if let Some(mut stdin) = stdin {
            // One that does not read what it is asked may know all the same.
            let _ = stdin.write_all(input).await;
        }
        Ok(())
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ((), output, words) = tokio::try_join!(fed, read(stdout, bytes_max), read(stderr, bytes_max))?;
    let status = child.wait().await?;
    group.0 = None;
    Ok(Ended { status, output, words })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, bytes_max: usize) -> Result<Vec<u8>, ProgramError> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(bytes_max as u64 + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() > bytes_max { Err(ProgramError::Long(bytes_max)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(script: &str, milliseconds: u64) -> String {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        let bounds = Bounds { timeout: Duration::from_millis(milliseconds), bytes_max: 5 };
        match run(command, b"asked", bounds).await {
            Ok(Ended { status, output, words }) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                format!("{:?} {}{}", status.code(), text(&output), text(&words))
            }
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_program_has_a_time_and_a_size() {
        let long = 60_000;
        assert_eq!(check("cat; printf ' said' >&2; exit 3", long).await, "Some(3) asked said");
        assert_eq!(check("cat; printf x; sleep 600", long).await, "it printed more than 5 bytes");
        assert_eq!(check("printf asked1 >&2; sleep 600", long).await, "it printed more than 5 bytes");
        assert_eq!(check("cat >/dev/null; sleep 600", 300).await, "it gave no answer within 0.3 s");
        // Somebody else holds the pipe open.
        assert_eq!(check("sleep 600 & exit 0", 300).await, "it gave no answer within 0.3 s");
    }
}

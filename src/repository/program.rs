//! `file://` and `ssh://`: a program whose pipes carry the protocol. Its arguments are fixed, there is no shell
//! of ours.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::error::{not_found, unavailable};
use super::location::SshAddress;
use super::transport::{Packets, Service, Source};
use super::{Credentials, Location, Options, RepositoryError, text};

/// What the program needs of our environment: to be found, to find its settings, a place for temporary files.
/// `GIT_*` variables are kept away from it.
const VARIABLES: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME"];
/// Bytes of standard error that are kept.
const WORDS_BYTES_MAX: usize = 4_096;
const CHUNK_BYTES: usize = 64 * 1_024;
/// For the end of a program whose output has ended.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The program that speaks to the repository.
#[derive(Debug)]
pub(super) struct Program {
    kind: Kind,
    options: Options,
}

#[derive(Debug)]
enum Kind {
    Local(PathBuf),
    Ssh { address: SshAddress, credentials: Credentials },
}

/// The way into a running program.
pub(super) struct Running {
    stdin: ChildStdin,
}

/// What a running program says; dropped, the program is ended.
#[derive(Debug)]
pub(super) struct Output {
    child: Child,
    stdout: ChildStdout,
    words: JoinHandle<Vec<u8>>,
}

impl Program {
    pub(super) fn new(
        location: &Location,
        credentials: Credentials,
        options: &Options,
    ) -> Result<Self, RepositoryError> {
        let kind = match location {
            Location::File(folder) if folder.is_absolute() => Kind::Local(folder.clone()),
            Location::Ssh(address) => {
                let address = SshAddress::parse(address).map_err(|error| not_found(error.to_string()))?;
                for path in
                    [&credentials.ssh_key_file, &credentials.ssh_known_hosts_file].into_iter().flatten()
                {
                    check_ssh_path(path)?;
                }
                Kind::Ssh { address, credentials }
            }
            Location::File(_) | Location::Http(_) => return Err(not_found("an absolute path")),
        };
        Ok(Self { kind, options: options.clone() })
    }

    /// Starts it for one exchange.
    pub(super) fn start(&self, service: Service) -> Result<(Running, Packets), RepositoryError> {
        let mut command = match &self.kind {
            Kind::Local(folder) => self.local(folder, service)?,
            Kind::Ssh { address, credentials } => self.ssh(address, credentials, service),
        };
        if let Some(protocol) = service.protocol() {
            command.env("GIT_PROTOCOL", protocol);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |error: std::io::Error| unavailable(format!("program cannot be started: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(unavailable("program has no pipes"));
        };
        let output = Output { child, stdout, words: tokio::spawn(words(stderr)) };
        Ok((Running { stdin }, Packets::new(Source::Program(Box::new(output)), self.options.idle_timeout)))
    }

    fn local(&self, folder: &Path, service: Service) -> Result<Command, RepositoryError> {
        if !folder.is_dir() {
            return Err(not_found(format!("folder {}", folder.display())));
        }
        let mut command = clean(&self.options.git_program);
        command.arg(service.name()).arg(folder);
        Ok(command)
    }

    /// The host key must be known, nothing is asked of a person, nothing is forwarded.
    fn ssh(&self, address: &SshAddress, credentials: &Credentials, service: Service) -> Command {
        let mut command = clean(&self.options.ssh_program);
        for option in ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes"] {
            command.args(["-o", option]);
        }
        for option in
            ["ForwardAgent=no", "ClearAllForwardings=yes", "PermitLocalCommand=no", "SendEnv=GIT_PROTOCOL"]
        {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("ConnectTimeout={}", self.options.connect_timeout.as_secs().max(1)));
        if let Some(hosts) = &credentials.ssh_known_hosts_file {
            command.arg("-o").arg(format!("UserKnownHostsFile={}", hosts.display()));
        }
        if let Some(key) = &credentials.ssh_key_file {
            command.arg("-i").arg(key);
        }
        if let Some(port) = address.port {
            command.arg("-p").arg(port.to_string());
        }
        let host = &address.host;
        let destination = address.user.as_ref().map_or_else(|| host.clone(), |user| format!("{user}@{host}"));
        command.args(["-T", "--", &destination]);
        command.arg(format!("git-{} {}", service.name(), quoted(&address.path)));
        command
    }
}

fn clean(program: &Path) -> Command {
    let mut command = Command::new(found(program));
    command.env_clear().env("LC_ALL", "C");
    for name in VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Where a program is: its name alone, beside a `PATH` that is set for it, would make std fork this process instead of
/// spawning, and a fork costs the more the more memory we have.
fn found(program: &Path) -> PathBuf {
    let is_name = program.components().count() == 1 && !program.is_absolute();
    let folders = std::env::var_os("PATH").filter(|_| is_name).unwrap_or_default();
    let mut candidates = std::env::split_paths(&folders).map(|folder| folder.join(program));
    candidates.find(|path| path.is_file()).unwrap_or_else(|| program.to_owned())
}

/// ssh splits and expands the values of its options.
fn check_ssh_path(path: &Path) -> Result<(), RepositoryError> {
    let text = path.to_str().unwrap_or("");
    let special =
        |letter: char| letter.is_whitespace() || letter.is_control() || "\"'%$~\\=".contains(letter);
    if text.is_empty() || text.starts_with('-') || text.contains(special) {
        let reason = format!("path {} of a file for ssh has a blank or one of \"'%$~\\=", path.display());
        return Err(RepositoryError::Denied { reason });
    }
    Ok(())
}

/// Source: git's `sq_quote_buf` (quote.c): the far shell sees one word.
fn quoted(path: &str) -> String {
    let mut quoted = String::from("'");
    for letter in path.chars() {
        match letter {
            '\'' | '!' => quoted.extend(['\'', '\\', letter, '\'']),
            _ => quoted.push(letter),
        }
    }
    quoted.push('\'');
    quoted
}

/// Reads standard error to its end, so that the program never waits for us, and keeps its start.
async fn words(mut stderr: ChildStderr) -> Vec<u8> {
    let mut words = Vec::new();
    let mut chunk = vec![0; 1_024];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        let room = WORDS_BYTES_MAX.saturating_sub(words.len());
        words.extend(chunk.iter().take(count.min(room)));
    }
    words
}

impl Running {
    /// Writes the request beside the reading of the answer, so that neither waits for the other; then closes
    /// the pipe. A program that no longer reads has said why.
    pub(super) fn send(self, request: Vec<u8>) {
        let mut stdin = self.stdin;
        tokio::spawn(async move {
            let _ = stdin.write_all(&request).await;
            let _ = stdin.shutdown().await;
        });
    }
}

impl Output {
    /// The next bytes; at the end the program's own words become the error, where it failed.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, RepositoryError> {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let count = self.stdout.read_buf(&mut chunk).await;
        if count.map_err(|error| unavailable(format!("program cannot be read: {error}")))? > 0 {
            return Ok(Some(chunk.freeze()));
        }
        let status = tokio::time::timeout(EXIT_TIMEOUT, self.child.wait()).await;
        if matches!(status, Ok(Ok(status)) if status.success()) {
            return Ok(None);
        }
        let words = tokio::time::timeout(EXIT_TIMEOUT, &mut self.words).await;
        Err(failure(&text::line(&words.ok().and_then(Result::ok).unwrap_or_default())))
    }
}

impl Drop for Output {
    /// The program itself is ended with its handle; a hook that it started may hold the pipe open.
    fn drop(&mut self) {
        self.words.abort();
    }
}

/// Source: the messages of OpenSSH 9 and of git's path.c and setup.c (2.47).
fn failure(words: &str) -> RepositoryError {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let reason = if words.is_empty() { "program ended early".to_owned() } else { words.to_owned() };
    if has(&["does not appear to be a git repository", "Repository not found"]) {
        return not_found(reason);
    }
    if has(&["Permission denied", "Host key verification failed", "dubious ownership", "Access denied"]) {
        return RepositoryError::Denied { reason };
    }
    RepositoryError::Unavailable { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_the_far_shell() {
        for (path, want) in [
            ("/srv/env.git", "'/srv/env.git'"),
            ("/it's; rm -rf /", r"'/it'\''s; rm -rf /'"),
            ("/wow!", r"'/wow'\!''"),
            ("/$(x) `y`", "'/$(x) `y`'"),
        ] {
            assert_eq!(quoted(path), want);
        }
    }

    #[test]
    fn paths_that_ssh_would_expand_are_refused() {
        assert!(check_ssh_path(Path::new("/etc/lockkeeper/id_ed25519")).is_ok());
        for bad in ["", "-x", "/a b", "/%h", "~/id", "/a\"", "/a=b", "/a\n"] {
            assert!(check_ssh_path(Path::new(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_words_of_a_program_tell_the_reaction() {
        let kind = |words: &str| {
            let error = failure(words);
            let kinds = [
                (matches!(error, RepositoryError::NotFound { .. }), "not found"),
                (matches!(error, RepositoryError::Denied { .. }), "denied"),
                (matches!(error, RepositoryError::Unavailable { .. }), "unavailable"),
            ];
            kinds.into_iter().find_map(|(is, name)| is.then_some(name)).unwrap()
        };
        assert_eq!(kind("fatal: '/x' does not appear to be a git repository"), "not found");
        assert_eq!(kind("git@host: Permission denied (publickey)."), "denied");
        assert_eq!(kind("ssh: connect to host h port 22: Connection refused"), "unavailable");
        assert_eq!(kind(""), "unavailable");
    }
}

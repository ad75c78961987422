//! A real registry: CNCF Distribution, as Debian packages it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::parts::part;

/// A registry on a free port of 127.0.0.1, with its content in a temporary folder; ended when dropped.
#[derive(Debug)]
pub(crate) struct DockerRegistry {
    process: Child,
    program: PathBuf,
    address: SocketAddr,
    folder: TempDir,
}

/// How the registry is set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Lines of an htpasswd file; without any, everybody may push.
    pub(crate) htpasswd: Option<String>,
    /// Where pushes are told of: an address and the `Authorization` header.
    pub(crate) notify: Option<(String, String)>,
}

/// The user of [`HTPASSWD`].
pub(crate) const USER: &str = "ci";
/// The password of [`HTPASSWD`].
pub(crate) const PASSWORD: &str = "correct-horse";
/// An htpasswd line for [`USER`] and [`PASSWORD`]; the registry reads bcrypt only.
pub(crate) const HTPASSWD: &str = "ci:$2y$05$abcdefghijklmnopqrstuuZ0Fx87Pb/Aqb0E90lfvCwzXnaFKUHpS\n";

impl DockerRegistry {
    /// Starts the registry; nothing, and a word why, where the machine has none.
    ///
    /// # Panics
    /// If it does not answer within ten seconds, at the third attempt.
    #[must_use]
    pub(crate) fn start(options: &Options) -> Option<Self> {
        let program = part("docker-registry")?;
        // The port is free when it is looked for and may be taken when the registry wants it.
        for _ in 0..3 {
            if let Some(started) = Self::attempt(&program, options) {
                return Some(started);
            }
        }
        panic!("docker-registry does not start")
    }

    /// Where it listens; the host part of its references.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its files.
    #[must_use]
    pub(crate) fn data(&self) -> PathBuf {
        data(self.folder.path())
    }

    /// Ends the process as a crash does, and starts it anew over the same files.
    ///
    /// # Panics
    /// If it does not answer within ten seconds.
    pub(crate) fn restart(&mut self) {
        end(&mut self.process);
        self.process = serve(&self.program, self.folder.path(), self.address).unwrap();
    }

    fn attempt(program: &Path, options: &Options) -> Option<Self> {
        let folder = folder();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        fs::write(file(folder.path()), configuration(folder.path(), address, options)).unwrap();
        let process = serve(program, folder.path(), address)?;
        Some(Self { process, program: program.to_owned(), address, folder })
    }
}

/// The process, once it answers.
fn serve(program: &Path, folder: &Path, address: SocketAddr) -> Option<Child> {
    let mut process = Command::new(program)
        .arg("serve")
        .arg(file(folder))
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline && process.try_wait().unwrap().is_none() {
        if TcpStream::connect(address).is_ok() {
            return Some(process);
        }
        sleep(Duration::from_millis(20));
    }
    end(&mut process);
    None
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// In memory where the machine has such a place: ten thousand tags are as many folders.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn file(folder: &Path) -> PathBuf {
    folder.join("registry.yml")
}

fn configuration(folder: &Path, address: SocketAddr, options: &Options) -> String {
    let data = data(folder);
    let mut lines = vec![
        "version: 0.1".to_owned(),
        "log: { level: error, accesslog: { disabled: true } }".to_owned(),
        "storage:".to_owned(),
        format!("  filesystem: {{ rootdirectory: {} }}", data.display()),
        "  delete: { enabled: true }".to_owned(),
        format!("http: {{ addr: \"{address}\", secret: s3cr3t }}"),
    ];
    if let Some(htpasswd) = &options.htpasswd {
        let file = folder.join("htpasswd");
        fs::write(&file, htpasswd).unwrap();
        lines.push(format!("auth: {{ htpasswd: {{ realm: registry, path: {} }} }}", file.display()));
    }
    if let Some((url, authorization)) = &options.notify {
        lines.extend([
            "notifications:".to_owned(),
            "  endpoints:".to_owned(),
            "    - name: lockkeeper".to_owned(),
            format!("      url: {url}"),
            format!("      headers: {{ Authorization: [\"{authorization}\"] }}"),
            "      timeout: 1s".to_owned(),
            "      threshold: 3".to_owned(),
            "      backoff: 100ms".to_owned(),
        ]);
    }
    lines.join("\n")
}

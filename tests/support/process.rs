//! The real program, as people run it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_lockkeeper");

/// What a call printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A folder with settings in it, in which the program is run.
#[derive(Debug)]
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// The settings file.
    pub settings: PathBuf,
    /// The address of the server, if one is started.
    pub address: String,
}

/// A server that runs; ended when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    log: Arc<Mutex<String>>,
}

/// A call of the program with a clean environment.
#[must_use]
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null());
    command
}

/// Runs a call to its end.
#[must_use]
pub fn end(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A port that is free now.
#[must_use]
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

impl Place {
    /// Writes the settings: `[server]` and `[store]`, and these lines.
    #[must_use]
    pub fn new(folder: &Path, lines: &str) -> Self {
        Self::at(free_address(), folder, lines)
    }

    /// The same, for a server at this address.
    #[must_use]
    pub fn at(address: String, folder: &Path, lines: &str) -> Self {
        let settings = folder.join("lockkeeper.toml");
        let store = folder.join("store.db");
        let head = format!(
            "[server]\nlisten = \"{address}\"\nstop_timeout = \"5s\"\n[store]\npath = \"{}\"\n",
            store.display()
        );
        std::fs::write(&settings, format!("{head}{lines}")).unwrap();
        Self { folder: folder.to_owned(), settings, address }
    }

    /// A call with these settings.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = command(words);
        command.env("LOCKKEEPER_CONFIG", &self.settings).env("HOME", &self.folder).current_dir(&self.folder);
        command
    }

    /// Runs a call to its end.
    #[must_use]
    pub fn run(&self, words: &[&str]) -> Ended {
        end(self.command(words))
    }

    /// Runs a call by the person with this token.
    #[must_use]
    pub fn run_as(&self, token: &str, words: &[&str]) -> Ended {
        let mut command = self.command(words);
        command.env("LOCKKEEPER_TOKEN", token);
        end(command)
    }

    /// Starts the server, and waits until it is ready.
    ///
    /// # Panics
    /// If it is not within half a minute.
    #[must_use]
    pub fn serve(&self) -> Server {
        self.start(self.command(&["serve"]))
    }

    /// The same by a command that ends as the server.
    ///
    /// # Panics
    /// If it is not ready within half a minute.
    #[must_use]
    pub fn start(&self, command: Command) -> Server {
        let mut server = Self::spawn(command);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_ready() {
            let ended = server.process.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the server is not ready:\n{}",
                server.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Starts the server, ready or not.
    ///
    /// # Panics
    /// If there is no such program.
    #[must_use]
    pub fn spawn(mut command: Command) -> Server {
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let into = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = into.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Server { process, log }
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::net::TcpStream::connect(&self.address) else { return false };
        let request = format!("GET /readyz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }
}

impl Server {
    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to stop, and waits until it has; its exit code.
    ///
    /// # Panics
    /// If it does not within ten seconds.
    pub fn stop(self) -> i32 {
        self.ask();
        self.ended()
    }

    /// Asks it to stop.
    ///
    /// # Panics
    /// If it is not there any more.
    pub fn ask(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits until it has ended; its exit code.
    ///
    /// # Panics
    /// If it does not within ten seconds.
    pub fn ended(mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "the server does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

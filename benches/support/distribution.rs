//! Debian's docker-registry with an access log, so that requests can be counted.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Distribution {
    process: Child,
    pub address: String,
    log: PathBuf,
}

impl Distribution {
    /// Starts it; none where the machine has none.
    pub fn start(folder: &Path) -> Option<Self> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (file, log) = (folder.join("registry.yml"), folder.join("registry.log"));
        let data = folder.join("registry");
        let lines = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: false }} }}\nstorage:\n  filesystem: {{ rootdirectory: {} }}\nhttp: {{ addr: \"{address}\", secret: s3cr3t }}\n",
            data.display()
        );
        fs::write(&file, lines).unwrap();
        let out = File::create(&log).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&file).env("OTEL_TRACES_EXPORTER", "none");
        command.stdout(Stdio::from(out.try_clone().unwrap())).stderr(Stdio::from(out));
        let process = command.spawn().ok()?;
        let started = Self { process, address, log };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&started.address).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(started)
    }

    /// Requests answered so far, sign-in pings with them.
    pub fn requests(&self) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains("\"GET ") || line.contains("\"HEAD ")).count()
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

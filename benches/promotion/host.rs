//! The git host, a process of its own, so that its CPU time is counted apart.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::git_http::GitHost;

/// Ended when dropped.
pub struct Host {
    child: Child,
    address: String,
}

/// Serves the repositories below `root` until standard input ends.
pub fn serve(root: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = GitHost::start(root.into(), &[]).await;
        println!("{}", host.url(""));
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
            .await
            .unwrap()
            .unwrap();
    });
}

impl Host {
    pub fn start(root: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("host")
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim_end().to_owned() }
    }

    pub fn url(&self, name: &str) -> String {
        format!("{}{name}", self.address)
    }

    /// The CPU time of the host and of all its ended children.
    ///
    /// Source: `proc_pid_stat(5)`: fields 14 to 17, in ticks of 10 ms.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

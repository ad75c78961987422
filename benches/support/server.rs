//! The program as a server, in a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::fleet::Fleet;
use super::measure::Cost;

/// Ten thousand pipelines are looked at in minutes.
const WAIT_MAX: Duration = Duration::from_mins(20);

pub struct Server {
    process: Child,
    pub address: SocketAddr,
    pub start: Instant,
}

impl Server {
    pub fn start(fleet: &Fleet) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.arg("serve").arg("--config").arg(fleet.settings_file()).stdout(Stdio::null());
        command.env("LOCKKEEPER__SERVER__LISTEN", address.to_string());
        command.env("LOCKKEEPER__LOG__FILTER", "error");
        let start = Instant::now();
        Self { process: command.spawn().unwrap(), address, start }
    }

    /// A page, where the answer is good.
    pub async fn get(&self, path: &str) -> Option<String> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{}/{path}", self.address)).send().await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    }

    /// Waits until this holds; the time since the start.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) -> Duration {
        while !holds().await {
            assert!(self.start.elapsed() < WAIT_MAX, "not {what} within {WAIT_MAX:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.start.elapsed()
    }

    /// Waits until everything that the fleet has was looked at.
    pub async fn until_idle(&self, fleet: &Fleet) -> Duration {
        let keys = fleet.pipelines + fleet.repositories();
        let wanted = [
            format!("lockkeeper_keys {keys}"),
            "lockkeeper_keys_due 0".to_owned(),
            "lockkeeper_keys_leased 0".to_owned(),
        ];
        self.until("idle", || async {
            let metrics = self.get("metrics").await.unwrap_or_default();
            wanted.iter().all(|line| metrics.lines().any(|found| found == line))
        })
        .await
    }

    /// CPU time so far, and the largest resident set.
    ///
    /// Source: proc(5), `/proc/pid/stat` fields 14 to 17 (its own and its children's) in ticks of 10 ms, and `VmHWM`
    /// of `/proc/pid/status`.
    pub fn used(&self) -> Cost {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", self.process.id())).unwrap();
        let stat = read("stat");
        let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(4);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
        let status = read("status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        Cost {
            wall: self.start.elapsed(),
            cpu: Duration::from_millis(ticks * 10),
            peak_bytes: kilobytes * 1_024,
        }
    }

    /// Stops it as an init system does.
    pub fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

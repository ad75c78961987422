//! What other tools do, as scripts of git's own commands, and libgit2's push.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::clients::{self, Cost, Work, address, numbers};
use super::host::Host;
use super::repositories::{Remote, content, git, output, path};
use super::support::measure;

/// One way to get a promotion out.
pub enum Peer {
    /// libgit2's own push from a mirror.
    Libgit2,
    /// A script in `benches/peers`; `$URL`, `$MIRROR` (a bare clone made before), `$EDITS` (lines
    /// `path new-content-file`), `$BRANCH`, in a folder of its own.
    Script { name: &'static str, text: &'static str },
}

pub fn all() -> Vec<Peer> {
    vec![
        Peer::Script {
            name: "`clone --depth 1`, edit, commit, push",
            text: include_str!("../peers/promotion-clone.sh"),
        },
        Peer::Script {
            name: "bare clone and worktree each time (Kargo)",
            text: include_str!("../peers/promotion-worktree.sh"),
        },
        Peer::Libgit2,
        Peer::Script {
            name: "mirror, git plumbing (mktree)",
            text: include_str!("../peers/promotion-mktree.sh"),
        },
        Peer::Script { name: "mirror, fast-import", text: include_str!("../peers/promotion-fast-import.sh") },
    ]
}

impl Peer {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Libgit2 => "mirror, libgit2's edit and push, in a row",
            Self::Script { name, .. } => name,
        }
    }

    pub fn cost(&self, host: &Host, remote: &Remote, work: &Work) -> Cost {
        match self {
            Self::Libgit2 => {
                let runs = if remote.files > 10_000 { work.runs.min(20) } else { work.runs };
                clients::libgit2(host, remote, &Work { runs, ..*work })
            }
            Self::Script { text, .. } => script(host, remote, work, text),
        }
    }
}

fn script(host: &Host, remote: &Remote, work: &Work, text: &str) -> Cost {
    let dir = tempfile::TempDir::new_in(remote.folder.parent().unwrap()).unwrap();
    let address = address(host, remote, work.way);
    let mirror = dir.path().join("mirror.git");
    output(Command::new("git").args(["clone", "-q", "--bare", &address]).arg(&mirror));
    let runs = if measure::quick() || remote.files > 10_000 { 1 } else { 9 };
    let mut total = Cost { runs, ..clients::Cost::nothing() };
    // The first is not counted.
    for run in 0..=runs {
        let folder = dir.path().join(format!("run-{run}"));
        edits(&folder, remote, work, run);
        let before = host.cpu();
        let mut command = Command::new("sh");
        command.args(["-euc", text]).current_dir(&folder);
        command.envs(git(&folder).get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("URL", &address).env("MIRROR", &mirror).env("BRANCH", format!("promotion/{run}"));
        let cost = measure::process(&mut command);
        if run > 0 {
            total.wall += cost.wall;
            total.cpu += cost.cpu;
            total.host_cpu += host.cpu().checked_sub(before).unwrap();
            total.peak_bytes = total.peak_bytes.max(cost.peak_bytes);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
    let pushed = output(git(&remote.folder).args(["for-each-ref", "refs/heads/promotion"]));
    assert_eq!(pushed.lines().count(), runs + 1, "every promotion is at the remote");
    remote.clean();
    total
}

/// `edits`: lines of path and the file with its new content.
fn edits(folder: &Path, remote: &Remote, work: &Work, run: usize) {
    std::fs::create_dir(folder).unwrap();
    let mut lines = String::new();
    for number in numbers(remote.files, work.edits, run) {
        let file = folder.join(format!("new-{number}"));
        std::fs::write(&file, content(number, 900_000 + run)).unwrap();
        writeln!(lines, "{} {}", path(remote.layout, number), file.display()).unwrap();
    }
    std::fs::write(folder.join("edits"), lines).unwrap();
}

impl Cost {
    fn nothing() -> Self {
        let zero = std::time::Duration::ZERO;
        Self { runs: 0, wall: zero, cpu: zero, host_cpu: zero, peak_bytes: 0 }
    }
}

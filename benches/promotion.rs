//! One promotion's commit and push, beside what other tools do, in repositories of up to 100,000 files.
//!
//! Every client is a process of its own, measured by `wait4`. The git host (`git http-backend` behind loopback
//! HTTP) is another one; its CPU time is read apart. `promotion -- host …` and `promotion -- child …` are those
//! processes, started by this benchmark itself.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark fails where it stands"
)]

mod support;
#[path = "../tests/support/git_http.rs"]
#[allow(dead_code, reason = "a benchmark needs no faults")]
mod git_http;
#[path = "promotion/clients.rs"]
mod clients;
#[path = "promotion/growth.rs"]
mod growth;
#[path = "promotion/host.rs"]
mod host;
#[path = "promotion/peers.rs"]
mod peers;
#[path = "promotion/repositories.rs"]
mod repositories;

use std::time::Duration;

use clients::{Way, Work};
use host::Host;
use repositories::{Layout, Remote};
use support::measure;
use support::table::{Table, megabytes, millis, ratio};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.first().map(String::as_str) {
        Some("host") => host::serve(&words[1]),
        Some("child") => clients::child(&words[1..]),
        Some("size") => clients::size(&words[1..]),
        Some("growth") => growth::curve(&words[1..]),
        // One size alone, to look into it.
        Some(files) => run(Some(files.parse().expect("host, child, size, growth, or a number of files"))),
        None => run(None),
    }
}

/// The repositories: files, layout, commits of history.
fn sizes() -> Vec<(usize, Layout, usize)> {
    if measure::quick() {
        return vec![(1_000, Layout::Sharded, 20), (1_000, Layout::Wide, 20)];
    }
    vec![
        (1_000, Layout::Sharded, 2_000),
        (10_000, Layout::Sharded, 2_000),
        (100_000, Layout::Sharded, 2_000),
        (100_000, Layout::Wide, 2_000),
    ]
}

fn run(only: Option<usize>) {
    let dir = tempfile::TempDir::new().unwrap();
    let host = Host::start(dir.path());
    let wanted = |files: &usize| only.is_none_or(|only| only == *files);
    for (files, layout, history) in sizes().into_iter().filter(|(files, ..)| wanted(files)) {
        let remote = repositories::make(dir.path(), files, layout, history);
        remote.describe();
        for way in [Way::Http, Way::File] {
            promotions(&host, &remote, way, 1);
        }
        promotions(&host, &remote, Way::Http, 100);
        check(&remote);
        clients::print_size(&remote);
        if files == 100_000 || measure::quick() {
            remote.write_bitmap();
            check(&remote);
            promotions_of_ours(&host, &remote);
            growth::measured(&remote);
        }
        std::fs::remove_dir_all(&remote.folder).unwrap();
    }
}

/// One table: every client, the same promotion of `edits` files.
fn promotions(host: &Host, remote: &Remote, way: Way, edits: usize) {
    let title = format!("{}, {way:?}, {edits} file(s) a promotion", remote.title());
    let header = ["client", "runs", "wall", "client CPU", "host CPU", "peak", "wall ×", "CPU ×"];
    let mut table = Table::new(&title, &header);
    let work = Work { way, edits, runs: if measure::quick() { 5 } else { 100 } };
    let ours = clients::ours(host, remote, &work);
    table.row(row("lockkeeper, in a row", &ours, &ours));
    let once = clients::ours(host, remote, &Work { runs: 1, ..work });
    table.row(row("lockkeeper, a process each", &once, &ours));
    for peer in peers::all() {
        table.row(row(peer.name(), &peer.cost(host, remote, &work), &ours));
    }
    table.print();
}

/// Ours alone, for another state of the host.
fn promotions_of_ours(host: &Host, remote: &Remote) {
    let title = format!("{}, with the bitmap that `git gc` writes", remote.title());
    let mut table =
        Table::new(&title, &["client", "runs", "wall", "client CPU", "host CPU", "peak", "wall ×", "CPU ×"]);
    let work = Work { way: Way::Http, edits: 1, runs: if measure::quick() { 5 } else { 100 } };
    let ours = clients::ours(host, remote, &work);
    table.row(row("lockkeeper, in a row", &ours, &ours));
    table.print();
}

fn row(name: &str, cost: &clients::Cost, ours: &clients::Cost) -> [String; 8] {
    let each = |total: Duration| total / u32::try_from(cost.runs).unwrap();
    let our = |total: Duration| total / u32::try_from(ours.runs).unwrap();
    [
        name.to_owned(),
        cost.runs.to_string(),
        millis(each(cost.wall)),
        millis(each(cost.cpu)),
        millis(each(cost.host_cpu)),
        megabytes(cost.peak_bytes),
        ratio(each(cost.wall), our(ours.wall)),
        ratio(each(cost.cpu), our(ours.cpu)),
    ]
}

/// What the host's own check of a push costs, whoever pushes.
fn check(remote: &Remote) {
    let (wall, cpu) = remote.check_cost();
    println!(
        "\nThe host's own check of one new commit (`git rev-list --objects --not --all`): {} wall, {} CPU.",
        millis(wall),
        millis(cpu)
    );
}

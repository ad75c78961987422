use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use wait4::Wait4 as _;

/// What one run cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time, with that of all children it waited for.
    pub cpu: Duration,
    /// The largest resident set of one process; zero for code inside this one.
    pub peak_bytes: u64,
}

/// The cost of a whole process that has to succeed.
pub fn process(command: &mut Command) -> Cost {
    let start = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    reaped(child, start, &format!("{command:?}"))
}

/// The cost of a process that was started at `start`, once it ends by itself.
pub fn reaped(child: Child, start: Instant, name: &str) -> Cost {
    let used = child.wait4().unwrap();
    assert!(used.status.success(), "{name}: {}", used.status);
    Cost { wall: start.elapsed(), cpu: used.rusage.utime + used.rusage.stime, peak_bytes: used.rusage.maxrss }
}

/// The cost of `work` inside this process, on all its threads.
pub fn code<T>(work: impl FnOnce() -> T) -> (Cost, T) {
    let (start, cpu) = (Instant::now(), ProcessTime::now());
    let done = work();
    (Cost { wall: start.elapsed(), cpu: cpu.elapsed(), peak_bytes: 0 }, done)
}

/// The run of the middle by CPU time, of `runs` after one that is not counted.
pub fn median(runs: usize, mut once: impl FnMut() -> Cost) -> Cost {
    once();
    let mut costs: Vec<Cost> = (0..runs).map(|_| once()).collect();
    costs.sort_by_key(|cost| cost.cpu);
    costs[costs.len() / 2]
}

/// `QUICK=1` shrinks every size, to see in a minute that a benchmark runs.
pub fn quick() -> bool {
    std::env::var_os("QUICK").is_some()
}

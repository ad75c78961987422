//! CPU time of one thread: for criterion, and for kernels that are measured in turn.

use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// The CPU time of this thread in place of criterion's wall time: other work on the machine does not count.
pub struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, start: ThreadTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    #[allow(clippy::cast_precision_loss, reason = "a benchmark runs for less than 2^53 nanoseconds")]
    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        // Nanoseconds, as criterion's own are.
        WallTime.formatter()
    }
}

/// The CPU time of each of these kernels over all that it is given: the median of `rounds`, in which they take turns, so
/// that what slows the machine down slows all.
pub fn in_turn<const N: usize>(rounds: usize, kernels: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    let mut kernels = kernels.map(|kernel| {
        kernel();
        kernel
    });
    for _ in 0..rounds {
        for (kernel, times) in kernels.iter_mut().zip(&mut times) {
            let start = ThreadTime::now();
            kernel();
            times.push(start.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

//! Formulas for a first guess, and what a run says about how parallel it was.

mod connections;

use std::{num::NonZeroUsize, time::Duration};

pub use self::connections::{
    PoolSuggestion, connections_for_nested, connections_needed, suggest_connections,
};
use crate::InvalidParameter;

/// How many threads, connections or permits keep `cores` busy with tasks that compute for `compute`
/// and wait for `wait`: `cores × (1 + wait ÷ compute)`, rounded up.
///
/// Without waiting that is the number of cores; tasks that wait for four fifths of their time want
/// five for each core. A value to start with where nothing is measured:
/// [`AnchoredGradient`](crate::AnchoredGradient) finds the one that holds.
///
/// Source: Goetz et al., *Java Concurrency in Practice*, 8.2, for a target utilisation of 1.
///
/// # Errors
///
/// If `compute` is zero: who only waits keeps no core busy.
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use floodway_control::sizing::pool_size;
///
/// let cores = NonZeroUsize::new(8).unwrap();
/// let size = pool_size(cores, Duration::from_millis(40), Duration::from_millis(10))?;
/// assert_eq!(size.get(), 40);
/// # Ok::<_, floodway_control::InvalidParameter>(())
/// ```
pub fn pool_size(
    cores: NonZeroUsize,
    wait: Duration,
    compute: Duration,
) -> Result<NonZeroUsize, InvalidParameter> {
    if compute.is_zero() {
        // The least that is allowed is a nanosecond, in seconds as every other parameter.
        let least = Duration::from_nanos(1).as_secs_f64();
        InvalidParameter::check("compute", 0.0, least, Duration::MAX.as_secs_f64())?;
    }
    // In whole nanoseconds: as fractions, 4.000000001 would round up to 5.
    let cores = cores.get() as u128;
    let (wait, compute) = (wait.as_nanos(), compute.as_nanos());
    let waiting = match cores.checked_mul(wait) {
        Some(product) => product.div_ceil(compute),
        None => cores.saturating_mul(wait / compute + 1),
    };
    let size = usize::try_from(cores.saturating_add(waiting)).unwrap_or(usize::MAX);
    Ok(NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN))
}

/// How many times as fast `workers` are as one, if `parallel_share` of the work (0 to 1, measured
/// with one worker) divides among them and the rest does not: `1 ÷ ((1 − p) + p ÷ n)`.
///
/// Source: [Amdahl, 1967](https://doi.org/10.1145/1465482.1465560). It leaves out what coordination
/// costs, so it is an upper bound.
///
/// # Errors
///
/// If `parallel_share` is no number from 0 to 1.
///
/// ```
/// use std::num::NonZeroUsize;
/// use floodway_control::sizing::amdahl_speedup;
///
/// let speedup = amdahl_speedup(0.95, NonZeroUsize::new(8).unwrap())?;
/// assert_eq!(format!("{speedup:.2}"), "5.93");
/// # Ok::<_, floodway_control::InvalidParameter>(())
/// ```
pub fn amdahl_speedup(parallel_share: f64, workers: NonZeroUsize) -> Result<f64, InvalidParameter> {
    InvalidParameter::check("parallel_share", parallel_share, 0.0, 1.0)?;
    Ok(speedup(1.0 - parallel_share, workers))
}

/// How many times as fast any number of workers can be: `1 ÷ (1 − p)`, infinite for 1.
///
/// # Errors
///
/// If `parallel_share` is no number from 0 to 1.
pub fn amdahl_limit(parallel_share: f64) -> Result<f64, InvalidParameter> {
    InvalidParameter::check("parallel_share", parallel_share, 0.0, 1.0)?;
    Ok(1.0 / (1.0 - parallel_share))
}

/// Amdahl's law, for a serial share that was checked.
fn speedup(serial: f64, workers: NonZeroUsize) -> f64 {
    1.0 / (serial + (1.0 - serial) / workers.get() as f64)
}

/// How parallel a fan-out was, as measured, and what other numbers of workers would make of it.
///
/// The prediction is Amdahl's law and shares its assumptions, so it is an upper bound:
///
/// - *Work-conserving.* No worker idles while an item could run. What ran alone did so because
///   nothing else could: the items before it had to end, or the source gave one at a time.
/// - *No shared bottleneck downstream.* More items at once do not make any of them slower. In front
///   of a database that is busy they do, and a limit is what to look at.
/// - *Independent items*, of which there are more than workers, each short beside the whole. A
///   straggler at the end of a run counts as serial, and more workers do not help it, which is what
///   Amdahl's law says of it; but a longer run of the same items would have a smaller serial share.
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use floodway_control::sizing::Parallelism;
///
/// // A tenth of a second alone, then eight workers for a second.
/// let run = Parallelism::measured(
///     Duration::from_millis(1_100),
///     Duration::from_millis(8_100),
///     Duration::from_millis(100),
///     NonZeroUsize::new(8).unwrap(),
/// )?;
/// assert!((run.effective() - 7.36).abs() < 0.01);
/// assert!((run.serial_share() - 0.012).abs() < 0.001);
/// assert!((run.gain_of_doubling() - 1.83).abs() < 0.01);
/// # Ok::<_, floodway_control::InvalidParameter>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parallelism {
    /// Seconds.
    wall: f64,
    busy: f64,
    alone: f64,
    workers: NonZeroUsize,
}

impl Parallelism {
    /// Of a run with `workers`: `wall` is how long it took, `busy` the sum of the running times of
    /// all items, `alone` the time of it during which at most one item ran.
    ///
    /// # Errors
    ///
    /// If `wall` or `busy` is zero, `alone` is longer than `wall`, or `busy` is more than the workers
    /// could have done: each an error in measuring.
    pub fn measured(
        wall: Duration,
        busy: Duration,
        alone: Duration,
        workers: NonZeroUsize,
    ) -> Result<Self, InvalidParameter> {
        let [wall, busy, alone] = [wall, busy, alone].map(|time| time.as_secs_f64());
        InvalidParameter::check("wall", wall, f64::MIN_POSITIVE, f64::INFINITY)?;
        // Clocks are read one after the other: a millionth too much is not a mistake.
        let most = wall * workers.get() as f64 * (1.0 + 1e-6);
        InvalidParameter::check("busy", busy, f64::MIN_POSITIVE, most)?;
        InvalidParameter::check("alone", alone, 0.0, wall)?;
        Ok(Self { wall, busy, alone, workers })
    }

    /// Items that ran at once, on average over the run: `busy ÷ wall`. Below 1 if it waited for its
    /// source, or handing over took long.
    #[must_use]
    pub fn effective(&self) -> f64 {
        self.busy / self.wall
    }

    /// Effective parallelism as a part of the workers, 0 to 1.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        self.effective() / self.workers.get() as f64
    }

    /// The serial share of Amdahl's law, 0 to 1: of the time that one worker would need for
    /// everything, the part during which nothing could run beside it.
    ///
    /// One worker would need `alone` for what ran alone, and for the rest the sum of its running
    /// times. What ran alone is inside of `busy`, except where not even one item ran, which
    /// `alone` counts too; so the sum lies between `busy` and `busy + alone`. It is taken as the
    /// least that fits both, `max(busy, alone)`: the serial share is rather too high, and the
    /// prediction too low.
    ///
    /// With one worker everything runs alone, and the share is 1: such a run says nothing about
    /// what could have run beside it.
    #[must_use]
    pub fn serial_share(&self) -> f64 {
        self.alone / self.busy.max(self.alone)
    }

    /// How many times as fast as one worker `workers` would have been, by Amdahl's law.
    #[must_use]
    pub fn speedup_at(&self, workers: NonZeroUsize) -> f64 {
        speedup(self.serial_share(), workers)
    }

    /// How many times as fast as now the same work would be with twice the workers, 1 to 2.
    #[must_use]
    pub fn gain_of_doubling(&self) -> f64 {
        let doubled = self.workers.saturating_mul(NonZeroUsize::MIN.saturating_add(1));
        self.speedup_at(doubled) / self.speedup_at(self.workers)
    }
}

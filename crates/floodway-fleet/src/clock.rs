//! The clock by which leases end.

use tokio::time::Instant;

/// Milliseconds since it was made.
///
/// [`LeaseClock::boot`] goes on while the process is stopped and while the machine sleeps, and does not
/// follow steps of the wall clock: `CLOCK_BOOTTIME` on Linux; elsewhere the monotonic clock, which may
/// stop during sleep. [`LeaseClock::tokio`] follows tokio's clock, for tests under paused time.
#[derive(Clone, Copy, Debug)]
pub struct LeaseClock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    Boot { origin: u64 },
    Tokio { origin: Instant },
}

impl LeaseClock {
    /// The clock for production.
    #[must_use]
    pub fn boot() -> Self {
        Self(Source::Boot { origin: since_boot() })
    }

    /// Stands still and jumps with `tokio::time::{pause, advance}`.
    #[must_use]
    pub fn tokio() -> Self {
        Self(Source::Tokio { origin: Instant::now() })
    }

    pub(crate) fn now(&self) -> u64 {
        match self.0 {
            Source::Boot { origin } => since_boot() - origin,
            Source::Tokio { origin } => {
                u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
            }
        }
    }
}

fn since_boot() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000
}

//! The one place where durations are measured.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// Measures how long callers wait and permits are held.
///
/// [`Clock::default`] reads the processor's time-stamp counter through `quanta`, which costs less
/// than half of the operating system's clock and is read twice per permit. [`Clock::tokio`]
/// follows tokio's clock, for tests under paused time. Deadlines always follow tokio's clock,
/// because tokio's timers enforce them.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Counter { clock: quanta::Clock, origin: u64 },
    Tokio { origin: Instant },
}

impl Clock {
    /// Follows tokio's clock: stands still and jumps with `tokio::time::{pause, advance}`.
    #[must_use]
    pub fn tokio() -> Self {
        Self(Source::Tokio { origin: Instant::now() })
    }

    /// The default clock, made once.
    pub(crate) fn shared() -> Self {
        static SHARED: OnceLock<Clock> = OnceLock::new();
        SHARED.get_or_init(Self::default).clone()
    }

    /// Nanoseconds since this clock (or the one it was cloned from) was made.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match &self.0 {
            Source::Counter { clock, origin } => clock.delta_as_nanos(*origin, clock.raw()),
            Source::Tokio { origin } => {
                u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
            }
        }
    }

    /// When this clock began, since the Unix epoch, as the calendar has it now.
    ///
    /// For replicas that measure a common backend in turn; what follows is monotonic.
    pub(crate) fn unix_origin(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "read once per limiter, as an offset")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(self.elapsed())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now())
    }
}

impl Default for Clock {
    fn default() -> Self {
        let clock = quanta::Clock::new();
        let origin = clock.raw();
        Self(Source::Counter { clock, origin })
    }
}

//! What was seen of a pool over some time.

use std::time::Duration;

/// Holds are told apart by how full the pool was when they began, in this many equal parts of what
/// may be handed out.
pub const POOL_BANDS: usize = 8;

/// Holds (from having a connection to its return) that began while the pool was about so full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldBand {
    /// How many.
    pub holds: u64,
    /// Sum over the holds of the connections that the limiter had out as each began, its own
    /// included.
    pub in_use_sum: u64,
    /// Sum of their durations.
    pub held: Duration,
}

impl HoldBand {
    /// Connections that were in use on average, the hold's own included; 0 without holds.
    #[must_use]
    pub fn in_use(&self) -> f64 {
        if self.holds == 0 { 0.0 } else { self.in_use_sum as f64 / self.holds as f64 }
    }

    /// How long a connection was held on average; zero without holds.
    #[must_use]
    pub fn hold(&self) -> Duration {
        if self.holds == 0 {
            return Duration::ZERO;
        }
        let seconds = self.held.as_secs_f64() / self.holds as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Holds that ended per second while the pool was about so full: connections in use, divided by
    /// how long each is held (Little's law). 0 if that is not known.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        let hold = self.hold().as_secs_f64();
        if hold > 0.0 { self.in_use() / hold } else { 0.0 }
    }
}

/// What was seen of a pool over some time; [`PoolReport`](super::PoolReport) judges it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolEvidence {
    /// Most connections that the pool may open.
    pub max: u32,
    /// Of them those that are not reserved for others: the most that the limiter hands out.
    pub usable: u32,
    /// Connections that others than the limiter used, at the peak of the last second.
    pub foreign: u32,
    /// How long this was looked at.
    pub elapsed: Duration,
    /// Connections that were handed out and came back.
    pub holds: u64,
    /// Callers that were refused because there was no connection for them in time.
    pub refused: u64,
    /// How long a connection was held on average.
    pub hold_mean: Duration,
    /// What 99 of 100 holds were shorter than.
    pub hold_p99: Duration,
    /// What half of those who got a connection had waited for less than.
    pub wait_p50: Duration,
    /// What 99 of 100 who got a connection had waited for less than.
    pub wait_p99: Duration,
    /// The holds by how full the pool was as they began; [`band`](Self::band) says where one counts.
    pub bands: [HoldBand; POOL_BANDS],
}

impl PoolEvidence {
    /// Which of [`bands`](Self::bands) a hold counts in that began with `in_use` connections out, its
    /// own included, of a limiter that may have `usable` out.
    ///
    /// ```
    /// use floodway_control::PoolEvidence;
    ///
    /// assert_eq!([1, 2, 3, 8, 15, 16, 17].map(|n| PoolEvidence::band(n, 16)), [0, 0, 1, 3, 7, 7, 7]);
    /// ```
    #[must_use]
    pub const fn band(in_use: u32, usable: u32) -> usize {
        let (in_use, usable) = (in_use as usize, usable as usize);
        if in_use == 0 {
            return 0;
        }
        if in_use >= usable {
            return POOL_BANDS - 1;
        }
        (in_use * POOL_BANDS).div_ceil(usable) - 1
    }

    /// `count` by the time that was looked at; 0 if that is none.
    pub(super) fn per_second(&self, count: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    /// Connections that are left to the limiter: usable ones that nobody else used.
    pub(super) const fn own(&self) -> u32 {
        self.usable.saturating_sub(self.foreign)
    }

    /// The least number of connections that sufficed for 99 of 100 holds as they began, rounded up to
    /// the end of a band; all of them if no hold is known.
    pub(super) fn in_use_p99(&self) -> u32 {
        let all = self.bands.iter().map(|band| u128::from(band.holds)).sum::<u128>();
        let mut above = all;
        for (index, band) in (1..).zip(&self.bands) {
            above -= u128::from(band.holds);
            if all > 0 && above * 100 <= all {
                let end = u64::from(self.usable) * index / POOL_BANDS as u64;
                return u32::try_from(end).unwrap_or(self.usable);
            }
        }
        self.usable
    }
}

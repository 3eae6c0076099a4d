//! What the requests of a while saw of a pool.

use std::{fmt, time::Duration};

use super::{DEADLINE, arms::Ended, open_loop::Record};
use crate::measure::median;

/// What came of a lap. Times are in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lap {
    /// Requests a second that were served, and that were served within the bound: the deadline and
    /// the 99th percentile of what a query takes.
    pub(super) served: f64,
    pub(super) goodput: f64,
    /// Requests that the pool itself gave up on, that were refused in front of it, and that failed.
    pub(super) timeouts: f64,
    pub(super) refused: f64,
    pub(super) failed: f64,
    /// Connections that were opened in it.
    pub(super) backends: f64,
    /// Of those that were served, from the moment at which they came.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// The 99th percentile of them, as a part of the bound.
    pub(super) over_bound: f64,
    /// The 99th percentile of the time in the process of those that were refused before their
    /// deadline, and of how late the others were told.
    pub(super) refusal_p99: f64,
    /// Of the former alone.
    pub(super) early_p99: f64,
    /// The 99th percentile of how late requests were handed to the runtime.
    pub(super) lag_p99: f64,
}

impl Lap {
    pub(super) fn new(records: &[Record], counted: Duration, backends: u64) -> Self {
        let mut services = Vec::new();
        let mut latencies = Vec::new();
        let [mut refusals, mut early] = [Vec::new(), Vec::new()];
        let [mut timeouts, mut refused, mut failed] = [0.0; 3];
        for record in records {
            match record.ended {
                Ended::Served(service) => {
                    services.push(service.as_secs_f64());
                    latencies.push(record.latency.as_secs_f64());
                    continue;
                }
                Ended::PoolTimedOut => timeouts += 1.0,
                Ended::Refused => refused += 1.0,
                Ended::Failed => failed += 1.0,
                Ended::Left => continue,
            }
            match record.inside.checked_sub(DEADLINE) {
                Some(late) => refusals.push(late.as_secs_f64()),
                None => early.push(record.inside.as_secs_f64()),
            }
        }
        refusals.extend_from_slice(&early);
        let mut lags: Vec<_> = records.iter().map(|record| record.lag.as_secs_f64()).collect();
        let bound = DEADLINE.as_secs_f64() + quantile(&mut services, 0.99).unwrap_or_default();
        let good = latencies.iter().filter(|latency| **latency <= bound).count();
        let per_s = |count: usize| count as f64 / counted.as_secs_f64();
        let p99 = quantile(&mut latencies, 0.99).unwrap_or(f64::NAN);
        Self {
            served: per_s(latencies.len()),
            goodput: per_s(good),
            timeouts,
            refused,
            failed,
            backends: backends as f64,
            p50: quantile(&mut latencies, 0.5).unwrap_or(f64::NAN),
            p99,
            over_bound: p99 / bound,
            refusal_p99: quantile(&mut refusals, 0.99).unwrap_or_default(),
            early_p99: quantile(&mut early, 0.99).unwrap_or_default(),
            lag_p99: quantile(&mut lags, 0.99).unwrap_or_default(),
        }
    }
}

fn quantile(values: &mut [f64], of: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * of) as usize).copied()
}

/// The laps of one arm.
pub(super) struct Laps {
    pub(super) name: &'static str,
    pub(super) laps: Vec<Lap>,
}

impl Laps {
    pub(super) const fn none(name: &'static str) -> Self {
        Self { name, laps: Vec::new() }
    }

    pub(super) fn median(&self, of: impl Fn(&Lap) -> f64) -> f64 {
        median(self.laps.iter().map(of).collect())
    }

    pub(super) fn sum(&self, of: impl Fn(&Lap) -> f64) -> f64 {
        self.laps.iter().map(of).sum()
    }
}

/// What the columns of [`Laps`] are.
pub(super) const HEADER: &str = "  arm         goodput/s  (lowest–highest)  served/s  \
     p50 ms  p99 ms  time-outs  refused  failed  opened  refusal p99 ms  (early)  lag p99 ms";

impl fmt::Display for Laps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = || self.laps.iter().map(|lap| lap.goodput);
        let (low, high) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
        let Self { name, .. } = self;
        let goodput = self.median(|lap| lap.goodput);
        let spread = format!("({low:.0}–{high:.0})");
        let served = self.median(|lap| lap.served);
        let [p50, p99] = [self.median(|lap| lap.p50), self.median(|lap| lap.p99)].map(milli);
        let [timeouts, refused] = [self.sum(|lap| lap.timeouts), self.sum(|lap| lap.refused)];
        let [failed, opened] = [self.sum(|lap| lap.failed), self.sum(|lap| lap.backends)];
        let refusal = milli(self.median(|lap| lap.refusal_p99));
        let early = milli(self.median(|lap| lap.early_p99));
        let lag = milli(self.median(|lap| lap.lag_p99));
        write!(
            f,
            "  {name:<10} {goodput:>10.0} {spread:>17} {served:>9.0} {p50:>7.0} {p99:>7.0} \
             {timeouts:>10.0} {refused:>8.0} {failed:>7.0} {opened:>7.0} {refusal:>15.2} \
             {early:>8.3} {lag:>11.2}"
        )
    }
}

fn milli(seconds: f64) -> f64 {
    seconds * 1e3
}

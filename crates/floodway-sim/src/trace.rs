//! What a run looked like: counts and latencies, in all and over time.

/// The limit is read this often, in nanoseconds; no multiple of it is a second, so that nothing
/// which happens on whole seconds is seen always or never.
pub const TICK: u64 = 97_000_000;

const BUCKETS: usize = 2_000;

/// Counts and latencies of a run.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Callers who came, for the first time.
    pub offered: u64,
    /// Refusals.
    pub rejected: u64,
    /// The run second by second.
    pub seconds: Vec<Second>,
    /// Operations that ended in time, by limiter, in the second half of the last phase.
    pub shares: Vec<u64>,
    /// Latencies up to the deadline, in as many equal steps; a timeout is in the last.
    latencies: Vec<u32>,
    deadline: u64,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    /// Sum of the limits of all replicas, at each tick.
    pub limits: f64,
    /// How often the limits were read.
    pub ticks: u32,
    /// Callers who came.
    pub offered: u32,
    /// Refusals.
    pub rejected: u32,
    /// Ended in time.
    pub good: u32,
    /// Ended in time or too late.
    pub ended: u32,
    /// Sum over those that ended, in seconds.
    pub latency: f64,
}

impl Second {
    /// The mean limit of all replicas together.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limits / f64::from(self.ticks.max(1))
    }

    /// In seconds.
    #[must_use]
    pub fn mean_latency(&self) -> f64 {
        self.latency / f64::from(self.ended.max(1))
    }
}

impl Trace {
    /// Of a run of `length` seconds, with a deadline in nanoseconds.
    #[must_use]
    pub fn new(length: f64, deadline: u64, replicas: usize) -> Self {
        Self {
            offered: 0,
            rejected: 0,
            seconds: vec![Second::default(); length.ceil() as usize],
            shares: vec![0; replicas],
            latencies: vec![0; BUCKETS + 1],
            deadline,
        }
    }

    /// The second in which `now` is, in nanoseconds.
    pub fn second(&mut self, now: u64) -> &mut Second {
        let last = self.seconds.len() - 1;
        &mut self.seconds[((now / 1_000_000_000) as usize).min(last)]
    }

    /// Counts an operation that ended `now` after `latency`, both in nanoseconds.
    pub fn ended(&mut self, now: u64, latency: u64, good: bool) {
        let bucket = (latency as usize * BUCKETS / self.deadline as usize).min(BUCKETS);
        self.latencies[bucket] += 1;
        let second = self.second(now);
        second.ended += 1;
        second.good += u32::from(good);
        second.latency += latency as f64 * 1e-9;
    }

    /// Operations that ended in time.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.good_between(0, self.seconds.len())
    }

    /// Operations that ended in time, from one second to another.
    #[must_use]
    pub fn good_between(&self, from: usize, to: usize) -> u64 {
        self.seconds[from..to.min(self.seconds.len())].iter().map(|s| u64::from(s.good)).sum()
    }

    /// The mean limit, from one second to another.
    #[must_use]
    pub fn limit_between(&self, from: usize, to: usize) -> f64 {
        let seconds = &self.seconds[from..to];
        seconds.iter().map(Second::limit).sum::<f64>() / seconds.len() as f64
    }

    /// The latency that 99 % of all operations stay below, in seconds; timeouts count as the
    /// deadline.
    #[must_use]
    pub fn p99(&self) -> f64 {
        let all: u64 = self.latencies.iter().map(|&count| u64::from(count)).sum();
        let mut left = (all as f64 * 0.99) as u64;
        for (bucket, &count) in self.latencies.iter().enumerate() {
            if left < u64::from(count) {
                return (bucket + 1).min(BUCKETS) as f64 / BUCKETS as f64
                    * self.deadline as f64
                    * 1e-9;
            }
            left -= u64::from(count);
        }
        0.0
    }

    /// Jain's index of the shares of the limiters: 1 if all are equal, 1/n if one has everything.
    ///
    /// Source: R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness and discrimination
    /// for resource allocation in shared computer systems", DEC-TR-301, 1984.
    #[must_use]
    pub fn fairness(&self) -> f64 {
        let sum: f64 = self.shares.iter().map(|&share| share as f64).sum();
        let squares: f64 = self.shares.iter().map(|&share| (share as f64).powi(2)).sum();
        if squares > 0.0 { sum * sum / (squares * self.shares.len() as f64) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        Trace::new(2.0, 1_000_000_000, 2)
    }

    #[test]
    fn a_percentile_is_right_to_a_step_and_a_timeout_is_the_deadline() {
        let mut trace = trace();
        for millis in 1..=1_000 {
            trace.ended(0, millis * 1_000_000, true);
        }
        assert!((trace.p99() - 0.99).abs() < 0.002, "{}", trace.p99());
        for _ in 0..1_000 {
            trace.ended(0, 5_000_000_000, false);
        }
        assert!((trace.p99() - 1.0).abs() < 1e-9);
        assert_eq!(trace.good(), 1_000);
    }

    #[test]
    fn fairness_is_one_for_equals_and_a_half_if_one_of_two_has_everything() {
        let mut trace = trace();
        trace.shares = vec![7, 7];
        assert!((trace.fairness() - 1.0).abs() < 1e-9);
        trace.shares = vec![7, 0];
        assert!((trace.fairness() - 0.5).abs() < 1e-9);
    }
}

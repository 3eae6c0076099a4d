//! A distribution of latencies, and how far one lies behind another.

use crate::Window;

/// A baseline counts for at most so many samples, so that a few dozen probes outweigh the past.
const MEMORY: f64 = 2_000.0;

/// Latencies, in seconds.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    deciles: [f64; 9],
    pub(super) mean: f64,
    pub(super) samples: f64,
}

impl Profile {
    /// `None` of a window without a success.
    pub(super) fn of(window: &Window) -> Option<Self> {
        (window.successes > 0).then(|| Self {
            deciles: window.latency_deciles.map(|decile| decile.as_secs_f64()),
            // At least what a `Duration` can tell from nothing, so that quotients stay finite.
            mean: window.mean_latency.as_secs_f64().max(1e-9),
            samples: f64::from(window.successes),
        })
    }

    pub(super) fn median(&self) -> f64 {
        self.deciles[4]
    }

    /// How much longer operations take than in `base`, and the standard error of that.
    ///
    /// Waiting in line moves all deciles by about the same. Their median shift is that of most
    /// operations even where some deciles lie on the edge between two kinds of operations, and
    /// jump from one to the other by chance.
    pub(super) fn shift(&self, base: &Self) -> (f64, f64) {
        let mut shifts = [0.0; 9];
        for (shift, (own, base)) in shifts.iter_mut().zip(self.deciles.iter().zip(base.deciles)) {
            *shift = own - base;
        }
        shifts.sort_unstable_by(f64::total_cmp);
        (shifts[4], self.error().hypot(base.error()))
    }

    /// The standard error of the median: 1 / (2 f √n), with the density f from the deciles beside
    /// it.
    pub(super) fn error(&self) -> f64 {
        self.error_of(self.samples)
    }

    /// The standard error of the median of so many samples of this distribution.
    pub(super) fn error_of(&self, samples: f64) -> f64 {
        (self.deciles[6] - self.deciles[2]) / 0.4 / 2.0 / samples.sqrt()
    }

    /// Both, each with the weight of its samples.
    pub(super) fn merge(&mut self, other: &Self) {
        let total = self.samples + other.samples;
        let weight = other.samples / total;
        for (own, other) in self.deciles.iter_mut().zip(other.deciles) {
            *own += (other - *own) * weight;
        }
        self.mean += (other.mean - self.mean) * weight;
        self.samples = total.min(MEMORY);
    }
}

//! `AutoBatchingMixin` of [joblib](https://github.com/joblib/joblib).

use std::time::Duration;

use floodway_control::{BatchDecision, BatchQueue};

use super::{Answer, Batcher, dispatch};
use crate::batch::MAX_SIZE;

/// Doubles until a batch takes long enough, and goes back when it takes ten times that.
#[derive(Debug)]
pub(super) struct Joblib {
    /// Seconds.
    target: f64,
    items: u64,
    /// Of batches of the current size alone; 0 before the first.
    duration: f64,
}

impl Joblib {
    pub(super) fn new(overhead: Duration) -> Self {
        Self { target: 19.0 * overhead.as_secs_f64(), items: 1, duration: 0.0 }
    }

    fn resize(&mut self) {
        let before = self.items;
        let ideal = 2 * (self.items as f64 * self.target / self.duration) as u64;
        if self.duration > 0.0 && self.duration < self.target {
            self.items = ideal.min(2 * self.items).clamp(1, MAX_SIZE as u64);
        } else if self.duration > 10.0 * self.target && self.items > 1 {
            self.items = ideal.max(1);
        }
        if self.items != before {
            self.duration = 0.0;
        }
    }
}

impl Batcher for Joblib {
    fn decide(&mut self, _: Duration, _: &BatchQueue, _: Duration) -> BatchDecision {
        self.resize();
        dispatch(self.items as usize)
    }

    fn record(&mut self, answer: Answer) {
        if answer.items as u64 == self.items {
            let time = answer.time.as_secs_f64();
            let before = self.duration;
            self.duration = if before == 0.0 { time } else { 0.8 * before + 0.2 * time };
        }
    }
}

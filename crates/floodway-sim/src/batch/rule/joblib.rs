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
        if self.duration == 0.0 {
            return;
        }
        let ideal = 2 * (self.items as f64 * self.target / self.duration) as u64;
        if self.duration < self.target {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn next(rule: &mut Joblib, seconds: f64) -> u64 {
        let items = rule.items as usize;
        let time = Duration::from_secs_f64(seconds);
        rule.record(Answer { now: time, items, time, wait: Duration::ZERO, run: None });
        rule.resize();
        rule.items
    }

    #[test]
    fn it_doubles_at_most_and_goes_back_at_once() {
        let mut rule = Joblib::new(Duration::from_secs_f64(0.2 / 19.0));
        let fast = [0.001, 0.002, 0.004].map(|seconds| next(&mut rule, seconds));
        assert_eq!(fast, [2, 4, 8]);
        // Twice ⌊8 · 0.2 / 0.15⌋ would be 20, and then nothing between 0.2 s and 2 s.
        assert_eq!(next(&mut rule, 0.15), 16);
        assert_eq!(next(&mut rule, 0.3), 16);
        // 0.8 · 0.3 + 0.2 · 20 = 4.24 s: twice ⌊16 · 0.2 / 4.24⌋ is nothing.
        assert_eq!(next(&mut rule, 20.0), 1);
    }

    #[test]
    fn batches_of_another_size_say_nothing() {
        let mut rule = Joblib::new(Duration::from_millis(10));
        let time = Duration::from_millis(1);
        rule.record(Answer { now: time, items: 3, time, wait: Duration::ZERO, run: None });
        rule.resize();
        assert_eq!(rule.items, 1);
    }
}

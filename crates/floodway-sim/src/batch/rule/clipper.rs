//! The batch sizes of [Clipper], by additive increase and multiplicative decrease.
//!
//! [Clipper]: https://www.usenix.org/conference/nsdi17/technical-sessions/presentation/crankshaw

use std::time::Duration;

use floodway_control::{BatchDecision, BatchQueue};

use super::{Answer, Batcher, dispatch};
use crate::batch::MAX_SIZE;

/// The objective of the paper's experiments.
const OBJECTIVE: Duration = Duration::from_millis(20);

/// One more after each batch within the objective, a tenth less after one beyond it. A batch that
/// had less than it might have had says nothing, except that it took too long.
#[derive(Debug)]
pub(super) struct Clipper {
    objective: Duration,
    size: f64,
}

impl Clipper {
    pub(super) fn new(objective: Option<Duration>) -> Self {
        Self { objective: objective.unwrap_or(OBJECTIVE), size: 1.0 }
    }
}

impl Batcher for Clipper {
    fn decide(&mut self, _: Duration, _: &BatchQueue, _: Duration) -> BatchDecision {
        dispatch(self.size as usize)
    }

    fn record(&mut self, answer: Answer) {
        if answer.time > self.objective {
            self.size = (0.9 * self.size).max(1.0);
        } else if answer.items >= self.size as usize {
            self.size = (self.size + 1.0).min(MAX_SIZE as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(rule: &mut Clipper, items: usize, millis: u64) -> f64 {
        let time = Duration::from_millis(millis);
        rule.record(Answer { now: time, items, time, wait: Duration::ZERO, run: None });
        rule.size
    }

    #[test]
    fn one_more_within_the_objective_and_a_tenth_less_beyond_it() {
        let mut rule = Clipper::new(None);
        assert_eq!([1, 2, 3].map(|items| next(&mut rule, items, 20)), [2.0, 3.0, 4.0]);
        assert_eq!(next(&mut rule, 3, 20), 4.0, "it had fewer than it might have");
        assert_eq!(next(&mut rule, 4, 21), 3.6);
        assert_eq!(next(&mut rule, 3, 20), 4.6);
    }
}

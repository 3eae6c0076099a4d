//! The dispatcher of [BentoML](https://github.com/bentoml/BentoML), without its shedding.

use std::{collections::VecDeque, time::Duration};

use floodway_control::{BatchDecision, BatchQueue};

use super::{Answer, Batcher, dispatch};
use crate::batch::MAX_SIZE;

/// Batches that the fit rests on.
const KEPT: usize = 50;
/// Batches before the first that is kept.
const SKIPPED: u64 = 2;
const TICK: f64 = 0.001;
const DECAY: f64 = 0.95;

/// What it believes before it has measured, with its default maximum latency of 10 s.
const ITEM: f64 = 10.0 * 2.0 / 30.0;
const OVERHEAD: f64 = 10.0 / 30.0;
const WAIT: f64 = 0.01;

/// Sends all that waits when waiting for another item would cost those that wait more than the mean
/// wait so far. Begins with three batches of one, one of two and one of three. It fits after every
/// batch, where the original does so every five seconds, which is longer than a run.
#[derive(Debug)]
pub(super) struct Bento {
    /// Items, time and wait of each, in seconds.
    kept: VecDeque<(f64, f64, f64)>,
    answered: u64,
    item: f64,
    overhead: f64,
    wait: f64,
}

impl Bento {
    pub(super) fn new() -> Self {
        Self { kept: VecDeque::new(), answered: 0, item: ITEM, overhead: OVERHEAD, wait: WAIT }
    }

    /// Least squares of time on items. Where all sizes are equal, the solution of least norm, as
    /// numpy's `lstsq` gives it.
    fn fit(&mut self) {
        let count = self.kept.len() as f64;
        let sum = |of: fn(&(f64, f64, f64)) -> f64| self.kept.iter().map(of).sum::<f64>();
        let items = sum(|kept| kept.0) / count;
        let time = sum(|kept| kept.1) / count;
        let squares = sum(|kept| kept.0 * kept.0) / count - items * items;
        let products = sum(|kept| kept.0 * kept.1) / count - items * time;
        let (item, overhead) = if squares > 1e-9 * items * items {
            let item = products / squares;
            (item, time - item * items)
        } else {
            let norm = items * items + 1.0;
            (time * items / norm, time / norm)
        };
        self.wait = sum(|kept| kept.2) / count;
        self.item = item.max(0.000_001);
        self.overhead = overhead.max(0.0);
    }

    fn trains(&self) -> Option<usize> {
        match self.answered {
            0..=SKIPPED => Some(1),
            3 => Some(2),
            4 => Some(3),
            _ => None,
        }
    }
}

impl Batcher for Bento {
    fn decide(&mut self, now: Duration, queue: &BatchQueue, newest: Duration) -> BatchDecision {
        let tick = BatchDecision::Wait { items: usize::MAX, until: now };
        let [oldest, newest] = [queue.oldest, newest].map(|at| (now - at).as_secs_f64());
        let count = queue.queued as f64;
        if let Some(size) = self.trains() {
            // It waits for the second and the third for about the time of two batches.
            let most = (2 * size + 1) as f64 * (self.item + self.overhead);
            let time = size as f64 * self.item + self.overhead;
            if queue.queued < size && time + oldest <= most {
                return tick;
            }
            return dispatch(size);
        }
        let costs = count * (newest + TICK + self.item);
        if queue.queued < MAX_SIZE && costs <= DECAY * self.wait {
            return tick;
        }
        dispatch(MAX_SIZE)
    }

    fn record(&mut self, answer: Answer) {
        self.answered += 1;
        if self.answered <= SKIPPED {
            return;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        let [time, wait] = [answer.time, answer.wait].map(|time| time.as_secs_f64());
        self.kept.push_back((answer.items as f64, time, wait));
        self.fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After batches of these sizes and milliseconds, the oldest item of each having waited 10 ms.
    fn after(batches: &[(usize, u64)]) -> Bento {
        let mut rule = Bento::new();
        let wait = Duration::from_millis(10);
        for &(items, time) in [(1, 50), (1, 50)].iter().chain(batches) {
            let time = Duration::from_millis(time);
            rule.record(Answer { now: time, items, time, wait, run: None });
        }
        rule
    }

    #[test]
    fn it_fits_a_line_to_what_it_does_not_skip() {
        let rule = after(&[(1, 3), (2, 4), (5, 7)]);
        assert!((rule.item - 1e-3).abs() < 1e-9, "{rule:?}");
        assert!((rule.overhead - 2e-3).abs() < 1e-9, "{rule:?}");
    }

    #[test]
    fn at_a_constant_size_the_overhead_vanishes() {
        let rule = after(&[(100, 200), (100, 200), (100, 200)]);
        assert!((rule.overhead - 0.2 / 10_001.0).abs() < 1e-9, "{rule:?}");
    }

    #[test]
    fn it_waits_while_that_costs_less_than_the_mean_wait() {
        let mut rule = after(&[(1, 3), (2, 4), (5, 7)]);
        let mut asked = |queued: usize, newest: u64| {
            let now = Duration::from_millis(100);
            let queue = BatchQueue {
                queued,
                weight: 0,
                oldest: now - Duration::from_millis(newest),
                arrived: queued as u64,
                partitions: 1,
                in_flight: 1,
                unanswered: 1,
                slots: 16,
            };
            rule.decide(now, &queue, queue.oldest)
        };
        // n · (newest + 1 ms + 1 ms), beside 9.5 ms.
        assert!(matches!(asked(2, 2), BatchDecision::Wait { .. }));
        assert!(matches!(asked(2, 3), BatchDecision::Dispatch(_)));
        assert!(matches!(asked(4, 0), BatchDecision::Wait { .. }));
        assert!(matches!(asked(5, 0), BatchDecision::Dispatch(_)));
    }
}

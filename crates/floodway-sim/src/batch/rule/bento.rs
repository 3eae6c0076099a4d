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

//! How many items arrive, and how large batches have to be for that.

use std::time::Duration;

use super::cost::{Line, seconds};

// All constants: docs/decisions/0011-batch-sizes.md.

/// The part of the time that items leave idle in which batches of the size asked for have their
/// overhead.
const BUSY: f64 = 0.7;

/// The rate of arrivals is that of so many batches' time, and of so many arrivals at least.
const BATCHES: f64 = 32.0;
const ARRIVALS: f64 = 32.0;

#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    last: Option<(Duration, u64)>,
    /// Items and seconds, the older the less.
    items: f64,
    time: f64,
}

impl Load {
    /// Takes how many items have `arrived` by `now`, where a batch takes about `batch` seconds.
    pub(super) fn observe(&mut self, now: Duration, arrived: u64, batch: f64) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, arrived));
            return;
        };
        let time = now.saturating_sub(then);
        if time.is_zero() {
            return;
        }
        self.last = Some((now, arrived));
        let time = seconds(time);
        // Forgets what is older than the window, in a form that needs no exponential.
        let window = (BATCHES * batch).max(ARRIVALS * self.time / self.items.max(1e-9));
        let keep = 1.0 / (1.0 + time / window.max(1e-9));
        self.items = self.items * keep + arrived.saturating_sub(before) as f64;
        self.time = self.time * keep + time;
    }

    /// Items per second.
    pub(super) fn rate(&self) -> f64 {
        if self.time > 0.0 { self.items / self.time } else { 0.0 }
    }

    /// The least size with which `slots` batches at a time keep up and have room to spare; `None` if
    /// none does.
    pub(super) fn needed(&self, line: Line, slots: usize) -> Option<usize> {
        let rate = self.rate();
        let idle = slots.max(1) as f64 - rate * line.item;
        (idle > 0.0).then(|| ((rate * line.overhead() / (BUSY * idle)).ceil() as usize).max(1))
    }
}

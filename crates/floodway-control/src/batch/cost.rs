//! What an item costs, and how far the time of a batch is from what is expected.

use std::time::Duration;

/// Batches whose median is the cost of an item.
const BATCHES: usize = 32;

/// Weight of a batch in the typical residual.
const WEIGHT: f64 = 1.0 / 32.0;

/// What a batch is expected to take: β · (r + items), in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) ratio: f64,
    pub(super) item: f64,
}

impl Line {
    pub(super) fn overhead(&self) -> f64 {
        self.ratio * self.item
    }

    pub(super) fn time(&self, items: f64) -> f64 {
        (self.ratio + items) * self.item
    }
}

/// The last batches.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    /// Items and seconds.
    batches: [(f64, f64); BATCHES],
    recorded: usize,
    line: Option<Line>,
    residual: f64,
}

impl Cost {
    pub(super) fn new() -> Self {
        Self { batches: [(0.0, 0.0); BATCHES], recorded: 0, line: None, residual: 0.0 }
    }

    pub(super) fn line(&self) -> Option<Line> {
        self.line
    }

    /// How far batches are from the line, as a typical logarithm.
    pub(super) fn residual(&self) -> f64 {
        self.residual
    }

    /// Takes a batch; returns the logarithm of its time over the expected one.
    pub(super) fn add(&mut self, items: f64, time: f64) -> Option<f64> {
        let residual = self.line.map(|line| (time / line.time(items)).ln());
        if let Some(residual) = residual {
            // An outlier counts as a large one, not as what it is.
            self.residual += (residual.abs().min(1.0) - self.residual) * WEIGHT;
        }
        self.batches[self.recorded % BATCHES] = (items, time);
        self.recorded += 1;
        residual
    }

    /// Draws the line anew, with this ratio of overhead to item.
    pub(super) fn fit(&mut self, ratio: f64) {
        let mut costs = [0.0; BATCHES];
        let costs = &mut costs[..self.recorded.min(BATCHES)];
        if costs.is_empty() {
            return;
        }
        for (cost, (items, time)) in costs.iter_mut().zip(&self.batches) {
            *cost = time / (ratio + items);
        }
        let middle = costs.len() / 2;
        let (_, item, _) = costs.select_nth_unstable_by(middle, f64::total_cmp);
        self.line = Some(Line { ratio, item: *item });
    }
}

/// Seconds, at least a nanosecond: what took no time was too short for the clock.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().max(1e-9)
}

/// Stops at the ends of the range.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

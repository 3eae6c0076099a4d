//! What an item costs, and how far the time of a batch is from what is expected.

use std::time::Duration;

// All constants: docs/decisions/0011-batch-sizes.md.

/// Batches whose median is the cost of an item.
const BATCHES: usize = 64;

/// Batches between two medians, once there are many.
const EVERY: usize = 8;

/// Weight of a batch in the typical residual, and the most that one counts.
const WEIGHT: f64 = 1.0 / 32.0;
const MOST: f64 = 1.0;

/// What a batch is expected to take: `item · (ratio + items)`, in seconds.
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

/// The cost of an item: the median over the last batches, given the ratio.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    /// Items and seconds.
    batches: [(f64, f64); BATCHES],
    recorded: usize,
    line: Option<Line>,
    residual: f64,
    /// How many it is the mean of, while they are few.
    residuals: u8,
}

impl Cost {
    pub(super) fn new() -> Self {
        Self {
            batches: [(0.0, 0.0); BATCHES],
            recorded: 0,
            line: None,
            residual: 0.0,
            residuals: 0,
        }
    }

    /// `None` before the first pair.
    pub(super) fn line(&self) -> Option<Line> {
        self.line
    }

    /// How far batches are from the line, as a mean absolute logarithm.
    pub(super) fn residual(&self) -> f64 {
        self.residual
    }

    /// Takes a batch; returns the logarithm of its time over the expected one.
    pub(super) fn add(&mut self, items: f64, time: f64) -> Option<f64> {
        let residual = self.line.map(|line| (time / line.time(items)).ln());
        if let Some(residual) = residual {
            // The first are averaged, those later forgotten.
            self.residuals = self.residuals.saturating_add(1);
            let weight = (1.0 / f64::from(self.residuals)).max(WEIGHT);
            self.residual += (residual.abs().min(MOST) - self.residual) * weight;
        }
        self.batches[self.recorded % BATCHES] = (items, time);
        self.recorded += 1;
        residual
    }

    /// Draws the line with this ratio.
    pub(super) fn fit(&mut self, ratio: f64) {
        let same = self.line.is_some_and(|line| line.ratio == ratio);
        if same && self.recorded > BATCHES && !self.recorded.is_multiple_of(EVERY) {
            return;
        }
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

    /// Forgets all but the last `keep` batches, as they are not what batches cost now.
    pub(super) fn keep(&mut self, keep: usize) {
        let keep = keep.min(self.recorded);
        let mut last = [(0.0, 0.0); BATCHES];
        for (index, batch) in last.iter_mut().take(keep).enumerate() {
            *batch = self.batches[(self.recorded - keep + index) % BATCHES];
        }
        (self.batches, self.recorded) = (last, keep);
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

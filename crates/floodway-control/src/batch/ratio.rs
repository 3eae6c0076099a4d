//! The ratio of a batch's overhead to the cost of an item, from pairs of batches.

use std::{array, mem};

use super::change::{Change, change};

// All constants: docs/decisions/0011-batch-sizes.md.

/// Pairs that are looked at. They are forgotten sooner when the ratio changes.
pub(super) const PAIRS: usize = 96;

/// Ratios that are tried: from a hundredth, below which nothing is to be gained, each 1.15 times the
/// one before, up to 510,000.
pub(super) const GRID: usize = 128;
const LEAST: f64 = 0.01;
const STEP: f64 = 1.15;

/// A ratio is hardly true if it is this much less likely than the best, as a logarithm: one-sided,
/// 5 % are.
const UNLIKELY: f64 = 1.35;

/// The factor between a high and a low ratio that leaves nothing to decide.
const NARROW: f64 = 2.5;

/// While there are few pairs their deviation is not known. It is taken for the mean of what they
/// say and so many pairs with the deviation of noisy ones.
const ASSUMED: f64 = 4.0;
const NOISY: f64 = 0.3;

/// Two batches of different size that ran so near to each other that whatever made the downstream
/// slow concerned both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// Items of the smaller and of the larger batch.
    pub(super) small: f64,
    pub(super) large: f64,
    /// Logarithm of the time of the small one over that of the large one.
    pub(super) log_times: f64,
}

impl Pair {
    /// Logarithm of the cost of an item in the small batch over that in the large one.
    pub(super) fn gain(&self) -> f64 {
        self.log_times + (self.large / self.small).ln()
    }

    /// By how much the times differ from what a ratio of `r` explains.
    fn deviation(&self, r: f64) -> f64 {
        (self.log_times - ((r + self.small) / (r + self.large)).ln()).abs()
    }
}

/// What one pair adds to the loss of each ratio of the grid. In single precision, so that what is
/// added up in double precision can be subtracted again and leaves nothing.
pub(super) type Column = [f32; GRID];

/// The ratio with the least absolute deviation over the last pairs.
///
/// Absolute, so that an outlier counts no more than any other pair. And of ratios of times: a
/// downstream that is slow for a while gets larger batches because of it, and a regression takes
/// that for large batches being slow.
#[derive(Clone, Debug)]
pub(super) struct Ratio {
    grid: [f64; GRID],
    /// Sums of the columns.
    loss: [f64; GRID],
    columns: Vec<Column>,
    /// Where the next column goes once there are `PAIRS`.
    next: usize,
    best: Option<Estimate>,
}

/// A ratio, and between which the true one is likely to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Estimate {
    /// Whether a size chosen by it is about right.
    pub(super) fn is_narrow(&self) -> bool {
        self.high <= NARROW * self.low
    }
}

impl Ratio {
    pub(super) fn new() -> Self {
        Self {
            grid: array::from_fn(|index| LEAST * STEP.powi(index as i32)),
            loss: [0.0; GRID],
            columns: Vec::new(),
            next: 0,
            best: None,
        }
    }

    pub(super) fn pairs(&self) -> usize {
        self.columns.len()
    }

    /// `None` before the first pair.
    pub(super) fn estimate(&self) -> Option<Estimate> {
        self.best
    }

    /// Takes a pair. If the last pairs say something else than those before, forgets the latter.
    pub(super) fn add(&mut self, pair: Pair) -> Change {
        self.push(array::from_fn(|index| pair.deviation(self.grid[index]) as f32));
        let pairs = self.columns.len();
        let newest_first =
            (0..pairs).map(|age| &self.columns[(self.next + pairs - 1 - age) % pairs]);
        let change = change(&self.loss, newest_first);
        if let Change::Sure { since } = change {
            self.keep(since);
        }
        self.best = Some(self.search());
        change
    }

    fn push(&mut self, column: Column) {
        for (sum, loss) in self.loss.iter_mut().zip(&column) {
            *sum += f64::from(*loss);
        }
        if self.columns.len() < PAIRS {
            self.columns.push(column);
            return;
        }
        let old = mem::replace(&mut self.columns[self.next], column);
        for (sum, loss) in self.loss.iter_mut().zip(&old) {
            *sum -= f64::from(*loss);
        }
        self.next = (self.next + 1) % PAIRS;
    }

    /// Forgets all but the last `pairs`.
    fn keep(&mut self, pairs: usize) {
        self.columns.rotate_left(self.next);
        let kept = self.columns.split_off(self.columns.len() - pairs);
        self.columns.clear();
        (self.loss, self.next) = ([0.0; GRID], 0);
        for column in kept {
            self.push(column);
        }
    }

    fn search(&self) -> Estimate {
        let best = least(self.loss.iter().copied());
        let pairs = self.columns.len() as f64;
        let deviation = (self.loss[best] + ASSUMED * NOISY) / (pairs + ASSUMED);
        let likely = |&loss: &f64| loss <= self.loss[best] + UNLIKELY * deviation;
        let low = self.loss.iter().position(likely).unwrap_or(best);
        let high = self.loss.iter().rposition(likely).unwrap_or(best);
        Estimate {
            value: self.grid[best],
            low: if low == 0 { 0.0 } else { self.grid[low] },
            high: if high == GRID - 1 { f64::INFINITY } else { self.grid[high] },
        }
    }
}

/// Where the least value is.
pub(super) fn least(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::INFINITY);
    for (index, value) in values.enumerate() {
        if value < best.1 {
            best = (index, value);
        }
    }
    best.0
}

//! The ratio of a batch's overhead to the cost of an item, from pairs of batches near in time.

use std::array;

/// Pairs that are looked at.
const PAIRS: usize = 24;

/// Ratios that are tried: 128 from 0.01, each 1.15 times the one before, up to 510,000. Below the
/// first nothing is to be gained; a step is a tenth of what noise of 30 % leaves undecided.
const GRID: usize = 128;
const LEAST: f64 = 0.01;
const STEP: f64 = 1.15;

/// Two batches of different size that ran so near to each other that whatever made the downstream
/// slow concerned both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// Items of the smaller and of the larger batch.
    pub(super) small: f64,
    pub(super) large: f64,
    /// Logarithm of the time of the small one over that of the large one.
    pub(super) log_ratio: f64,
}

impl Pair {
    /// By how much the small batch took longer than a ratio of `r` explains, as a logarithm.
    /// Positive if the ratio is larger.
    pub(super) fn surprise(&self, r: f64) -> f64 {
        self.log_ratio - ((r + self.small) / (r + self.large)).ln()
    }

    /// The ratio that explains this pair alone.
    fn ratio(&self) -> f64 {
        let times = self.log_ratio.exp();
        if times >= 1.0 {
            return f64::INFINITY;
        }
        ((times * self.large - self.small) / (1.0 - times)).max(0.0)
    }
}

/// The least absolute deviation over the last pairs.
///
/// Absolute, so that an outlier counts no more than any other pair. Ratios of times, so that a
/// downstream that is slow for a while, and gets larger batches because of it, is not taken for one
/// where large batches are slow, which is what a regression does.
#[derive(Clone, Debug)]
pub(super) struct Ratio {
    grid: [f64; GRID],
    /// Σ |surprise| for each ratio of the grid, kept up to date by adding and subtracting columns.
    loss: [f64; GRID],
    /// Oldest first once `PAIRS` are there, from `oldest`.
    columns: Vec<Column>,
    oldest: usize,
    best: Option<Best>,
}

/// What one pair adds for each ratio of the grid. Single precision, so that what is added in double
/// precision is subtracted again without a rest.
#[derive(Clone, Debug)]
struct Column {
    pair: Pair,
    ratio: f64,
    loss: [f32; GRID],
}

#[derive(Clone, Copy, Debug)]
struct Best {
    ratio: f64,
    low: f64,
}

impl Ratio {
    pub(super) fn new() -> Self {
        Self {
            grid: array::from_fn(|index| LEAST * STEP.powi(index as i32)),
            loss: [0.0; GRID],
            columns: Vec::new(),
            oldest: 0,
            best: None,
        }
    }

    pub(super) fn pairs(&self) -> usize {
        self.columns.len()
    }

    /// The estimate; `None` before the first pair.
    pub(super) fn value(&self) -> Option<f64> {
        self.best.map(|best| best.ratio)
    }

    /// A ratio that the true one is hardly below.
    pub(super) fn low(&self) -> Option<f64> {
        self.best.map(|best| best.low)
    }

    pub(super) fn add(&mut self, pair: Pair) {
        let loss = array::from_fn(|index| pair.surprise(self.grid[index]).abs() as f32);
        let column = Column { pair, ratio: pair.ratio(), loss };
        for (sum, loss) in self.loss.iter_mut().zip(&column.loss) {
            *sum += f64::from(*loss);
        }
        if self.columns.len() < PAIRS {
            self.columns.push(column);
        } else {
            let old = std::mem::replace(&mut self.columns[self.oldest], column);
            for (sum, loss) in self.loss.iter_mut().zip(&old.loss) {
                *sum -= f64::from(*loss);
            }
            self.oldest = (self.oldest + 1) % PAIRS;
        }
        self.search();
    }

    /// Forgets all but the last `keep` pairs.
    pub(super) fn forget(&mut self, keep: usize) {
        let mut columns = std::mem::take(&mut self.columns);
        columns.rotate_left(self.oldest);
        let last = columns.split_off(columns.len().saturating_sub(keep));
        (self.loss, self.oldest, self.best) = ([0.0; GRID], 0, None);
        for column in last {
            self.add(column.pair);
        }
    }

    fn search(&mut self) {
        let mut best = 0;
        for index in 1..GRID {
            if self.loss[index] < self.loss[best] {
                best = index;
            }
        }
        let mut ratios = [0.0; PAIRS];
        let ratios = &mut ratios[..self.columns.len()];
        for (ratio, column) in ratios.iter_mut().zip(&self.columns) {
            *ratio = column.ratio;
        }
        let rank = low_rank(ratios.len());
        let (_, low, _) = ratios.select_nth_unstable_by(rank, f64::total_cmp);
        self.best = Some(Best { ratio: self.grid[best], low: *low });
    }
}

fn low_rank(pairs: usize) -> usize {
    pairs / 4
}

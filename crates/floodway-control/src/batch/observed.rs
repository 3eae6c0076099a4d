//! Whether batches of half the size are cheaper per item, whatever the line says.

use std::collections::VecDeque;

use super::probing::{Next, Role};

// All constants: docs/decisions/0011-batch-sizes.md.

/// Comparisons that are looked at, and how many it takes to judge.
const LAST: usize = 32;
const FEWEST: usize = 14;

/// Comparisons of about one size: up to this factor.
const ALIKE: f64 = 1.5;

/// Standard errors beyond which a median counts, and how much cheaper half the size is at least.
const CLEAR: f64 = 2.5;
const CHEAPER: f64 = 0.05;

/// Regular batches between comparisons with half the size, and with twice the size.
const HALVES: u32 = 13;
const DOUBLES: u32 = 61;

/// Least items of a batch that is compared with its half.
const HALVED: usize = 8;

/// What a batch of some items says beside one of about twice as many.
#[derive(Clone, Copy, Debug)]
struct Comparison {
    small: f64,
    /// Logarithm of the cost of an item in the small batch over that in the large one.
    gain: f64,
}

impl Comparison {
    fn is_near(&self, small: f64) -> bool {
        self.small.max(small) <= ALIKE * self.small.min(small)
    }
}

/// A cap on the size where cost is not linear: past a knee, a larger batch costs more per item.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    cap: Option<usize>,
    comparisons: VecDeque<Comparison>,
    /// Comparisons that are wanted soon, as the cap rests on costs that are no more.
    wanted: usize,
    /// Regular batches since the last comparison.
    regular: u32,
}

impl Observed {
    pub(super) fn cap(&self) -> Option<usize> {
        self.cap
    }

    /// The size of a batch to compare with instead of the next one, if it is time for that.
    pub(super) fn size(&self, next: &Next) -> Option<usize> {
        if next.items < HALVED || !next.is_limited_by_size() {
            return None;
        }
        let (size, between) = if self.cap.is_some() {
            let double = (2 * next.items).min(next.queued).min(next.most);
            (double, if self.wanted > 0 { HALVES } else { DOUBLES })
        } else {
            (next.items / 2, HALVES)
        };
        (self.regular >= between && size != next.items).then_some(size)
    }

    /// A batch goes.
    pub(super) fn dispatched(&mut self, role: Role) {
        match role {
            Role::Regular => self.regular = self.regular.saturating_add(1),
            Role::Comparison => self.regular = 0,
            Role::Overhead => {}
        }
    }

    /// Costs have changed.
    pub(super) fn changed(&mut self) {
        if self.cap.is_some() {
            self.wanted = FEWEST;
        }
    }

    /// Takes a comparison of a batch of `small` items with one of about twice as many: the usual
    /// size and its half; with a cap, the cap and its double.
    pub(super) fn add(&mut self, small: f64, gain: f64) {
        self.wanted = self.wanted.saturating_sub(1);
        if self.comparisons.len() == LAST {
            self.comparisons.pop_front();
        }
        self.comparisons.push_back(Comparison { small, gain });
        let Some((median, error)) = self.median_near(small) else { return };
        if self.cap.is_some() {
            if median > 0.0 {
                *self = Self::default();
            }
        } else if median < -(CLEAR * error + CHEAPER) {
            self.cap = Some((small as usize).max(1));
            self.comparisons.clear();
        }
    }

    /// The median gain of the comparisons of about that size, and its standard error.
    fn median_near(&self, small: f64) -> Option<(f64, f64)> {
        let mut gains = [0.0; LAST];
        let mut count = 0;
        for comparison in &self.comparisons {
            if comparison.is_near(small) {
                gains[count] = comparison.gain;
                count += 1;
            }
        }
        if count < FEWEST {
            return None;
        }
        let gains = &mut gains[..count];
        let middle = median(gains);
        for gain in &mut *gains {
            *gain = (*gain - middle).abs();
        }
        // Of a normal distribution: 1.48 for its deviation, times 1.25 for that of its median.
        Some((middle, 1.86 * median(gains) / (count as f64).sqrt()))
    }
}

/// Sorts the values, of which there is one at least.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

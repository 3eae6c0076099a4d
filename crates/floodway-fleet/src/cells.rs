//! What a lease counts.

use floodway_metrics::{Buckets, Counter, Histogram};

/// Positions of the values of the label `outcome`.
pub(crate) const GRANTED: usize = 0;
pub(crate) const REFUSED: usize = 1;
pub(crate) const TIMED_OUT: usize = 2;
pub(crate) const FAILED: usize = 3;
pub(crate) const IGNORED: usize = 4;

/// Positions of the values of the label `direction`.
pub(crate) const UP: usize = 0;
pub(crate) const DOWN: usize = 1;

pub(crate) struct Cells {
    pub(crate) renewals: Counter<5>,
    pub(crate) changes: Counter<2>,
    pub(crate) lapses: Counter,
    pub(crate) fenced: Counter,
    pub(crate) fence_failures: Counter,
    pub(crate) duration: Histogram,
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self {
            renewals: Counter::new(),
            changes: Counter::new(),
            lapses: Counter::new(),
            fenced: Counter::new(),
            fence_failures: Counter::new(),
            duration: Histogram::new(Buckets::DURATIONS),
        }
    }
}

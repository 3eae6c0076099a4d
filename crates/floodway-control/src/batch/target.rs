//! How the size moves towards what the bounds allow.

use super::{
    BatchRun,
    estimate::{BatchBound, BatchTarget, Bounds},
    probing::Role,
};

// All constants: docs/decisions/0011-batch-sizes.md.

/// A size that is wanted has to differ by this factor.
const HYSTERESIS: f64 = 1.25;

/// The factor by which it grows at most: while the estimate is new, later, and where the size is sure
/// to be right.
const WARM_UP_GROWTH: usize = 4;
const GROWTH: usize = 2;
const SURE_GROWTH: usize = 16;

/// The size that batches have at most now.
#[derive(Clone, Debug)]
pub(super) struct Target {
    now: BatchTarget,
    /// The last batch that had been sent when it moved.
    moved: u64,
    pub(super) ups: u64,
    pub(super) downs: u64,
}

impl Target {
    pub(super) fn new(now: BatchTarget) -> Self {
        Self { now, moved: 0, ups: 0, downs: 0 }
    }

    pub(super) fn get(&self) -> BatchTarget {
        self.now
    }

    /// Follows the bounds, now that `run` came back and `sent` batches have gone in all. `sure`: the
    /// size that is hardly too large.
    ///
    /// Grows once for each round of batches. Up to what is sure; or, so that one gets there, by some
    /// factor if a batch of the size there is came back.
    pub(super) fn follow(&mut self, bounds: &Bounds, run: &BatchRun, sent: u64, growth: Growth) {
        let wanted = binding(bounds);
        let change = wanted.items as f64 / self.now.items as f64;
        if (1.0 / HYSTERESIS..=HYSTERESIS).contains(&change) {
            self.now.bound = wanted.bound;
            return;
        }
        if wanted.items < self.now.items {
            self.now = wanted;
            self.downs += 1;
        } else {
            let times = |factor| self.now.items.saturating_mul(factor);
            let full = run.full && run.role == Role::Regular;
            let factor = if growth.warming_up { WARM_UP_GROWTH } else { GROWTH };
            let tried = if full { times(factor) } else { 0 };
            let most = growth.sure.min(times(SURE_GROWTH)).max(tried);
            if run.number <= self.moved || most <= self.now.items {
                return;
            }
            self.now = if wanted.items > most {
                BatchTarget { items: most, bound: BatchBound::WarmUp }
            } else {
                wanted
            };
            self.ups += 1;
        }
        self.moved = sent;
    }
}

/// What growth rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// The size that is hardly too large.
    pub(super) sure: usize,
    pub(super) warming_up: bool,
}

/// The least bound. What load calls for is none: a batch may have more, if more wait.
fn binding(bounds: &Bounds) -> BatchTarget {
    let mut binding = BatchTarget { items: usize::MAX, bound: BatchBound::Max };
    for bound in BatchBound::ALL {
        if bound != BatchBound::Load
            && let Some(items) = bounds[bound.index()]
            && items < binding.items
        {
            binding = BatchTarget { items, bound };
        }
    }
    binding
}

//! The rule of adaptive chunks.

use std::num::NonZeroUsize;

use super::{
    Chunk, ONE,
    cost::{Cost, duration},
};

/// Most items of a chunk while nothing is known of them.
const BLIND: usize = 16;

/// A round takes this part of what is left.
const ROUND: u128 = 2;

/// Most items of a chunk, in those of the chunk before.
const GROWTH: usize = 4;

/// Nanoseconds that a chunk should not exceed, so that cancelling and other tasks do not wait long;
/// longer only if the overhead asks for it.
const LONGEST: f64 = 1e6;

/// A slice is this many times what a chunk is expected to take.
const PATIENCE: f64 = 4.0;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    /// Chunks that the round has left, and how many items there were when it began.
    round: usize,
    round_items: usize,
    /// Items of the last chunk; 0 before the first.
    last: usize,
    handed_out: u64,
}

impl Rule {
    pub(super) fn handed_out(&self) -> u64 {
        self.handed_out
    }

    pub(super) fn next(
        &mut self,
        remaining: Option<NonZeroUsize>,
        workers: NonZeroUsize,
        cost: &Cost,
    ) -> Chunk {
        let chunk = match (remaining, cost.item()) {
            (None, None) => Chunk { items: ONE, slice: None },
            (None, Some(item)) => self.unknown_length(workers, item, cost),
            (Some(remaining), None) => blind(remaining, workers, cost),
            (Some(remaining), Some(item)) => self.known_length(remaining, workers, item, cost),
        };
        self.last = chunk.items.get();
        self.handed_out = self.handed_out.saturating_add(self.last as u64);
        chunk
    }

    fn unknown_length(&self, workers: NonZeroUsize, item: f64, cost: &Cost) -> Chunk {
        // What came so far is all that is known of what comes: as many again, for all workers.
        let had = usize::try_from(self.handed_out).unwrap_or(usize::MAX).div_ceil(workers.get());
        self.measured(floor(item, cost).min(had), item, cost)
    }

    fn known_length(
        &mut self,
        remaining: NonZeroUsize,
        workers: NonZeroUsize,
        item: f64,
        cost: &Cost,
    ) -> Chunk {
        if self.round == 0 {
            (self.round, self.round_items) = (workers.get(), remaining.get());
        }
        self.round -= 1;
        let share = self.round_items.div_ceil(workers.get());
        let factored = (self.round_items as u128).div_ceil(ROUND * workers.get() as u128) as usize;
        let longest = (LONGEST.max(cost.target()) / item) as usize;
        let items = factored.min(longest).max(floor(item, cost).min(share));
        self.measured(items.min(remaining.get()), item, cost)
    }

    fn measured(&self, items: usize, item: f64, cost: &Cost) -> Chunk {
        let items = items.min(GROWTH.saturating_mul(self.last.max(1)));
        let items = NonZeroUsize::new(items).unwrap_or(ONE);
        let expected = (items.get() as f64 * item).max(cost.target());
        Chunk { items, slice: (items > ONE).then(|| duration(PATIENCE * expected)) }
    }
}

/// The first chunks, which have to end when they have paid for themselves.
fn blind(remaining: NonZeroUsize, workers: NonZeroUsize, cost: &Cost) -> Chunk {
    let items = remaining.get().div_ceil(workers.get()).min(BLIND);
    let items = NonZeroUsize::new(items).unwrap_or(ONE);
    Chunk { items, slice: (items > ONE).then(|| duration(cost.target())) }
}

/// Least items that make the overhead small. `as` makes as many as there are of infinitely many,
/// where items take no time.
fn floor(item: f64, cost: &Cost) -> usize {
    (cost.target() / item).ceil() as usize
}

//! The rule of adaptive chunks.

use std::num::NonZeroUsize;

use super::{
    Chunk, ONE,
    cost::{Cost, duration},
};

// All constants: docs/decisions/0009-chunk-sizes.md.

/// Most items of a chunk while nothing is known of them.
const BLIND: usize = 16;

/// A round takes one part of so many of what is left.
const ROUND: usize = 2;

/// Most items of a chunk, in those of the chunk before.
const GROWTH: usize = 4;

/// Most targets that a chunk takes. The overhead is 1 % then, and could not be much less; a slow
/// item delays those behind it.
const LONGEST: f64 = 5.0;

/// Where the length is not known, a chunk of so many times the overhead is never too long to begin
/// with.
const SHORT: f64 = 2.0;

/// Where the length is not known, a chunk may take one part of so many of what each worker had.
const PART: usize = 64;

/// A chunk may take so many targets longer than expected.
const PATIENCE: f64 = 3.0;

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

    /// Lets the next chunk begin a round.
    pub(super) fn end_round(&mut self) {
        self.round = 0;
    }

    pub(super) fn next(
        &mut self,
        remaining: Option<NonZeroUsize>,
        workers: NonZeroUsize,
        cost: &Cost,
    ) -> Chunk {
        let chunk = match remaining {
            Some(remaining) => self.known_length(remaining, workers, cost),
            None => self.unknown_length(workers, cost),
        };
        self.last = chunk.items.get();
        self.handed_out = self.handed_out.saturating_add(self.last as u64);
        chunk
    }

    fn known_length(
        &mut self,
        remaining: NonZeroUsize,
        workers: NonZeroUsize,
        cost: &Cost,
    ) -> Chunk {
        if self.round == 0 {
            (self.round, self.round_items) = (workers.get(), remaining.get());
        }
        self.round -= 1;
        let share = self.round_items.div_ceil(workers.get());
        let Some(item) = cost.item() else {
            // Items of a nanosecond and of a second look the same, so the slice ends as soon as the
            // chunk has paid for itself.
            return chunk(share.min(BLIND).min(remaining.get()), cost.target());
        };
        let factored = self.round_items.div_ceil(workers.get().saturating_mul(ROUND));
        let items = factored.min(longest(item, cost)).max(floor(item, cost).min(share));
        self.measured(items.min(remaining.get()), item, cost)
    }

    fn unknown_length(&self, workers: NonZeroUsize, cost: &Cost) -> Chunk {
        let Some(item) = cost.item() else {
            return chunk(1, 0.0);
        };
        // What came so far is all that is known of what comes: as many again.
        let had = usize::try_from(self.handed_out).unwrap_or(usize::MAX).div_ceil(workers.get());
        let short = (SHORT * cost.overhead() / item).round() as usize;
        let start = floor(item, cost).min(had.max(short));
        self.measured(start.max((had / PART).min(longest(item, cost))), item, cost)
    }

    fn measured(&self, items: usize, item: f64, cost: &Cost) -> Chunk {
        // A first chunk with costs that are known comes from a run before.
        let most = if self.last == 0 { usize::MAX } else { self.last.saturating_mul(GROWTH) };
        let items = items.min(most);
        chunk(items, items as f64 * item + PATIENCE * cost.target())
    }
}

fn chunk(items: usize, slice: f64) -> Chunk {
    let items = NonZeroUsize::new(items).unwrap_or(ONE);
    Chunk { items, slice: (items > ONE).then(|| duration(slice)) }
}

// Both are rounded, so that a measurement that is off by a hair is not off by an item. `as` makes the
// most there is of what is more.

/// Least items that make the overhead small.
fn floor(item: f64, cost: &Cost) -> usize {
    (cost.target() / item).round() as usize
}

/// Most items that are not too long.
fn longest(item: f64, cost: &Cost) -> usize {
    (LONGEST * cost.target() / item).round() as usize
}

//! Whether it is always the same number of callers who come back with another item.

use super::BatchQueue;

// All constants: docs/decisions/0011-batch-sizes.md.

/// Decisions that are looked at.
const LAST: usize = 16;

/// A number of items varies by at most one part of so many of it to count as the same.
const STEADY: usize = 32;

/// The items that wait or are on their way.
///
/// Callers who wait for their answers before they come back are always as many. Waiting for more of
/// them than are a slot's share leaves another slot empty, and nobody else will come.
#[derive(Clone, Debug, Default)]
pub(super) struct Population {
    /// Items on their way; too many after batches that failed, until nothing is on its way.
    in_flight: usize,
    last: [usize; LAST],
    decisions: usize,
}

impl Population {
    pub(super) fn observe(&mut self, queue: &BatchQueue) {
        if queue.in_flight == 0 {
            self.in_flight = 0;
        }
        if queue.partitions > 1 {
            // What waits in the others is not known.
            self.decisions = 0;
            return;
        }
        self.last[self.decisions % LAST] = self.in_flight.saturating_add(queue.queued);
        self.decisions += 1;
    }

    /// The items that wait or are on their way.
    pub(super) fn items(&self, queue: &BatchQueue) -> usize {
        self.in_flight.saturating_add(queue.queued)
    }

    pub(super) fn dispatched(&mut self, items: usize) {
        self.in_flight = self.in_flight.saturating_add(items);
    }

    pub(super) fn answered(&mut self, items: usize) {
        self.in_flight = self.in_flight.saturating_sub(items);
    }

    /// A slot's share of the items, if it is always about the same number.
    pub(super) fn share(&self, slots: usize) -> Option<usize> {
        let most = self.last.iter().copied().max().unwrap_or(0);
        let least = self.last.iter().copied().min().unwrap_or(0);
        (self.decisions >= LAST && most - least <= most / STEADY)
            .then(|| most.div_ceil(slots.max(1)).max(1))
    }
}

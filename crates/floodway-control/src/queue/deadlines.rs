//! Whose deadline comes next.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use super::Ticket;

/// One deadline, with the stamp that tells a ticket from a later one in the same slot.
type Entry = Reverse<(Duration, Ticket, u64)>;

/// A heap of deadlines. Those of waiters who have left are not searched for but skipped when they
/// come up, and swept out when they are the majority.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Entry>);

/// Fewer than this are not worth a sweep.
const SWEEP_ABOVE: usize = 64;

impl Deadlines {
    /// Adds a deadline; `current` says whether an entry still stands for a waiter, of whom there
    /// are `waiting`.
    #[inline]
    pub(super) fn push(
        &mut self,
        deadline: Duration,
        ticket: Ticket,
        stamp: u64,
        waiting: usize,
        current: impl Fn(Ticket, u64) -> bool,
    ) {
        if self.0.len() > SWEEP_ABOVE.max(waiting * 2) {
            self.0.retain(|Reverse((_, ticket, stamp))| current(*ticket, *stamp));
        }
        self.0.push(Reverse((deadline, ticket, stamp)));
    }

    /// The earliest deadline of somebody who still waits.
    #[inline]
    pub(super) fn first(
        &mut self,
        current: impl Fn(Ticket, u64) -> bool,
    ) -> Option<(Duration, Ticket)> {
        while let Some(Reverse((deadline, ticket, stamp))) = self.0.peek() {
            if current(*ticket, *stamp) {
                return Some((*deadline, *ticket));
            }
            self.0.pop();
        }
        None
    }
}

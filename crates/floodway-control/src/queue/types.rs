//! What is said to a wait queue and what it answers.

use std::{num::NonZeroUsize, time::Duration};

use super::{Discipline, Priority};

/// What bounds and orders a [`WaitQueue`](super::WaitQueue).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueConfig {
    /// How many may wait at once.
    pub capacity: usize,
    /// How long anybody waits at most.
    pub max_wait: Duration,
    /// The order within a class.
    pub discipline: Discipline,
    /// The part of the grants and of the queue that each priority can count on while it has
    /// waiters, 0 to 1, by [`Priority::index`]; less than 1 in sum.
    pub guarantees: [f64; Priority::COUNT],
}

/// Where a waiter stands in line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The position of its partition among those of the queue; 0 where there are none.
    pub partition: u16,
    /// How much it matters.
    pub priority: Priority,
}

/// Somebody who wants to wait.
#[derive(Clone, Copy, Debug)]
pub struct WaitRequest {
    /// Where.
    pub class: Class,
    /// For how many permits.
    pub weight: u32,
    /// Until when; the queue's `max_wait` applies too.
    pub deadline: Option<Duration>,
}

/// Why somebody may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many wait as may, and nobody has to make room.
    Full,
    /// The deadline will have passed before the turn comes, going by how fast the queue drains.
    Unmeetable,
}

/// A place in the queue; valid until [`WaitQueue::free`](super::WaitQueue::free).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(NonZeroUsize);

impl Ticket {
    // One more than the slot, so that an optional ticket is as small as a ticket.
    pub(super) const fn at(slot: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(slot))
    }

    pub(super) const fn slot(self) -> usize {
        self.0.get() - 1
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// Its place.
    pub ticket: Ticket,
    /// How many permits it waits for.
    pub weight: u32,
    /// Where it stands.
    pub class: Class,
}

/// What to do with a waiter whose turn has come and for whom there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Admit,
    /// Its deadline has passed.
    Late,
    /// The discipline sheds it.
    Shed,
}

//! The description of a wait queue.

use std::{task::Waker, time::Duration};

use floodway_control::{Discipline, Priority, QueueConfig};

use super::{MAX_PERMITS, permit::Granted, rejected::RejectReason};
use crate::BuildError;

/// Longer than anybody waits, and short enough that a deadline never overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What each priority can count on by default: enough that what is behind it makes progress, little
/// enough that the highest keeps 85 % for itself.
const DEFAULT_GUARANTEES: [f64; Priority::COUNT] = [0.0, 0.05, 0.05, 0.05];

/// Where callers wait while no permit is free.
///
/// Both bounds are always there: a queue without one turns an overload into latency for everybody
/// and then into memory. The default holds 1,000 callers for at most one second, first come, first
/// served.
///
/// Who arrives when the wait is already longer than their deadline, going by how fast the queue
/// drains, is refused at once with [`Unmeetable`](RejectReason::Unmeetable).
///
/// Which one: [`fifo`](Self::fifo) while a full queue is worth less than your callers' patience;
/// [`adaptive_lifo`](Self::adaptive_lifo) or [`codel`](Self::codel) where callers give up, retry or
/// hang up sooner; [`none`](Self::none) where somebody else queues already.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Queue {
    pub(super) config: QueueConfig,
    /// Distinguishes [`Queue::none`] from a capacity of 0 by mistake, which is an error.
    pub(super) enabled: bool,
}

impl Queue {
    const fn with(discipline: Discipline) -> Self {
        let config = QueueConfig {
            capacity: 1_000,
            max_wait: Duration::from_secs(1),
            discipline,
            guarantees: DEFAULT_GUARANTEES,
        };
        Self { config, enabled: true }
    }

    /// First come, first served: [`Discipline::Fifo`].
    pub const fn fifo() -> Self {
        Self::with(Discipline::Fifo)
    }

    /// Last come, first served: [`Discipline::Lifo`].
    pub const fn lifo() -> Self {
        Self::with(Discipline::Lifo)
    }

    /// First come, first served until the queue has not been empty for 100 ms; from then on the
    /// newest first and 5 ms for newcomers: [`Discipline::AdaptiveLifo`] with the published
    /// constants. For others, see [`discipline`](Self::discipline).
    pub const fn adaptive_lifo() -> Self {
        Self::with(Discipline::AdaptiveLifo {
            interval: Duration::from_millis(100),
            max_wait: Duration::from_millis(5),
        })
    }

    /// First come, first served; sheds who waited for more than 10 ms once nobody has waited less
    /// than 5 ms for 100 ms: [`Discipline::CoDel`] with the published constants. For others, see
    /// [`discipline`](Self::discipline).
    pub const fn codel() -> Self {
        Self::with(Discipline::CoDel {
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
        })
    }

    /// No queue: who finds no free permit is refused with
    /// [`NoPermit`](crate::RejectReason::NoPermit) at once.
    pub const fn none() -> Self {
        Self { enabled: false, ..Self::fifo() }
    }

    /// The order among waiters of the same priority.
    pub const fn discipline(mut self, discipline: Discipline) -> Self {
        self.config.discipline = discipline;
        self
    }

    /// How many callers may wait at once, 1 to [`MAX_PERMITS`](crate::MAX_PERMITS); checked when
    /// the limiter is built.
    ///
    /// Wait time under overload is about `capacity × hold time / limit`: a capacity of a few times
    /// the limit keeps it near the hold time.
    pub const fn capacity(mut self, capacity: usize) -> Self {
        self.config.capacity = capacity;
        self
    }

    /// How long a caller waits at most, whatever deadline it brings. Counted from its arrival and
    /// never again, so no waiter exceeds it by being passed on. More than 0 and at most a day;
    /// checked when the limiter is built.
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.config.max_wait = max_wait;
        self
    }

    /// The part of the grants and of the places in the queue that `priority` can count on while
    /// somebody of it waits, 0 to 1; by default 0.05 for all but the highest. Together less than 1,
    /// checked when the limiter is built; what remains goes to the highest priority that waits.
    pub const fn guarantee(mut self, priority: Priority, share: f64) -> Self {
        self.config.guarantees[priority.index()] = share;
        self
    }

    /// How many may wait; 0 without a queue.
    pub(super) const fn effective_capacity(&self) -> u64 {
        if self.enabled { self.config.capacity as u64 } else { 0 }
    }

    /// The longest that anybody waits.
    pub(crate) const fn longest_wait(&self) -> Duration {
        self.config.max_wait
    }

    pub(super) fn max_wait_nanos(&self) -> u64 {
        u64::try_from(self.config.max_wait.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether the numbers make sense.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        if !self.enabled {
            return Ok(());
        }
        let QueueConfig { capacity, max_wait, discipline, guarantees } = self.config;
        if !(1..=MAX_PERMITS as usize).contains(&capacity) {
            let value = capacity as f64;
            return Err(BuildError::OutOfRange {
                field: "queue capacity",
                value,
                min: 1,
                max: MAX_PERMITS,
            });
        }
        if max_wait.is_zero() || max_wait > LONGEST_WAIT {
            return Err(BuildError::MaxWait { max_wait });
        }
        discipline.check()?;
        // Written so that NaN is out of range.
        if !guarantees.iter().all(|share| *share >= 0.0) || guarantees.iter().sum::<f64>() >= 1.0 {
            return Err(BuildError::Guarantees { guarantees });
        }
        Ok(())
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::fifo()
    }
}

/// What the limiter keeps for a waiter.
///
/// ```text
///   enqueue        grant           the owner polls: takes the permit
/// ----------> Waiting -----> Granted ------------------------------->  ticket freed
///                | deadline, shed or close   the owner is dropped: releases it
///                +--------> Refused  --------------------------------> ticket freed
///                | the owner is dropped, or sees its deadline pass
///                +---------------------------------------------------> ticket freed
/// ```
///
/// Only its owner frees a ticket, so it stays valid for as long as its owner keeps it.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) fate: Fate,
    pub(super) waker: Option<Waker>,
}

/// What became of a waiter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Waiting,
    /// After a wait, which whoever takes the grant records.
    Granted(Granted, Duration),
    Refused(RejectReason),
}

//! The wait queue: first come, first served, bounded by length and by deadline.

use std::{task::Waker, time::Duration};

use slab::Slab;
use tokio::time::Instant;

use super::{permit::Granted, rejected::RejectReason};

/// Where callers wait while no permit is free.
///
/// Both bounds are always there: a queue without one turns an overload into latency for everybody
/// and then into memory. The default holds 1,000 callers for at most one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Queue {
    pub(super) capacity: usize,
    pub(super) max_wait: Duration,
    /// Distinguishes [`Queue::none`] from a capacity of 0 by mistake, which is an error.
    pub(super) enabled: bool,
}

impl Queue {
    /// First come, first served.
    pub const fn fifo() -> Self {
        Self { capacity: 1_000, max_wait: Duration::from_secs(1), enabled: true }
    }

    /// No queue: who finds no free permit is refused with
    /// [`NoPermit`](crate::RejectReason::NoPermit) at once.
    pub const fn none() -> Self {
        Self { capacity: 0, max_wait: Duration::ZERO, enabled: false }
    }

    /// How many callers may wait at once, 1 to [`MAX_PERMITS`](crate::MAX_PERMITS); checked when
    /// the limiter is built.
    ///
    /// Wait time under overload is about `capacity × hold time / limit`: a capacity of a few times
    /// the limit keeps it near the hold time.
    pub const fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// How long a caller waits at most, whatever deadline it brings. Counted from its arrival and
    /// never again, so no waiter exceeds it by being passed on. More than 0 and at most a day;
    /// checked when the limiter is built.
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::fifo()
    }
}

/// The waiters, in order of arrival.
///
/// ```text
///   enqueue        grant           the owner polls: takes the permit
/// ----------> Waiting -----> Granted ------------------------------->  slot free
///                | deadline or close       the owner is dropped: releases it
///                +--------> Refused  --------------------------------> slot free
///                | the owner's timer fires, or it is dropped
///                +---------------------------------------------------> slot free
/// ```
///
/// Only its owner frees a slot, so an index stays valid for as long as its owner keeps it. Slots
/// are reused: a queue that has once been as long allocates nothing.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    slots: Slab<Slot>,
    head: Option<usize>,
    tail: Option<usize>,
    len: usize,
    drain: Drain,
}

#[derive(Debug)]
struct Slot {
    fate: Fate,
    waker: Option<Waker>,
    deadline: Instant,
    /// When the wait began, by the limiter's clock.
    since: u64,
    previous: Option<usize>,
    next: Option<usize>,
}

/// What became of a waiter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Waiting,
    Granted(Granted),
    Refused(RejectReason),
}

impl WaitQueue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, waker: Waker, deadline: Instant, since: u64) -> usize {
        let previous = self.tail;
        let index = self.slots.insert(Slot {
            fate: Fate::Waiting,
            waker: Some(waker),
            deadline,
            since,
            previous,
            next: None,
        });
        match previous {
            Some(tail) => self.slots[tail].next = Some(index),
            None => self.head = Some(index),
        }
        self.tail = Some(index);
        self.len += 1;
        index
    }

    /// When the first waiter began to wait and until when it does.
    pub(super) fn front(&self) -> Option<(u64, Instant)> {
        self.head.map(|head| (self.slots[head].since, self.slots[head].deadline))
    }

    /// Seals the fate of the first waiter and returns whom to tell.
    pub(super) fn pop_front(&mut self, fate: Fate) -> Option<Waker> {
        let head = self.head?;
        self.unlink(head);
        let slot = &mut self.slots[head];
        slot.fate = fate;
        slot.waker.take()
    }

    /// What became of the waiter at `index`, and whether `waker` is the one to be told.
    pub(super) fn look(&self, index: usize, waker: &Waker) -> (Fate, bool) {
        let slot = &self.slots[index];
        (slot.fate, slot.waker.as_ref().is_some_and(|known| known.will_wake(waker)))
    }

    /// What became of the waiter at `index`, and a waker to drop: while nothing has, the one that
    /// `waker` replaces.
    pub(super) fn replace_waker(&mut self, index: usize, waker: Waker) -> (Fate, Option<Waker>) {
        let slot = &mut self.slots[index];
        let unneeded = match slot.fate {
            Fate::Waiting => slot.waker.replace(waker),
            Fate::Granted(_) | Fate::Refused(_) => Some(waker),
        };
        (slot.fate, unneeded)
    }

    /// Frees the slot of a waiter on behalf of its owner; `Waiting` means it left the queue. The
    /// waker is to be dropped outside the lock.
    pub(super) fn remove(&mut self, index: usize) -> (Fate, Option<Waker>) {
        if let Fate::Waiting = self.slots[index].fate {
            self.unlink(index);
        }
        let slot = self.slots.remove(index);
        (slot.fate, slot.waker)
    }

    fn unlink(&mut self, index: usize) {
        let Slot { previous, next, .. } = self.slots[index];
        match previous {
            Some(previous) => self.slots[previous].next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => self.slots[next].previous = previous,
            None => self.tail = previous,
        }
        self.len -= 1;
        if self.len == 0 {
            self.drain.last_grant = None;
        }
    }

    /// Takes note of a grant at `now` and returns the mean interval between grants, if known.
    pub(super) fn note_grant(&mut self, now: Instant) -> Option<Duration> {
        self.drain.note_grant(now)
    }
}

/// How fast the queue drains while it is not empty.
#[derive(Debug, Default)]
struct Drain {
    last_grant: Option<Instant>,
    mean_interval: Option<Duration>,
}

impl Drain {
    /// An exponential mean over about the last sixteen grants: enough to smooth single slow
    /// operations, few enough to follow a limit that moves.
    const WEIGHT: f64 = 1.0 / 16.0;

    fn note_grant(&mut self, now: Instant) -> Option<Duration> {
        if let Some(last) = self.last_grant.replace(now) {
            let interval = now.saturating_duration_since(last);
            let mean = self.mean_interval.get_or_insert(interval);
            *mean = mean.mul_f64(1.0 - Self::WEIGHT) + interval.mul_f64(Self::WEIGHT);
        }
        self.mean_interval
    }
}

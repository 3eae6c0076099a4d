//! What became of one item.

use std::{any::Any, fmt, time::Duration};

use super::StopReason;
use crate::{Panic, Rejected};

/// What became of one item: exactly one of these for every item that was pulled.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<T, E> {
    /// Which item, counted from 0 in the order in which the source gave them.
    pub index: usize,
    /// What it resulted in.
    pub result: Result<T, ItemError<E>>,
    /// How long it took.
    pub timing: Timing,
    /// How often it was started: 0 if never, more than 1 with retries and hedges.
    pub attempts: u32,
}

/// How long an item took. Both are zero if it never ran, or with
/// [`untimed`](super::FanOut::untimed).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Nanoseconds: half the size of a `Duration`, and outcomes are kept by the million.
    queued: u64,
    running: u64,
}

impl Timing {
    #[inline]
    pub(super) const fn of_nanos(queued: u64, running: u64) -> Self {
        Self { queued, running }
    }

    #[inline]
    pub(super) const fn running_nanos(self) -> u64 {
        self.running
    }

    /// From when the item was there (the start of the fan-out for an iterator, otherwise when the
    /// stream gave it) until it was started.
    #[must_use]
    pub const fn queued(self) -> Duration {
        Duration::from_nanos(self.queued)
    }

    /// From its start to its end, retries and the waits between them included. In a chunk of
    /// several items, the mean of the chunk.
    #[must_use]
    pub const fn running(self) -> Duration {
        Duration::from_nanos(self.running)
    }
}

impl fmt::Debug for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timing")
            .field("queued", &self.queued())
            .field("running", &self.running())
            .finish()
    }
}

/// Why an item has no value.
#[non_exhaustive]
pub enum ItemError<E> {
    /// It ran and failed; after the last attempt, if it was retried.
    Failed(E),
    /// It took longer than the item timeout.
    TimedOut,
    /// It was running when the fan-out stopped.
    Cancelled(StopReason),
    /// The fan-out stopped before it was its turn.
    NotStarted(StopReason),
    /// Its future, or the function that makes it, panicked.
    Panicked(Box<Panic>),
    /// A limiter will never admit it: it is closed, or the item is too heavy for it.
    Rejected(Box<Rejected>),
}

impl<E> From<Rejected> for ItemError<E> {
    /// Boxed, because a rejection is rare and larger than the rest.
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(Box::new(rejected))
    }
}

impl<E> ItemError<E> {
    #[cold]
    pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self::Panicked(Box::new(Panic::new(payload)))
    }

    /// Whether the item failed by itself, as opposed to having been stopped with the rest.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Cancelled(_) | Self::NotStarted(_))
    }
}

impl<E: fmt::Display> fmt::Display for ItemError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the item timeout passed"),
            Self::Cancelled(stop) => write!(f, "cancelled while running: {stop}"),
            Self::NotStarted(stop) => write!(f, "not started: {stop}"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::Rejected(_) => f.write_str("not admitted by a limiter"),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for ItemError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Cancelled(stop) => f.debug_tuple("Cancelled").field(stop).finish(),
            Self::NotStarted(stop) => f.debug_tuple("NotStarted").field(stop).finish(),
            Self::Panicked(panic) => f.debug_tuple("Panicked").field(&panic.message()).finish(),
            Self::Rejected(rejected) => f.debug_tuple("Rejected").field(rejected).finish(),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for ItemError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // It speaks for itself.
            Self::Failed(error) => error.source(),
            Self::Rejected(rejected) => Some(&**rejected),
            _ => None,
        }
    }
}

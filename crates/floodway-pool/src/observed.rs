//! A connection manager whose connects are counted.

#[cfg(any(feature = "bb8", feature = "r2d2"))]
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fmt, sync::Arc};

use floodway::Connects;

/// The manager of a pool of deadpool, bb8 or r2d2, with somebody who looks on.
///
/// A pool that is built over it behaves as before. Beyond that, every connect is counted, with its
/// duration and whether it failed, so a [`PoolLimiter`](floodway::PoolLimiter) learns at once
/// that the database cannot be reached; bb8 and r2d2 try again behind the scenes and say no more
/// than that they timed out. And idle connections can be closed where the pool has no way to do so:
/// the manager calls one of them broken when it comes back.
///
/// What is set up after the connect is not part of it: a failing `post_create` hook of deadpool or
/// `on_acquire` of a customizer is not seen here.
///
/// Cloning gives the same manager: one clone goes into the pool, one into the adapter.
pub struct Observed<M> {
    manager: Arc<M>,
    notes: Notes,
}

impl<M> Observed<M> {
    /// Looks on while `manager` opens connections.
    #[must_use]
    pub fn new(manager: M) -> Self {
        Self { manager: Arc::new(manager), notes: Notes::default() }
    }

    /// The manager itself.
    #[must_use]
    pub fn inner(&self) -> &M {
        &self.manager
    }

    /// What is known of its connects.
    #[must_use]
    pub const fn connects(&self) -> &Connects {
        &self.notes.connects
    }

    #[cfg(any(feature = "bb8", feature = "r2d2"))]
    pub(crate) const fn notes(&self) -> &Notes {
        &self.notes
    }
}

/// Derived, it would ask for `M: Clone`.
impl<M> Clone for Observed<M> {
    fn clone(&self) -> Self {
        Self { manager: Arc::clone(&self.manager), notes: self.notes.clone() }
    }
}

impl<M> fmt::Debug for Observed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("connects", self.connects()).finish_non_exhaustive()
    }
}

/// What an adapter and the manager in its pool tell each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) connects: Connects,
    /// Connections to be called broken as they come back.
    #[cfg(any(feature = "bb8", feature = "r2d2"))]
    doomed: Arc<AtomicU32>,
}

/// Only pools that have no way of their own to close idle connections need it.
#[cfg(any(feature = "bb8", feature = "r2d2"))]
impl Notes {
    /// Has a connection closed that is about to come back. Which one does not matter: another that
    /// comes back at the same moment is not in use either, and then this one stays.
    pub(crate) fn close<T>(&self, connection: T) {
        self.doomed.fetch_add(1, Ordering::Relaxed);
        drop(connection);
    }

    /// A check that has a connection closed if it is dropped before it has finished.
    #[cfg(feature = "bb8")]
    pub(crate) const fn unfinished(&self) -> Unfinished<'_> {
        Unfinished { notes: self, finished: false }
    }

    /// Whether a connection that comes back is to be closed. Every one that comes back must ask,
    /// even if it is broken anyway, or the note would outlive the connection it was meant for.
    pub(crate) fn is_doomed(&self) -> bool {
        let fewer = |doomed: u32| doomed.checked_sub(1);
        self.doomed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }
}

/// Made by [`Notes::unfinished`].
#[cfg(feature = "bb8")]
pub(crate) struct Unfinished<'a> {
    notes: &'a Notes,
    finished: bool,
}

#[cfg(feature = "bb8")]
impl Unfinished<'_> {
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

#[cfg(feature = "bb8")]
impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.notes.doomed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

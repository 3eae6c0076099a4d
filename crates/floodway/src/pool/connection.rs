//! A connection with the permit to use it.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use super::{
    NestedAcquire, Pool, PoolRejected,
    gate::{Gate, Right},
    holds::Phase,
};
use crate::{Outcome, limiter::Site};

/// A connection, until it is dropped.
///
/// Dereferences to the pool's own connection. On drop it is returned, in the background where that
/// takes the pool a round trip, and its permit comes back when the pool has it, so that who is
/// admitted next finds it there.
#[must_use = "a connection that is dropped at once was obtained for nothing"]
pub struct Pooled<P: Pool> {
    /// `None` only while being dropped.
    held: Option<(P::Connection, Holding<P>)>,
}

impl<P: Pool> Pooled<P> {
    pub(super) fn new(
        gate: Arc<Gate<P>>,
        connection: P::Connection,
        right: Right,
        since: u64,
        site: Site,
    ) -> Self {
        let (key, in_use) = gate.holds.begin(since, Phase::Held, site);
        let (right, outcome) = (Some(right), Outcome::Success);
        let holding = Holding { gate, right, key, since, in_use, outcome, over: None };
        Self { held: Some((connection, holding)) }
    }

    /// Says how the use of the connection ended, for limits that adapt; by default
    /// [`Outcome::Success`]. A query that the database turned down for want of memory or time is
    /// an [`Outcome::Overload`].
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.held.as_mut().expect("held until dropped").1.outcome = outcome;
    }
}

impl<P: Pool> Deref for Pooled<P> {
    type Target = P::Connection;

    fn deref(&self) -> &P::Connection {
        &self.held.as_ref().expect("held until dropped").0
    }
}

impl<P: Pool> DerefMut for Pooled<P> {
    fn deref_mut(&mut self) -> &mut P::Connection {
        &mut self.held.as_mut().expect("held until dropped").0
    }
}

/// Returns the connection first and the permit second; the other way round, the next caller
/// would wait in the pool's queue instead of ours.
impl<P: Pool> Drop for Pooled<P> {
    fn drop(&mut self) {
        let Some((connection, mut holding)) = self.held.take() else {
            return;
        };
        let now = holding.used();
        let Some(release) = holding.gate.pool.release(connection) else {
            holding.over = Some(now);
            return;
        };
        holding.returning(now);
        let runtime = holding.gate.runtime.clone();
        runtime.spawn(async move {
            release.await;
            drop(holding);
        });
    }
}

/// What a connection has taken beside itself. Dropped once the pool has the connection, or whatever
/// became of it: if a panic or the end of a runtime took it away, it is not ours any more either.
struct Holding<P: Pool> {
    gate: Arc<Gate<P>>,
    /// `None` only while being dropped.
    right: Option<Right>,
    /// Among what is out.
    key: usize,
    since: u64,
    /// How many were in use when it was handed out, itself included.
    in_use: u32,
    outcome: Outcome,
    /// When it came back, where it did so at once.
    over: Option<u64>,
}

impl<P: Pool> Holding<P> {
    /// Books the use, which is over; returns when.
    fn used(&self) -> u64 {
        let now = self.gate.clock.now();
        self.gate.book_use(now.saturating_sub(self.since), self.in_use);
        now
    }

    /// The pool takes the connection back from `now` on.
    fn returning(&mut self, now: u64) {
        self.gate.holds.move_on(self.key, now, Phase::Returning);
        if let Some(Right::Share(share)) = &mut self.right {
            share.returning();
        }
    }
}

impl<P: Pool> Drop for Holding<P> {
    fn drop(&mut self) {
        self.gate.holds.end(self.key);
        if let Some(right) = self.right.take() {
            let now = self.over.unwrap_or_else(|| self.gate.clock.now());
            self.gate.give_back(right, self.outcome, now);
        }
    }
}

impl<P: Pool> fmt::Debug for Pooled<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limiter = self.held.as_ref().map(|(_, holding)| holding.gate.limiter.name());
        f.debug_struct("Pooled").field("limiter", &limiter).finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError<E> {
    /// Refused before the pool was asked.
    #[error(transparent)]
    Rejected(#[from] PoolRejected),
    /// Refused, because the operation would wait for itself or for others that wait for it.
    #[error(transparent)]
    NestedAcquire(#[from] NestedAcquire),
    /// Admitted, but the pool did not deliver before the deadline. The attempt goes on in the
    /// background.
    #[error(
        "the pool delivered no connection before the deadline{}; is the database reachable?",
        connect.map_or_else(String::new, |time| format!(", opening one takes {time:?} on average"))
    )]
    Deadline {
        /// How long opening a connection takes on average, where the pool lets somebody look on.
        connect: Option<Duration>,
    },
    /// The pool failed.
    #[error("the pool failed to give a connection")]
    Pool(#[source] E),
}

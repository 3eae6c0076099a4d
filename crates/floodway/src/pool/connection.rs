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
    gate: Arc<Gate<P>>,
    /// `None` only while being dropped.
    held: Option<(P::Connection, Right)>,
    since: u64,
    hold: usize,
    /// How many were in use when it was handed out, itself included.
    in_use: u32,
    outcome: Outcome,
}

impl<P: Pool> Pooled<P> {
    pub(super) fn new(
        gate: Arc<Gate<P>>,
        connection: P::Connection,
        right: Right,
        since: u64,
        site: Site,
    ) -> Self {
        let (hold, in_use) = gate.holds.begin(since, Phase::Held, site);
        let (held, outcome) = (Some((connection, right)), Outcome::Success);
        Self { gate, held, since, hold, in_use, outcome }
    }

    /// Says how the use of the connection ended, for limits that adapt; by default
    /// [`Outcome::Success`]. A query that the database turned down for want of memory or time is
    /// an [`Outcome::Overload`].
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
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
        let Some((connection, right)) = self.held.take() else {
            return;
        };
        let gate = &self.gate;
        let now = gate.clock.now();
        gate.book_use(now.saturating_sub(self.since), self.in_use);
        let (hold, outcome) = (self.hold, self.outcome);
        let Some(release) = gate.pool.release(connection) else {
            gate.holds.end(hold);
            return gate.give_back(right, outcome);
        };
        gate.holds.move_on(hold, now, Phase::Returning);
        let gate = Arc::clone(gate);
        self.gate.runtime.spawn(async move {
            release.await;
            gate.holds.end(hold);
            gate.give_back(right, outcome);
        });
    }
}

impl<P: Pool> fmt::Debug for Pooled<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("limiter", &self.gate.limiter.name()).finish_non_exhaustive()
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

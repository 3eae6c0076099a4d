//! A connection with the permit to use it.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::{Pool, gate::Gate};
use crate::{Outcome, Permit, Rejected};

/// A connection, until it is dropped.
///
/// Dereferences to the pool's own connection. On drop it is returned in the background, and its
/// permit comes back when the pool has it, so that who is admitted next finds it there.
#[must_use = "a connection that is dropped at once was obtained for nothing"]
pub struct Pooled<P: Pool> {
    gate: Arc<Gate<P>>,
    /// `None` only while being dropped.
    held: Option<(P::Connection, Permit)>,
    since: u64,
}

impl<P: Pool> Pooled<P> {
    pub(super) fn new(
        gate: Arc<Gate<P>>,
        connection: P::Connection,
        permit: Permit,
        since: u64,
    ) -> Self {
        Self { gate, held: Some((connection, permit)), since }
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
        let Some((connection, permit)) = self.held.take() else {
            return;
        };
        let since = self.since;
        let returned = move |gate: &Gate<P>| {
            gate.cells.usage.record(gate.clock.now().saturating_sub(since));
            gate.give_back(permit, Outcome::Success);
        };
        let Some(release) = self.gate.pool.release(connection) else {
            return returned(&self.gate);
        };
        let gate = Arc::clone(&self.gate);
        self.gate.runtime.spawn(async move {
            release.await;
            returned(&gate);
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
    Rejected(#[from] Rejected),
    /// Admitted, but the pool did not deliver before the deadline. The attempt goes on in the
    /// background.
    #[error("the pool delivered no connection before the deadline; is the database reachable?")]
    Deadline,
    /// The pool failed.
    #[error("the pool failed to give a connection")]
    Pool(#[source] E),
}

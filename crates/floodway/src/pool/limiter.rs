//! A limiter whose limit is what a connection pool can really give.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use floodway_metrics::{ComponentKind, RegisterError, Registry, Source};
use tokio::time::Instant;

use super::{
    Claim, ConnectionError, Pool, PoolLimiterBuilder, PoolSurvey, Pooled, Weight,
    gate::{Gate, watch},
};
use crate::{
    Ceiling, Limiter,
    limiter::{Bounded, Site},
};

/// Hands out at most as many connections as the pool can give, lets the next few callers wait in
/// a queue of its own, and refuses the rest.
///
/// The limit is `max − reserved − foreign`, where *foreign* is what others take from the same
/// pool, as a peak over the last second. Since nobody is let through whom the pool cannot serve,
/// the pool's own queue stays empty and its own timeout does not fire, unless others take
/// connections after the admission or a connect is slow. That timeout is what makes a plain
/// pool collapse under overload: a waiter whose timeout expires during the connection's liveness
/// check takes the connection down with it (<https://github.com/launchbadge/sqlx/issues/3132>).
///
/// Obtaining a connection is never interrupted. If the caller goes away or its deadline passes,
/// the attempt goes on in the background and the connection returns to the pool.
///
/// Cloning is cheap and gives the same limiter.
///
/// [`ceiling`](Self::ceiling) puts the same bound on limiters further out, so that requests are
/// refused before they have cost anything.
pub struct PoolLimiter<P: Pool> {
    gate: Arc<Gate<P>>,
}

impl<P: Pool> PoolLimiter<P> {
    /// Starts to describe a limiter called `name` in front of `pool`. The name is the label on
    /// the metrics of both kinds, limiter and pool.
    pub fn builder(name: impl Into<String>, pool: P) -> PoolLimiterBuilder<P> {
        PoolLimiterBuilder::new(name.into(), pool)
    }

    pub(super) fn new(gate: Gate<P>, registry: &Registry) -> Result<Self, RegisterError> {
        let gate = Arc::new(gate);
        let source: Arc<dyn Source> = Arc::clone(&gate) as _;
        registry.register(ComponentKind::Pool, gate.limiter.name(), &source)?;
        for ceiling in gate.outer() {
            let gate: Weak<Gate<P>> = Arc::downgrade(&gate);
            ceiling.attach(gate as Weak<dyn Bounded>);
        }
        gate.runtime.spawn(watch(Arc::downgrade(&gate)));
        Ok(Self { gate })
    }

    /// Waits for a connection until `deadline`: in our queue first, then while the pool checks or
    /// opens one.
    ///
    /// Inside a [`Claim::scope`] of this limiter it is one of the claim's. Elsewhere an operation
    /// that holds one connection should not ask for another: [`claim`](Self::claim) both before.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Rejected`] with the cause, if the queue is full, the wait exceeded the
    /// queue's bound or the deadline or would have exceeded it, connecting fails and there is no
    /// attempt for it in time, or the pool is closed;
    /// [`ConnectionError::NestedAcquire`] if the claim it is inside of holds as many connections as
    /// it may, or the wait was in vain while the same task held a connection;
    /// [`ConnectionError::Deadline`] if the pool did not deliver in time;
    /// [`ConnectionError::Pool`] with what it said if it failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue. An attempt that has begun goes on in the background
    /// and its connection returns to the pool; the permit comes back after that.
    #[track_caller]
    pub fn connection(
        &self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Pooled<P>, ConnectionError<P::Error>>> + Send + use<P> {
        Arc::clone(&self.gate).connection(deadline, Site::here())
    }

    /// Waits until `deadline` for the right to hold several connections at a time.
    ///
    /// # Errors
    ///
    /// As for [`connection`](Self::connection); [`PoolCause::Weight`](crate::PoolCause::Weight) at
    /// once if the pool will never have as many or the limit is lower now, and [`ConnectionError::NestedAcquire`] inside
    /// another claim.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue and gives back what it has got.
    #[track_caller]
    pub fn claim(
        &self,
        weight: Weight,
        deadline: Instant,
    ) -> impl Future<Output = Result<Claim<P>, ConnectionError<P::Error>>> + Send + use<P> {
        Arc::clone(&self.gate).claim(weight, deadline, Site::here())
    }

    /// Begins to measure whether the pool has the right size; ask for the report after some minutes of
    /// the load that it is for.
    pub fn survey(&self) -> PoolSurvey<P> {
        PoolSurvey::begin(Arc::clone(&self.gate))
    }

    /// The limiter in front of the pool, to read its numbers or to close it; who waits for a claim
    /// hears of that within a quarter of a second.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.gate.limiter
    }

    /// What the pool can give now, as an outer bound for other limiters.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        self.gate.ceiling.clone()
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &P {
        &self.gate.pool
    }
}

/// Cloning shares the gate: `P` need not be cloned.
impl<P: Pool> Clone for PoolLimiter<P> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate) }
    }
}

impl<P: Pool> fmt::Debug for PoolLimiter<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolLimiter")
            .field("limiter", &self.gate.limiter)
            .field("pool", &self.gate.pool.snapshot())
            .finish()
    }
}

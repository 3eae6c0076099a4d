//! The description of a pool limiter, checked as a whole when it is built.

use std::{fmt, ops::RangeInclusive};

use floodway_metrics::Registry;
use tokio::runtime::Handle;

use super::{
    Pool, PoolLimiter,
    gate::{Gate, Parts},
};
use crate::{
    BuildError, Ceiling, Clock, LimitAlgorithm, Limiter, LimiterBuilder, MAX_PERMITS, Queue,
};

/// Describes a [`PoolLimiter`]. Made by [`PoolLimiter::builder`].
#[must_use]
pub struct PoolLimiterBuilder<P> {
    name: String,
    pool: P,
    reserved: u32,
    queue: Queue,
    outer: Vec<Ceiling>,
    clock: Clock,
    registry: Registry,
    limiter: LimiterBuilder,
}

impl<P: Pool> PoolLimiterBuilder<P> {
    pub(super) fn new(name: String, pool: P) -> Self {
        Self {
            limiter: Limiter::builder(name.clone()),
            name,
            pool,
            reserved: 0,
            queue: Queue::default(),
            outer: Vec::new(),
            clock: Clock::default(),
            registry: Registry::global().clone(),
        }
    }

    /// Connections that are never handed out, so that others (migrations, health checks, an
    /// operator's shell) always find one; less than the size of the pool.
    pub fn reserved(mut self, connections: u32) -> Self {
        self.reserved = connections;
        self
    }

    /// Where callers wait for a connection; by default [`Queue::fifo`]. Those who wait for a claim of
    /// [`Weight::UpTo`](crate::Weight::UpTo) have a second one of the same kind before it.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.limiter = self.limiter.queue(queue);
        self.queue = queue;
        self
    }

    /// What decides the limit below what the pool can give: an adaptive algorithm finds how many
    /// connections at once the database serves best. By default the pool alone decides.
    pub fn algorithm(mut self, algorithm: impl LimitAlgorithm) -> Self {
        self.limiter = self.limiter.algorithm(algorithm);
        self
    }

    /// The range in which an algorithm may move the limit, in connections; see
    /// [`LimiterBuilder::bounds`].
    pub fn bounds(mut self, bounds: RangeInclusive<u32>) -> Self {
        self.limiter = self.limiter.bounds(bounds);
        self
    }

    /// Adds an outer bound; the lowest applies. When it falls below the number of open connections,
    /// idle ones are closed until no more are open than it allows, where the pool can do that.
    pub fn ceiling(mut self, ceiling: Ceiling) -> Self {
        self.limiter = self.limiter.ceiling(ceiling.clone());
        self.outer.push(ceiling);
        self
    }

    /// What durations are measured with; by default the processor's time-stamp counter.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where the metrics are registered; by default [`Registry::global`].
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.limiter = self.limiter.registry(registry);
        self.registry = registry.clone();
        self
    }

    /// Builds the limiter and starts to watch the pool.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the field that cannot be used and its value; also if the pool has no
    /// maximum or this is not called inside a tokio runtime.
    pub fn build(self) -> Result<PoolLimiter<P>, BuildError> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(BuildError::NoRuntime { name: self.name });
        };
        let max = self.pool.snapshot().max;
        if !(1..=MAX_PERMITS).contains(&max) {
            let value = f64::from(max);
            return Err(BuildError::OutOfRange {
                field: "pool size",
                value,
                min: 1,
                max: MAX_PERMITS,
            });
        }
        if self.reserved >= max {
            return Err(BuildError::Reserved { reserved: self.reserved, max });
        }
        let most = max - self.reserved;
        let (ceiling, claims_ceiling) = (Ceiling::new(most), Ceiling::new(most - 1));
        let limiter = self.limiter.clock(self.clock.clone()).ceiling(ceiling.clone()).build()?;
        let claims = Limiter::builder(self.name)
            .queue(self.queue)
            .clock(self.clock.clone())
            .ceiling(claims_ceiling.clone())
            .build_unlisted()?;
        let gate = Gate::new(Parts {
            pool: self.pool,
            limiter,
            claims,
            ceiling,
            claims_ceiling,
            outer: self.outer,
            max_wait: self.queue.longest_wait(),
            most,
            reserved: self.reserved,
            clock: self.clock,
            runtime,
        });
        Ok(PoolLimiter::new(gate, &self.registry)?)
    }
}

impl<P> fmt::Debug for PoolLimiterBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolLimiterBuilder")
            .field("name", &self.name)
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}

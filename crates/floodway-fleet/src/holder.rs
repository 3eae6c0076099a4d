//! What spends the permits of a lease.

use floodway::{Limiter, Pool, PoolLimiter};

/// A limiter that stands under the ceiling of a budget, as the keeper of its lease sees it.
///
/// [`Limiter`] and [`PoolLimiter`] are such. What they want is what is in use and what waits. A fan-out
/// waits as one, whatever its concurrency, so a limiter that only a fan-out uses asks for one permit more
/// than it has and grows by one at each renewal: there, implement this for a type that holds the limiter and
/// says in [`queued`](Self::queued) how much more could run.
pub trait Holder: Send + Sync + 'static {
    /// Permits that are out.
    fn in_use(&self) -> u32;

    /// Permits that are waited for.
    fn queued(&self) -> u32;

    /// The most permits that it could use, were there no budget.
    fn most(&self) -> u32;

    /// What the backend really bears: permits out, and connections that are open.
    fn held(&self) -> u32;
}

impl Holder for Limiter {
    fn in_use(&self) -> u32 {
        self.in_flight()
    }

    fn queued(&self) -> u32 {
        u32::try_from(self.queued()).unwrap_or(u32::MAX)
    }

    fn most(&self) -> u32 {
        self.algorithm_limit()
    }

    fn held(&self) -> u32 {
        self.in_flight()
    }
}

impl<P: Pool> Holder for PoolLimiter<P> {
    fn in_use(&self) -> u32 {
        self.limiter().in_flight()
    }

    fn queued(&self) -> u32 {
        Holder::queued(self.limiter())
    }

    fn most(&self) -> u32 {
        self.pool().snapshot().max.min(self.limiter().algorithm_limit())
    }

    fn held(&self) -> u32 {
        // Connections that are being opened have a permit, and are open for some pools only; a pool
        // opens one when none is idle.
        self.pool().snapshot().open.max(self.limiter().in_flight())
    }
}

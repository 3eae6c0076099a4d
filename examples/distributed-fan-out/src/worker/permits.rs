//! How many items a worker may run at a time: its part of what the workers of a job share.

use anyhow::Result;
use floodway::{Ceiling, Limiter};

/// The limiter of a worker.
#[derive(Debug)]
pub(crate) struct Permits {
    limiter: Limiter,
}

impl Permits {
    pub(crate) fn new(concurrency: u32, budget: u32) -> Result<Self> {
        let ceiling = Ceiling::new(budget);
        let limiter = Limiter::builder("items").limit(concurrency).ceiling(ceiling).build()?;
        Ok(Self { limiter })
    }

    pub(crate) const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// How many there are now.
    pub(crate) fn now(&self) -> u32 {
        self.limiter.limit()
    }
}

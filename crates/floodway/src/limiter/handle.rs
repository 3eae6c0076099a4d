//! A limiter as an operator sees it.

use std::{error::Error, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use floodway_control::Estimates;
use floodway_metrics::Adjustable;

use super::{core::Core, mode::Mode, queue::Queue};
use crate::{BuildError, LimitError};

/// Reads and changes a limiter while it runs; takes no permits.
///
/// For an admin page, a configuration that is reloaded, a feature flag. Every change holds from
/// the next admission on and is over when the method returns.
///
/// ```
/// use floodway::{Limiter, Mode, Queue};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Limiter::builder("reports").limit(8).mode(Mode::Shadow).build()?;
/// let handle = limiter.handle();
/// handle.set_queue(Queue::codel().capacity(64))?;
/// handle.set_limit(4)?;
/// handle.set_mode(Mode::Enforce);
/// assert_eq!(limiter.limit(), 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LimiterHandle {
    core: Arc<Core>,
}

impl LimiterHandle {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The name given at build time.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// How many permits may be out now: the algorithm's limit or the lowest ceiling, whether or
    /// not it is enforced.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.core.limit()
    }

    /// Changes the limit of the algorithm; see [`Limiter::set_limit`](crate::Limiter::set_limit).
    ///
    /// # Errors
    ///
    /// If `limit` is outside the bounds.
    pub fn set_limit(&self, limit: u32) -> Result<(), LimitError> {
        self.core.set_limit(limit)
    }

    /// The range in which the algorithm's limit may move, in permits.
    #[must_use]
    pub fn bounds(&self) -> RangeInclusive<u32> {
        let (min, max) = self.core.bounds();
        min..=max
    }

    /// Changes the range in which the limit may move, and moves the limit into it.
    ///
    /// # Errors
    ///
    /// If it is empty or reaches outside 1 to [`MAX_PERMITS`](crate::MAX_PERMITS).
    pub fn set_bounds(&self, bounds: RangeInclusive<u32>) -> Result<(), BuildError> {
        self.core.set_bounds(*bounds.start(), *bounds.end())
    }

    /// Whether the limit is enforced.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.core.mode()
    }

    /// Switches the mode. Whoever waits is admitted when the limit is no longer enforced; those
    /// in flight stay when it is enforced again.
    pub fn set_mode(&self, mode: Mode) {
        self.core.set_mode(mode);
    }

    /// The longest that a caller waits in the queue.
    #[must_use]
    pub fn max_wait(&self) -> Duration {
        self.core.queue_max_wait()
    }

    /// Changes the rules of the queue. Those who wait stay, with the deadlines they came with.
    ///
    /// # Errors
    ///
    /// As for [`LimiterBuilder::build`](crate::LimiterBuilder::build).
    pub fn set_queue(&self, queue: Queue) -> Result<(), BuildError> {
        self.core.set_queue(&queue)
    }

    /// How many permits are out now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.core.state().in_flight()
    }

    /// How many callers wait now.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.core.queued()
    }

    /// What the algorithm believes.
    #[must_use]
    pub fn estimates(&self) -> Estimates {
        self.core.control().controller.estimates()
    }

    /// Refuses everything from now on; see [`Limiter::close`](crate::Limiter::close).
    pub fn close(&self) {
        self.core.close();
    }
}

/// For a status page that may change limiters, without depending on this crate.
impl Adjustable for LimiterHandle {
    fn name(&self) -> &str {
        self.name()
    }

    fn limit(&self) -> u32 {
        self.limit()
    }

    fn bounds(&self) -> RangeInclusive<u32> {
        self.bounds()
    }

    fn set_limit(&self, limit: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.set_limit(limit)?)
    }

    fn mode(&self) -> &'static str {
        self.mode().as_str()
    }

    fn set_mode(&self, mode: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.set_mode(mode.parse()?);
        Ok(())
    }
}

impl fmt::Debug for LimiterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterHandle")
            .field("name", &self.name())
            .field("mode", &self.mode())
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .finish()
    }
}

//! What may be changed from outside of a component that runs.

use std::{error::Error, ops::RangeInclusive};

/// A limiter whose limit and mode an operator may change while it runs.
///
/// Implemented by the handle of a limiter, so that a page that shows limiters can change them
/// without depending on what enforces them.
pub trait Adjustable: Send + Sync {
    /// The name under which it is measured.
    fn name(&self) -> &str;

    /// The limit now, in permits.
    fn limit(&self) -> u32;

    /// Limits that it takes, in permits.
    fn bounds(&self) -> RangeInclusive<u32>;

    /// Changes the limit, in permits.
    ///
    /// # Errors
    ///
    /// If it is outside the limiter's bounds.
    fn set_limit(&self, limit: u32) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// The mode now: one of the values of [`MODE`](crate::catalogue::limiter::MODE).
    fn mode(&self) -> &'static str;

    /// Changes the mode.
    ///
    /// # Errors
    ///
    /// If `mode` is not one of the values of [`MODE`](crate::catalogue::limiter::MODE).
    fn set_mode(&self, mode: &str) -> Result<(), Box<dyn Error + Send + Sync>>;
}

//! The algorithm's side of a limiter: windows in, a limit out.

mod aimd;
mod fixed;

pub use aimd::Aimd;
pub use fixed::Fixed;

use std::fmt;

use crate::{Window, WindowConfig};

/// Decides how many operations may be in flight.
///
/// An algorithm is a pure state machine: it is told what happened and keeps a limit. The limiter
/// that owns it clamps the limit into the configured bounds, takes the minimum with every ceiling
/// (connection pool, fleet) and enforces the result; the algorithm never learns of any of them
/// except through [`set_limit`](Self::set_limit).
pub trait LimitAlgorithm: Send + 'static {
    /// Whether the parameters make sense; asked once, when a limiter is built.
    ///
    /// # Errors
    ///
    /// The first parameter that does not.
    fn check(&self) -> Result<(), InvalidParameter> {
        Ok(())
    }

    /// The limit now, in operations. Fractions are kept between windows; the limiter rounds down.
    fn limit(&self) -> f64;

    /// Moves the limit from outside: an operator's change, or the bounds it ran into.
    fn set_limit(&mut self, limit: f64);

    /// When to close a window, or `None` if this algorithm never looks at one. A limiter with
    /// such an algorithm measures nothing on its behalf.
    fn window(&self) -> Option<WindowConfig>;

    /// Learns from a closed window and says what it did to the limit.
    fn on_window(&mut self, window: &Window) -> Decision;
}

/// What a window did to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The limit went up.
    Increase,
    /// The limit stayed.
    Hold,
    /// The limit went down.
    Decrease,
}

/// A parameter that an algorithm cannot work with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidParameter {
    /// Which.
    pub field: &'static str,
    /// What it was given.
    pub value: f64,
    /// The least that is allowed.
    pub min: f64,
    /// The most that is allowed.
    pub max: f64,
}

impl InvalidParameter {
    /// Checks that `value` is a number from `min` to `max`.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn check(field: &'static str, value: f64, min: f64, max: f64) -> Result<(), Self> {
        if (min..=max).contains(&value) { Ok(()) } else { Err(Self { field, value, min, max }) }
    }
}

impl fmt::Display for InvalidParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, min, max } = self;
        write!(f, "{field}: {value} is out of range, expected {min} to {max}")
    }
}

impl std::error::Error for InvalidParameter {}

//! The algorithm's side of a limiter: windows in, a limit out.

mod aimd;
mod anchored_gradient;
mod fixed;
mod gradient2;
mod vegas;

pub use aimd::Aimd;
pub use anchored_gradient::AnchoredGradient;
pub use fixed::Fixed;
pub use gradient2::Gradient2;
pub use vegas::Vegas;

use std::fmt;

use crate::{Estimates, Reason, Window, WindowConfig};

/// Decides how many operations may be in flight.
///
/// An algorithm is a pure state machine: it is told what happened and keeps a limit. The
/// [`Controller`](crate::Controller) that owns it gathers samples into the windows it asks for and
/// keeps its limit inside the bounds; the limiter takes the minimum with every ceiling (connection
/// pool, fleet) and enforces the result. The algorithm never learns of a ceiling.
///
/// Your own takes thirty lines:
///
/// ```
/// use std::time::Duration;
/// use floodway_control::{LimitAlgorithm, Reason, Window, WindowConfig};
///
/// /// One more while the mean latency is below a target, one fewer while it is above.
/// struct Target(Duration, f64);
///
/// impl LimitAlgorithm for Target {
///     fn limit(&self) -> f64 {
///         self.1
///     }
///
///     fn set_limit(&mut self, limit: f64) {
///         self.1 = limit;
///     }
///
///     fn window(&self) -> Option<WindowConfig> {
///         Some(WindowConfig::default())
///     }
///
///     fn on_window(&mut self, window: &Window) -> Reason {
///         if window.mean_latency > self.0 || window.overloads > 0 {
///             self.1 -= 1.0;
///             Reason::Queue
///         } else if window.limited > 0 {
///             self.1 += 1.0;
///             Reason::Growth
///         } else {
///             Reason::Unused
///         }
///     }
/// }
/// ```
pub trait LimitAlgorithm: Send + 'static {
    /// Whether the parameters make sense; asked once, when a limiter is built.
    ///
    /// # Errors
    ///
    /// The first parameter that does not.
    fn check(&self) -> Result<(), InvalidParameter> {
        Ok(())
    }

    /// The limit now, in permits. Fractions are kept between windows; the controller rounds down.
    fn limit(&self) -> f64;

    /// The limit to begin with that somebody asked for; `None` if the algorithm chose it.
    ///
    /// Bounds that leave out what was asked for are a mistake. What nobody asked for is moved into
    /// them.
    fn initial_limit(&self) -> Option<f64> {
        Some(self.limit())
    }

    /// Moves the limit from outside: an operator's change, or the limit before one that was not a
    /// number.
    fn set_limit(&mut self, limit: f64);

    /// Moves the limit into the bounds `min` to `max`; called after every window. Only an
    /// algorithm that keeps more than one limit has to write its own.
    fn clamp(&mut self, min: f64, max: f64) {
        let limit = self.limit();
        if !(min..=max).contains(&limit) {
            self.set_limit(limit.clamp(min, max));
        }
    }

    /// When the next window closes; asked when it opens. `None` if this algorithm never looks at
    /// one: a limiter with such an algorithm measures nothing on its behalf.
    fn window(&self) -> Option<WindowConfig>;

    /// Learns from a closed window and says why it moved the limit, or did not.
    fn on_window(&mut self, window: &Window) -> Reason;

    /// What it believes, for metrics.
    fn estimates(&self) -> Estimates {
        Estimates::default()
    }
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

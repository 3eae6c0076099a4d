//! A limit that only an operator changes.

use crate::{LimitAlgorithm, Reason, Window, WindowConfig};

/// A constant limit: what a pool size, a licence or a measured capacity dictates.
///
/// Prefer [`Aimd`](crate::Aimd) where the capacity is not known or moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed {
    limit: f64,
}

impl Fixed {
    /// At most `limit` operations in flight.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit: f64::from(limit) }
    }
}

impl LimitAlgorithm for Fixed {
    fn limit(&self) -> f64 {
        self.limit
    }

    fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    fn window(&self) -> Option<WindowConfig> {
        None
    }

    fn on_window(&mut self, _: &Window) -> Reason {
        Reason::Steady
    }
}

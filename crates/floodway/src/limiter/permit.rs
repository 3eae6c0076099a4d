//! The right to run one operation.

use std::{fmt, sync::Arc};

use super::core::Core;
use crate::Outcome;

/// The right to run one operation, until it is completed or dropped.
///
/// A permit that is merely dropped (because the caller was cancelled, timed out or panicked)
/// comes back with [`Outcome::Ignore`], which moves no limit. It owns its share of the limiter,
/// so it may be sent to another task and outlive every [`Limiter`](crate::Limiter) handle.
#[must_use = "a permit that is dropped at once bounds nothing"]
pub struct Permit {
    core: Arc<Core>,
    granted: Granted,
    outcome: Outcome,
}

/// An admission that was counted and not yet released.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    /// When, in nanoseconds of the limiter's clock; 0 where durations are not measured.
    pub(super) at: u64,
}

impl Permit {
    #[inline]
    pub(super) fn new(core: Arc<Core>, granted: Granted) -> Self {
        Self { core, granted, outcome: Outcome::Ignore }
    }

    /// Gives the permit back and says how the operation ended.
    pub fn complete(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

/// A release on every path is what keeps `acquired = completed + in flight` true.
impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.core.release(self.granted, self.outcome);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("limiter", &self.core.name()).finish_non_exhaustive()
    }
}

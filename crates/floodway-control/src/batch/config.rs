//! The settings of a [`BatchSizer`](super::BatchSizer).

use std::time::Duration;

use crate::InvalidParameter;

/// Most items of a batch that can be asked for.
const MAX_ITEMS: f64 = 1_048_576.0;

/// The least and the most overhead that can be asked for, as a share.
const MIN_OVERHEAD: f64 = 0.000_1;
const MAX_OVERHEAD: f64 = 0.999_9;

/// The longest time that can be asked for, in seconds: a year.
const MAX_TIME: f64 = 31_536_000.0;

/// How many items a batch may have.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BatchSizing {
    /// At most so many, and worth waiting for as long as the linger allows. Right where the
    /// downstream prescribes the size.
    Fixed(usize),
    /// At most as many as keep the overhead of a batch at a share of `overhead` of its time, from
    /// measured costs; never more than `max_size`. The size is a cap and nobody waits for it.
    Adaptive {
        /// The share of a batch's time that may be overhead, between 0 and 1.
        overhead: f64,
        /// Most items.
        max_size: usize,
    },
}

impl BatchSizing {
    pub(super) fn max_size(&self) -> usize {
        match *self {
            Self::Fixed(size) => size,
            Self::Adaptive { max_size, .. } => max_size,
        }
    }
}

impl Default for BatchSizing {
    /// Adaptive: 5 % of overhead, 1,024 items.
    fn default() -> Self {
        Self::Adaptive { overhead: 0.05, max_size: 1_024 }
    }
}

/// The settings of a [`BatchSizer`](super::BatchSizer).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchConfig {
    /// How many items a batch may have.
    pub sizing: BatchSizing,
    /// How long an item may wait for others while a slot is free. `None`: 5 ms with adaptive
    /// sizing, nothing with a fixed size.
    pub max_linger: Option<Duration>,
    /// How long an item may take from its arrival to its answer; at most one in a hundred is to
    /// take longer, if that can be had.
    pub latency_objective: Option<Duration>,
    /// The most that a batch may weigh, in the caller's unit: bytes, parameters.
    pub max_weight: Option<u64>,
    /// Whether batches of another size are sent now and then to measure the overhead. Adaptive
    /// sizing only.
    pub probing: bool,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            sizing: BatchSizing::default(),
            max_linger: None,
            latency_objective: None,
            max_weight: None,
            probing: true,
        }
    }
}

impl BatchConfig {
    pub(super) fn check(&self) -> Result<(), InvalidParameter> {
        if let BatchSizing::Adaptive { overhead, .. } = self.sizing {
            InvalidParameter::check("overhead", overhead, MIN_OVERHEAD, MAX_OVERHEAD)?;
        }
        InvalidParameter::check("max_size", self.sizing.max_size() as f64, 1.0, MAX_ITEMS)?;
        let mut longest = MAX_TIME;
        if let Some(objective) = self.latency_objective {
            longest = objective.as_secs_f64();
            InvalidParameter::check("latency_objective", longest, 1e-9, MAX_TIME)?;
        }
        if let Some(linger) = self.max_linger {
            InvalidParameter::check("max_linger", linger.as_secs_f64(), 0.0, longest)?;
        }
        if let Some(weight) = self.max_weight {
            InvalidParameter::check("max_weight", weight as f64, 1.0, u64::MAX as f64)?;
        }
        Ok(())
    }
}

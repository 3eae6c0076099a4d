//! What a controller believes, for metrics.

use std::time::Duration;

/// What a controller believes about its downstream, as of the last closed window.
///
/// An algorithm fills in what it estimates and leaves the rest at the default; the counts of
/// windows and of invalid limits, the window's latency and whether it was limit-bound come from
/// the controller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Estimates {
    /// Latency without a queue.
    pub baseline_latency: Option<Duration>,
    /// Mean latency in the last window that had a success.
    pub window_latency: Option<Duration>,
    /// Operations that are queued downstream rather than worked on.
    pub queue: Option<f64>,
    /// Whether anybody was held back by the limit.
    pub limit_bound: bool,
    /// Whether the limit is low at the moment in order to measure the baseline.
    pub probing: bool,
    /// Probes that ended, by [`ProbeResult::index`].
    pub probes: [u64; ProbeResult::ALL.len()],
    /// Windows that closed.
    pub windows: u64,
    /// Limits that were not numbers and were refused.
    pub invalid_limits: u64,
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeResult {
    /// The baseline was right.
    Confirmed,
    /// Latency without a queue is lower than was believed.
    Lowered,
    /// Latency without a queue is higher than was believed.
    Raised,
    /// It ended without enough successes to say anything.
    Inconclusive,
}

impl ProbeResult {
    /// Every result, in the order of [`ProbeResult::index`].
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Lowered, Self::Raised, Self::Inconclusive];

    /// The position of this result in [`ProbeResult::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The value of a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Lowered => "lowered",
            Self::Raised => "raised",
            Self::Inconclusive => "inconclusive",
        }
    }
}

//! A batch on its way.

use std::time::Duration;

use super::probing::Role;

/// A batch on its way, to be given back with [`BatchSizer::record`](super::BatchSizer::record).
///
/// Dropped if the batch failed as a whole, which says nothing about cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct BatchRun {
    pub(super) started: Duration,
    pub(super) items: usize,
    pub(super) weight: u64,
    pub(super) role: Role,
    /// How long the oldest item had waited.
    pub(super) waited: Duration,
    /// Whether it had as many items as the target allows.
    pub(super) full: bool,
    /// Slots, and other batches in flight, when it went.
    pub(super) slots: usize,
    pub(super) in_flight: usize,
    /// Batches that could run at a time, and the items of all callers if they come back.
    pub(super) used: usize,
    pub(super) all: Option<usize>,
    /// Counts batches.
    pub(super) number: u64,
}

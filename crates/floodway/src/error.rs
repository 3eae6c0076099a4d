//! What can be wrong with a configuration, at build time or while running.

use std::time::Duration;

use floodway_control::InvalidParameter;
use floodway_metrics::RegisterError;

/// Why a limiter or pool limiter could not be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A number is outside what its field allows.
    #[error("{field}: {value} is out of range, expected {min} to {max}")]
    OutOfRange {
        /// The builder's method.
        field: &'static str,
        /// What it was given.
        value: f64,
        /// The least that is allowed.
        min: u32,
        /// The most that is allowed.
        max: u32,
    },
    /// The lower bound is above the upper bound.
    #[error("bounds: minimum {min} is above maximum {max}")]
    EmptyBounds {
        /// The lower bound.
        min: u32,
        /// The upper bound.
        max: u32,
    },
    /// Nobody may wait in the queue, or for longer than a day.
    #[error(
        "queue max_wait: {max_wait:?} is out of range, expected more than 0 s and at most 24 h; \
         Queue::none() refuses at once"
    )]
    MaxWait {
        /// What it was given.
        max_wait: Duration,
    },
    /// The priorities are promised more than there is.
    #[error(
        "queue guarantee: {guarantees:?} is out of range, expected shares of at least 0 that are \
         less than 1 together"
    )]
    Guarantees {
        /// The share of each priority, the highest first.
        guarantees: [f64; floodway_control::Priority::COUNT],
    },
    /// Every key would be gone before it is used.
    #[error("idle_after: 0ns is out of range, expected more than 0 s")]
    IdleAfter,
    /// The name of a partition is taken, or its part is more than is left.
    #[error(
        "partition {name:?}: a guarantee of {guarantee} cannot be given, expected a new name, \
         0 to 1, and at most 1 in sum"
    )]
    Partition {
        /// The partition.
        name: String,
        /// The part of the limit that it was to have.
        guarantee: f64,
    },
    /// The algorithm has a parameter that it cannot work with.
    #[error(transparent)]
    Algorithm(#[from] InvalidParameter),
    /// An adaptive algorithm needs durations, which counting alone does not measure.
    #[error("instrumentation: Counts measures no durations, which the algorithm needs; use Full")]
    Unmeasured,
    /// The name is not usable, or is in use in this registry.
    #[error(transparent)]
    Name(#[from] RegisterError),
    /// As many connections are reserved as the pool has, or more.
    #[error("reserved: {reserved} leaves nothing of a pool of {max} connections")]
    Reserved {
        /// Connections to leave to others.
        reserved: u32,
        /// Connections that the pool may open.
        max: u32,
    },
    /// A pool limiter was built outside a tokio runtime, which it needs to return connections.
    #[error("pool limiter {name:?} must be built inside a tokio runtime")]
    NoRuntime {
        /// The name it was to have.
        name: String,
    },
}

/// Why a limit could not be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit: {limit} is out of bounds, expected {min} to {max}")]
#[non_exhaustive]
pub struct LimitError {
    /// The limit asked for.
    pub limit: u32,
    /// The lower bound.
    pub min: u32,
    /// The upper bound.
    pub max: u32,
}

/// A text is not the name of a mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mode: {mode:?} is unknown, expected off, shadow or enforce")]
#[non_exhaustive]
pub struct UnknownMode {
    /// What was given.
    pub mode: String,
}

/// A limiter has no partition of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limiter {limiter:?} has no partition {name:?}, expected one of {known:?}")]
#[non_exhaustive]
pub struct UnknownPartition {
    /// The limiter that was asked.
    pub limiter: String,
    /// The name asked for.
    pub name: String,
    /// Those that it has.
    pub known: Vec<String>,
}

//! Why there was no connection for a caller.

use std::{fmt, panic::Location, time::Duration};

use floodway_metrics::catalogue::pool::CAUSE;

use crate::Rejected;

/// A caller was refused before the pool was asked for a connection.
///
/// Nothing was done on its behalf. Trying again at once makes an overload worse: see
/// [`Rejected::retry_after`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "{cause}; {} of {} permits out, retry after {:?}",
    rejected.in_flight, rejected.limit, rejected.retry_after
)]
#[non_exhaustive]
pub struct PoolRejected {
    /// What kept the caller from a connection, as far as the limiter can tell.
    pub cause: PoolCause,
    /// What became of it in the queue.
    pub rejected: Rejected,
}

/// What keeps callers from a connection. The first that applies is told, in this order: closed, a
/// weight that the pool can never give, connect failing, foreign, pool held, ceiling, a weight above
/// the limit of the moment, and then the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PoolCause {
    /// More arrive than the pool can serve: as many wait already as may.
    QueueFull,
    /// More arrive than the pool can serve: the deadline passes first, or has.
    Deadline,
    /// Connections cannot be opened or do not answer: is the database reachable?
    ConnectFailing {
        /// Attempts that failed since the last one that did not; 0 while the first ones hang.
        failures: u32,
        /// How long ago that began.
        since: Duration,
    },
    /// A quarter of the connections or more have been held for longer than the caller could wait.
    PoolHeld {
        /// 99 % of the connections come back within this time, as seen in the last ten to twenty
        /// seconds; zero while that is not known.
        p99_hold: Duration,
        /// How long the one that is out longest has been out.
        oldest: Duration,
    },
    /// Others, who do not come through the limiter, use as many connections as are left for it, or
    /// more.
    Foreign {
        /// How many they use.
        connections: u32,
    },
    /// A ceiling from outside leaves less than the pool could give: the share of a fleet, an
    /// operator.
    Ceiling {
        /// The ceiling.
        limit: u32,
    },
    /// The pool, or the limiter, was closed.
    Closed,
    /// More connections at a time than the limit, or none.
    Weight {
        /// How many were asked for.
        weight: u32,
        /// How many one operation can have: the size of the pool less what is reserved, or the
        /// limit of the moment where that is lower.
        most: u32,
    },
}

impl PoolCause {
    /// The value of the metric label `cause`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        CAUSE.values[self.index()]
    }

    pub(super) const fn index(&self) -> usize {
        match self {
            Self::QueueFull => 0,
            Self::Deadline => 1,
            Self::ConnectFailing { .. } => CONNECT_FAILING,
            Self::PoolHeld { .. } => 3,
            Self::Foreign { .. } => FOREIGN,
            Self::Ceiling { .. } => 5,
            Self::Closed => 6,
            Self::Weight { .. } => 7,
        }
    }
}

/// The position of the label of those whom the pool keeps waiting after they were admitted.
pub(super) const CONNECT_FAILING: usize = 2;
/// The position of the label of those who wait in the pool for what others use.
pub(super) const FOREIGN: usize = 4;
/// The positions of those who would have got a connection if there had been more of them.
pub(super) const FOR_WANT_OF_ONE: [usize; 5] = [0, 1, 3, FOREIGN, 5];
/// The position of the label of nested acquisitions, which are an error of their own.
pub(super) const NESTED: usize = 8;

impl fmt::Display for PoolCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull => f.write_str("the queue for connections is full"),
            Self::Deadline => f.write_str("no connection before the deadline"),
            Self::ConnectFailing { failures: 0, since } => {
                write!(f, "connections have not answered for {since:?}")
            }
            Self::ConnectFailing { failures, since } => {
                write!(f, "connecting has failed {failures} times in a row in {since:?}")
            }
            Self::PoolHeld { p99_hold: Duration::ZERO, oldest } => {
                write!(f, "connections are held for long, one for {oldest:?} now")
            }
            Self::PoolHeld { p99_hold, oldest } => write!(
                f,
                "connections are held for long, one for {oldest:?} now where 99 % come back \
                 within {p99_hold:?}"
            ),
            Self::Foreign { connections } => {
                write!(f, "{connections} connections are used by others than this limiter")
            }
            Self::Ceiling { limit } => {
                write!(f, "a ceiling allows {limit} connections, less than the pool has")
            }
            Self::Closed => f.write_str("the pool is closed"),
            Self::Weight { weight, most } => {
                write!(f, "weight: {weight} is out of range, expected 1 to {most} connections")
            }
        }
    }
}

/// An operation that holds as many connections as it may asked for another, for which it could wait
/// for ever. Say beforehand how many it takes, with [`PoolLimiter::claim`](crate::PoolLimiter::claim).
///
/// Without a claim it is a guess, made once a wait was in vain: the task that asked has asked for a
/// connection before that is still out. So a task that passes connections on to others may be taken for
/// one that nests; let those ask who use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NestedAcquire {
    /// How many connections it may hold at a time.
    pub weight: u32,
    /// Where it asked for those, or for its claim; `None` in release builds.
    pub outer: Option<&'static Location<'static>>,
    /// Where it asked for the one too many; `None` in release builds.
    pub inner: Option<&'static Location<'static>>,
}

impl fmt::Display for NestedAcquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = if self.weight == 1 { "connection" } else { "connections" };
        write!(
            f,
            "an operation that may hold {} {connections} asked for another, for which it could \
             wait for ever; claim as many as it takes",
            self.weight
        )?;
        match (self.outer, self.inner) {
            (Some(outer), Some(inner)) => write!(f, " (first at {outer}, then at {inner})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for NestedAcquire {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_in_the_order_of_the_index() {
        let second = Duration::from_secs(1);
        let causes = [
            (PoolCause::QueueFull, "queue_full"),
            (PoolCause::Deadline, "deadline"),
            (PoolCause::ConnectFailing { failures: 3, since: second }, "connect_failing"),
            (PoolCause::PoolHeld { p99_hold: second, oldest: second }, "pool_held"),
            (PoolCause::Foreign { connections: 5 }, "foreign"),
            (PoolCause::Ceiling { limit: 4 }, "ceiling"),
            (PoolCause::Closed, "closed"),
            (PoolCause::Weight { weight: 11, most: 10 }, "weight"),
        ];
        for (cause, label) in causes {
            assert_eq!(cause.as_str(), label);
        }
        assert_eq!(CAUSE.values[CONNECT_FAILING], "connect_failing");
        assert_eq!(CAUSE.values[FOREIGN], "foreign");
        assert_eq!(CAUSE.values[NESTED], "nested");
        let wanting = FOR_WANT_OF_ONE.map(|cause| CAUSE.values[cause]);
        assert_eq!(wanting, ["queue_full", "deadline", "pool_held", "foreign", "ceiling"]);
    }
}

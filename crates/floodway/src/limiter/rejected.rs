//! A refusal: why, and when to come back.

use std::time::Duration;

use floodway_metrics::catalogue::limiter::REASON;

/// An operation was refused before it ran.
///
/// Nothing was done on its behalf, so trying again later is safe. Trying again at once is what
/// turns an overload into an outage: wait for [`retry_after`](Self::retry_after) at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "rejected: {reason}; {in_flight} of {limit} permits in flight, retry after {retry_after:?}"
)]
#[non_exhaustive]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// When the queue as it is now will have drained, from the rate at which it does; one second
    /// where nothing is known yet, one minute at most.
    pub retry_after: Duration,
    /// The limit at that moment.
    pub limit: u32,
    /// Permits out at that moment.
    pub in_flight: u32,
}

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// As many callers wait as may.
    QueueFull,
    /// The caller's deadline, or the longest wait that the queue allows, has passed.
    Deadline,
    /// No permit is free, and the caller does not wait or the limiter has no queue.
    NoPermit,
    /// The limiter was closed.
    Closed,
}

impl RejectReason {
    /// The value of the metric label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        REASON.values[self.index()]
    }

    /// The position of this reason among the values of the metric label.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::QueueFull => 0,
            Self::Deadline => 1,
            Self::NoPermit => 2,
            Self::Closed => 3,
        }
    }
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::QueueFull => "the queue is full",
            Self::Deadline => "no permit before the deadline",
            Self::NoPermit => "no permit is free",
            Self::Closed => "the limiter is closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_in_the_order_of_the_index() {
        let names = [
            (RejectReason::QueueFull, "queue_full"),
            (RejectReason::Deadline, "deadline"),
            (RejectReason::NoPermit, "no_permit"),
            (RejectReason::Closed, "closed"),
        ];
        assert_eq!(names.len(), REASON.values.len());
        for (reason, name) in names {
            assert_eq!(reason.as_str(), name);
        }
    }
}

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
    /// When to come back: once the queue as it is now has drained, from the rate at which it does,
    /// and those have had their turn who were told so before. So those who are refused together do
    /// not come back together. Up to one turn more at random; one second where nothing is known
    /// yet, one minute at most.
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
    /// The deadline will have passed before a permit is free, going by how fast the queue drains;
    /// said on arrival instead of after a wait for nothing.
    Unmeetable,
    /// The queue's discipline dropped the caller after too long a wait.
    Shed,
    /// Somebody with a better right to the place in the full queue arrived: of a higher priority,
    /// or of a class with less than its guaranteed part.
    Displaced,
    /// No permit is free, and the caller does not wait or the limiter has no queue.
    NoPermit,
    /// A weight of 0, or above the limit: it would never be admitted.
    Weight,
    /// Asked for inside an operation that holds a permit of the same limiter, for more permits than
    /// that one holds. Waiting for the others could mean to wait for oneself.
    Nested,
    /// The limiter was closed.
    Closed,
}

impl RejectReason {
    /// Every reason, in the order of the values of the metric label `reason`.
    pub const ALL: [Self; 9] = [
        Self::QueueFull,
        Self::Deadline,
        Self::Unmeetable,
        Self::Shed,
        Self::Displaced,
        Self::NoPermit,
        Self::Weight,
        Self::Nested,
        Self::Closed,
    ];

    /// The value of the metric label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        REASON.values[self.index()]
    }

    /// Whether the caller would have been admitted under a higher limit.
    #[inline]
    pub(super) const fn is_for_want_of_a_permit(self) -> bool {
        !matches!(self, Self::Weight | Self::Nested | Self::Closed)
    }

    /// The position of this reason in [`RejectReason::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::QueueFull => "the queue is full",
            Self::Deadline => "no permit before the deadline",
            Self::Unmeetable => "the queue is too long for the deadline",
            Self::Shed => "shed after too long a wait",
            Self::Displaced => "displaced by somebody with a better right to the place",
            Self::NoPermit => "no permit is free",
            Self::Weight => "the weight is 0 or above the limit",
            Self::Nested => "nested in an operation that holds fewer permits of this limiter",
            Self::Closed => "the limiter is closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_in_the_order_of_the_index() {
        assert_eq!(RejectReason::ALL.len(), REASON.values.len());
        for (reason, name) in RejectReason::ALL.into_iter().zip(REASON.values) {
            assert_eq!(RejectReason::ALL[reason.index()], reason);
            let words = format!("{reason:?}").chars().fold(String::new(), |words, letter| {
                let break_before = letter.is_uppercase() && !words.is_empty();
                words + if break_before { "_" } else { "" } + &letter.to_lowercase().to_string()
            });
            assert_eq!(words, *name);
        }
    }
}

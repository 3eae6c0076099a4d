//! When a fan-out stops before its input ends.

use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use crate::InvalidParameter;

/// What a failed item means for the others.
///
/// An item fails by an error, a timeout, a panic or a rejection. The words are those of AWS Step
/// Functions' Distributed Map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum ErrorPolicy {
    /// Nothing: every item gets its chance.
    #[default]
    CollectAll,
    /// The first failure stops the rest.
    FailFast,
    /// More failures than these stop the rest.
    Tolerate(Tolerance),
    /// So many successes stop the rest, whatever fails.
    FirstOk(NonZeroUsize),
    /// So many successes stop the rest, and so does the moment from which they are out of reach,
    /// for an input of known length.
    Quorum(NonZeroUsize),
}

/// How many failures are tolerated: a count or a share of the items, whichever is more.
///
/// ```
/// use floodway::fan_out::Tolerance;
///
/// // Ten, or one in a hundred where there are more than a thousand items.
/// let tolerance = Tolerance::new(10, 0.01)?;
/// assert_eq!(Tolerance::new(0, 2.0).unwrap_err().field, "tolerance ratio");
/// # Ok::<(), floodway::InvalidParameter>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    count: usize,
    ratio: f64,
}

impl Tolerance {
    /// `count` failures, or a share of `ratio` (0 to 1) of all items if that is more: of the
    /// length of the input where it is known, of the items that ended otherwise.
    ///
    /// # Errors
    ///
    /// If `ratio` is not a number from 0 to 1.
    pub fn new(count: usize, ratio: f64) -> Result<Self, InvalidParameter> {
        InvalidParameter::check("tolerance ratio", ratio, 0.0, 1.0)?;
        Ok(Self { count, ratio })
    }

    /// `count` failures.
    #[must_use]
    pub const fn count(count: usize) -> Self {
        Self { count, ratio: 0.0 }
    }
}

/// What becomes of the items that run when a fan-out stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStop {
    /// They are dropped at once, and end as [`Cancelled`](super::ItemError::Cancelled).
    #[default]
    Abort,
    /// They may go on for so long; what is not done then is dropped.
    Drain(Duration),
}

/// Why a fan-out came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The source ended and every item had its chance.
    Completed,
    /// More items failed than the [`ErrorPolicy`] tolerates.
    Failures,
    /// As many succeeded as were asked for.
    Enough,
    /// Too many failed, or there are too few items, for as many successes as were asked for.
    OutOfReach,
    /// The deadline passed.
    Deadline,
    /// It was cancelled from outside, shut down, or its consumer went away.
    Cancelled,
    /// The source panicked, with this message.
    SourceFailed(Arc<str>),
    /// The runtime that its workers were spawned on is shutting down.
    RuntimeGone,
}

impl StopReason {
    /// The policy got what it asked for.
    pub(super) const fn is_success(&self) -> bool {
        matches!(self, Self::Completed | Self::Enough)
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Failures => f.write_str("too many items failed"),
            Self::Enough => f.write_str("enough items succeeded"),
            Self::OutOfReach => f.write_str("as many successes as asked for are out of reach"),
            Self::Deadline => f.write_str("the deadline passed"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::SourceFailed(message) => write!(f, "the source panicked: {message}"),
            Self::RuntimeGone => f.write_str("the runtime is shutting down"),
        }
    }
}

/// How many items ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Ended with a value.
    pub succeeded: usize,
    /// Ended with an error of their own.
    pub failed: usize,
    /// Took longer than the item timeout.
    pub timed_out: usize,
    /// Panicked.
    pub panicked: usize,
    /// Not admitted by a limiter.
    pub rejected: usize,
    /// Were running when the fan-out stopped.
    pub cancelled: usize,
    /// Were never started.
    pub not_started: usize,
}

impl Counts {
    /// Items that have an outcome.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.succeeded + self.failures() + self.cancelled + self.not_started
    }

    /// Items that ran to their own end, well or badly; not those that were stopped.
    #[must_use]
    pub const fn done(&self) -> usize {
        self.succeeded + self.failures()
    }

    /// Items that failed by themselves.
    #[must_use]
    pub const fn failures(&self) -> usize {
        self.failed + self.timed_out + self.panicked + self.rejected
    }
}

impl ErrorPolicy {
    /// Whether an item that ended this way may be the last.
    pub(super) const fn may_stop_after(&self, success: bool) -> bool {
        match self {
            Self::CollectAll => false,
            Self::FailFast | Self::Tolerate(_) => !success,
            Self::FirstOk(_) | Self::Quorum(_) => true,
        }
    }

    /// Whether these counts end the fan-out; `open` items may still succeed, if that is known.
    pub(super) fn verdict(&self, counts: &Counts, open: Option<u64>) -> Option<StopReason> {
        match *self {
            Self::CollectAll => None,
            Self::FailFast => (counts.failures() > 0).then_some(StopReason::Failures),
            Self::Tolerate(Tolerance { count, ratio }) => {
                let all = counts.total() as f64 + open.unwrap_or(0) as f64;
                let tolerated = (ratio * all).max(count as f64);
                (counts.failures() as f64 > tolerated).then_some(StopReason::Failures)
            }
            Self::FirstOk(wanted) | Self::Quorum(wanted) if counts.succeeded >= wanted.get() => {
                Some(StopReason::Enough)
            }
            Self::FirstOk(_) => None,
            Self::Quorum(wanted) => {
                let reachable = (counts.succeeded as u64).saturating_add(open?);
                (reachable < wanted.get() as u64).then_some(StopReason::OutOfReach)
            }
        }
    }
}

//! What happens when the batch function fails for a whole batch.

use std::{fmt, time::Duration};

use crate::{BuildError, InvalidParameter};

/// A day, in seconds.
const LONGEST_BACKOFF: f64 = 86_400.0;

/// What to do with a batch that failed as a whole. One that panicked or gave the wrong number of
/// answers is never sent again.
///
/// [`Retry`](Self::Retry) and [`Bisect`](Self::Bisect) send items again of which nobody knows
/// whether they were done: use them where a batch is all or nothing, such as a transaction, or
/// where doing an item twice is doing it once.
///
/// ```
/// use floodway::OnBatchError;
///
/// enum InsertError {
///     /// The database says that a row breaks a rule.
///     Row,
///     /// The database cannot be reached.
///     Down,
/// }
///
/// // Which of 64 rows it was takes 13 calls to find out, the first included.
/// let policy = OnBatchError::Bisect {
///     max_calls: 13,
///     when: |error: &InsertError| matches!(error, InsertError::Row),
/// };
/// # let _ = policy;
/// ```
#[non_exhaustive]
pub enum OnBatchError<E> {
    /// Every item of the batch has the error.
    Fail,
    /// The batch is sent again, as it is.
    Retry {
        /// How often it is sent at most, the first time included.
        max_calls: u32,
        /// How long to wait before the second time, up to a day, half of it at random; doubled each
        /// time after, sixteen times at most. Nothing of a limiter is held meanwhile, but the batch
        /// keeps its place among [those in flight](super::BatcherBuilder::max_in_flight).
        backoff: Duration,
        /// For which errors. What more of the same makes worse is none of them: "overloaded", "too
        /// many requests".
        when: fn(&E) -> bool,
    },
    /// Both halves are sent, and so on until the items that cause the error are alone with it and
    /// the others are done. One such item among n takes 1 + 2·log₂ n calls.
    Bisect {
        /// How many calls a batch makes at most, the first included. Items of a part that failed
        /// and may not be divided any more have its error.
        max_calls: u32,
        /// For which errors: those that an item causes (SQLSTATE classes 22 and 23, HTTP 400, 413 and
        /// 422). Never timeouts or overload, which dividing makes worse.
        ///
        /// The batch keeps its place among those in flight until its last call.
        when: fn(&E) -> bool,
    },
}

/// What to do with a part of a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Tell its callers.
    GiveUp,
    /// Send it again after a wait.
    Again(Duration),
    /// Send each half.
    Divide,
}

impl<E> OnBatchError<E> {
    /// After `calls` calls, with `pending` further parts to be sent, a part of `items` items failed.
    pub(super) fn next(&self, error: &E, items: usize, calls: u32, pending: usize) -> Next {
        match *self {
            Self::Fail => Next::GiveUp,
            Self::Retry { max_calls, backoff, when } => {
                if calls < max_calls && when(error) {
                    Next::Again(jittered(backoff, calls))
                } else {
                    Next::GiveUp
                }
            }
            Self::Bisect { max_calls, when } => {
                let needed = u64::from(calls) + pending as u64 + 2;
                if items > 1 && needed <= u64::from(max_calls) && when(error) {
                    Next::Divide
                } else {
                    Next::GiveUp
                }
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), BuildError> {
        let (field, calls, least) = match self {
            Self::Fail => return Ok(()),
            Self::Retry { max_calls, .. } => ("retry max_calls", *max_calls, 2),
            Self::Bisect { max_calls, .. } => ("bisect max_calls", *max_calls, 3),
        };
        if let Self::Retry { backoff, .. } = self {
            InvalidParameter::check("retry backoff", backoff.as_secs_f64(), 0.0, LONGEST_BACKOFF)?;
        }
        if calls >= least {
            return Ok(());
        }
        Err(BuildError::OutOfRange { field, value: f64::from(calls), min: least, max: u32::MAX })
    }
}

/// Between half and all of `first`, doubled for each call after the first.
fn jittered(first: Duration, calls: u32) -> Duration {
    let doubled = first.saturating_mul(1 << calls.saturating_sub(1).min(16));
    doubled.mul_f64(0.5 + fastrand::f64() / 2.0)
}

// Not derived, because a function pointer is copied whatever `E` is.
impl<E> Clone for OnBatchError<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for OnBatchError<E> {}

impl<E> fmt::Debug for OnBatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("Fail"),
            Self::Retry { max_calls, backoff, .. } => f
                .debug_struct("Retry")
                .field("max_calls", max_calls)
                .field("backoff", backoff)
                .finish_non_exhaustive(),
            Self::Bisect { max_calls, .. } => {
                f.debug_struct("Bisect").field("max_calls", max_calls).finish_non_exhaustive()
            }
        }
    }
}

//! What a fan-out gives back.

use std::fmt;

use super::{ItemError, Outcome, Stats, StopReason};

/// What became of every item.
#[derive(Debug)]
#[must_use = "a report says what failed"]
#[non_exhaustive]
pub struct Report<T, E> {
    /// One for every item that was pulled, by index; and one for every other where the source said
    /// exactly how many there are, up to the first 2²⁴ of them. `stats.counts` has all.
    pub outcomes: Vec<Outcome<T, E>>,
    /// Why it ended.
    pub stop: StopReason,
    /// How it went.
    pub stats: Stats,
}

impl<T, E> Report<T, E> {
    /// Whether every item has a value.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let counts = &self.stats.counts;
        self.stop == StopReason::Completed && counts.succeeded == counts.total()
    }

    /// The values there are, by index.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok())
    }

    /// The values there are, by index.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.outcomes.into_iter().filter_map(|outcome| outcome.result.ok())
    }

    /// What failed by itself, with its index.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &ItemError<E>)> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.result {
            Err(error) if error.is_failure() => Some((outcome.index, error)),
            _ => None,
        })
    }

    /// How many items from the beginning on succeeded without a gap: where to go on after a stop.
    #[must_use]
    pub fn resume_from(&self) -> usize {
        self.outcomes.iter().take_while(|outcome| outcome.result.is_ok()).count()
    }
}

/// How a fan-out went whose outcomes were consumed one by one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Why it ended.
    pub stop: StopReason,
    /// How it went.
    pub stats: Stats,
}

/// A fan-out did not give what was asked for.
///
/// `source()` is what the item failed with that failed first. An `std::error::Error` where that of
/// the items is one; a `String` is not.
#[non_exhaustive]
pub struct FanOutError<T, E> {
    /// The index of the item that failed first; `None` if none did.
    pub first: Option<usize>,
    /// Everything that there is. Boxed, as errors are moved more often than they are read.
    pub report: Box<Report<T, E>>,
}

impl<T, E> FanOutError<T, E> {
    /// The first failure, by the end of items and not by index.
    #[must_use]
    pub fn first(&self) -> Option<&ItemError<E>> {
        let outcome = self.report.outcomes.get(self.first?)?;
        outcome.result.as_ref().err()
    }
}

impl<T, E> fmt::Display for FanOutError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.report.stats.counts;
        let (succeeded, total) = (counts.succeeded, counts.total());
        let stop = &self.report.stop;
        write!(f, "{stop}: {succeeded} of {total} items succeeded")?;
        match self.first {
            Some(index) => write!(f, ", item {index} failed first"),
            None => Ok(()),
        }
    }
}

impl<T, E> fmt::Debug for FanOutError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOutError")
            .field("first", &self.first)
            .field("stop", &self.report.stop)
            .field("counts", &self.report.stats.counts)
            .finish_non_exhaustive()
    }
}

impl<T, E: std::error::Error + 'static> std::error::Error for FanOutError<T, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.first()? {
            ItemError::Failed(error) => Some(error),
            ItemError::Rejected(rejected) => Some(&**rejected),
            error => Some(error),
        }
    }
}

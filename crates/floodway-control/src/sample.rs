//! What one finished operation tells a limit algorithm.

use std::time::Duration;

/// How an operation ended, from the point of view of load.
///
/// The question is never "did the caller like the answer" but "does this end say that there was
/// too much work at once".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The work was done; its duration is a valid measurement. A `404` is a success.
    Success,
    /// The work ended in a way that says "too much": a timeout, a `503`, an exhausted pool.
    Overload,
    /// The end says nothing about load: cancelled by the caller, or invalid input. The default,
    /// because a permit that is merely dropped must never move a limit.
    #[default]
    Ignore,
}

impl Outcome {
    /// Every outcome, in the order of [`Outcome::index`].
    pub const ALL: [Self; 3] = [Self::Success, Self::Overload, Self::Ignore];

    /// The position of this outcome in [`Outcome::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Success => 0,
            Self::Overload => 1,
            Self::Ignore => 2,
        }
    }
}

/// One finished operation.
///
/// Every completion is reported, [`Outcome::Ignore`] included: such an end moves no limit, but
/// who waits for everything that was in flight at one moment has to see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When the operation got its permits, in the time that the controller is told.
    pub started: Duration,
    /// Permits that it held.
    pub weight: u32,
    /// Permits out when it ended, its own included.
    pub in_flight: u32,
    /// Whether, since the sample before, somebody had to queue or was refused because no permit
    /// was free.
    pub limited: bool,
    /// How it ended.
    pub outcome: Outcome,
}

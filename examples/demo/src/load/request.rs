//! What became of the requests of a phase.

use std::time::Duration;

use super::Phase;

/// What the client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A 2xx response.
    Success,
    /// A 429 or 503 that names Floodway's reason.
    Rejected { reason: String },
    /// A 503 that names the pool.
    PoolTimeout,
    /// Anything else: no connection, no answer in time, another status.
    Failed,
}

/// An answer and when it was complete, from the beginning of the phase.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) at: Duration,
    pub(crate) answer: Answer,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// When it was due, from the beginning of the phase.
    pub(crate) due: Duration,
    /// `None` if the run was interrupted before.
    pub(crate) answered: Option<Answered>,
}

impl Request {
    /// From when it was due until it was answered, if with a 2xx.
    pub(crate) fn success_latency(&self) -> Option<Duration> {
        Some(self.success_at()?.saturating_sub(self.due))
    }

    /// When it was answered with a 2xx, from the beginning of the phase.
    pub(crate) fn success_at(&self) -> Option<Duration> {
        let answered = self.answered.as_ref()?;
        (answered.answer == Answer::Success).then_some(answered.at)
    }
}

/// A phase that was run.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) phase: Phase,
    /// How long requests arrived: the phase's duration, or less if it was interrupted.
    pub(crate) lasted: Duration,
    /// In the order of arrival.
    pub(crate) requests: Vec<Request>,
}

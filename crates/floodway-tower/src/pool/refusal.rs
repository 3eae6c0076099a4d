//! What callers on the network are told who get no connection.

use std::time::Duration;

use floodway::ConnectionError;

/// When to come back where nothing is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct Refusal {
    /// As the metric `floodway_pool_rejections_total` has it.
    pub(crate) cause: &'static str,
    /// `None` where trying again does not help.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the pool was not even asked, so that it says nothing about load.
    pub(crate) untried: bool,
}

impl Refusal {
    pub(crate) fn of<E>(error: &ConnectionError<E>) -> Self {
        match error {
            ConnectionError::Rejected(refused) => Self {
                cause: refused.cause.as_str(),
                retry_after: Some(refused.rejected.retry_after),
                untried: true,
            },
            ConnectionError::NestedAcquire(_) => {
                Self { cause: "nested", retry_after: None, untried: true }
            }
            ConnectionError::Deadline { .. } => Self::tried("connect_failing"),
            // `Pool`, and what may come.
            _ => Self::tried("pool_error"),
        }
    }

    const fn tried(cause: &'static str) -> Self {
        Self { cause, retry_after: Some(RETRY_AFTER), untried: false }
    }
}

//! Says once that a collector is away, and once that it is back.

use std::{
    error::Error,
    iter::successors,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether the last export failed.
#[derive(Debug)]
pub(super) struct Quiet {
    what: &'static str,
    endpoint: String,
    failing: AtomicBool,
}

impl Quiet {
    pub(super) const fn new(what: &'static str, endpoint: String) -> Self {
        Self { what, endpoint, failing: AtomicBool::new(false) }
    }

    /// Logs `result` if it is another than the last one.
    pub(super) fn note(&self, result: &Result<(), String>) {
        let failing = result.is_err();
        if self.failing.swap(failing, Ordering::Relaxed) == failing {
            return;
        }
        let Self { what, endpoint, .. } = self;
        match result {
            Ok(()) => tracing::info!(endpoint, "{what} are exported again"),
            Err(error) => {
                tracing::warn!(
                    endpoint,
                    error,
                    "{what} cannot be exported; further tries are not logged"
                );
            }
        }
    }
}

/// An error with what caused it: the first line alone says that sending failed.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

//! Says once that a collector is away, and once that it is back.

use std::sync::atomic::{AtomicBool, Ordering};

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
    pub(super) fn note<E: std::fmt::Display>(&self, result: &Result<(), E>) {
        let failing = result.is_err();
        if self.failing.swap(failing, Ordering::Relaxed) == failing {
            return;
        }
        let Self { what, endpoint, .. } = self;
        match result {
            Ok(()) => tracing::info!(endpoint, "{what} are exported again"),
            Err(error) => {
                tracing::warn!(endpoint, %error, "{what} cannot be exported; further tries are not logged");
            }
        }
    }
}

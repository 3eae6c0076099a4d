//! Waiting for what another process does in its own time.

use std::time::Duration;

use tokio::time::Instant;

use crate::process::pause;

/// Returns once `holds`, which is asked again and again. For tests without a runtime.
///
/// # Panics
///
/// With `what`, if it does not hold within `patience`.
pub fn eventually(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < patience, "not within {patience:?}: {what}");
        pause();
    }
}

//! One timer for all that waits: for company, or longer than it may.

use std::sync::{Arc, Weak};

use tokio::{sync::Notify, time::timeout_at};

use super::core::{Core, Key};

/// Starts the watch of a batcher, which lives as long as the batcher or the runtime does.
pub(super) fn start<T, U, E, K, D>(core: Weak<Core<T, U, E, K, D>>, nudge: Arc<Notify>)
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    let watch = Watch { core, nudge };
    drop(tokio::spawn(async move {
        while let Some(next) = watch.core.upgrade().map(|core| core.look()) {
            match next {
                // Nudged or not, the next look tells.
                Some(at) => drop(timeout_at(at, watch.nudge.notified()).await),
                None => watch.nudge.notified().await,
            }
        }
    }));
}

struct Watch<T, U, E, K, D> {
    core: Weak<Core<T, U, E, K, D>>,
    nudge: Arc<Notify>,
}

/// Its runtime is shutting down, or the batcher is gone.
impl<T, U, E, K, D> Drop for Watch<T, U, E, K, D> {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.lose_watch();
        }
    }
}

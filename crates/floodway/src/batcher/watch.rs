//! One timer for all that waits: for company, or longer than it may.

use std::sync::{Arc, Weak};

use tokio::{sync::Notify, time::timeout_at};

use super::{core::Core, description::Key};

/// The watch of a batcher, which lives as long as the batcher or the runtime does.
pub(super) struct Watch<T, U, E, K, D> {
    core: Weak<Core<T, U, E, K, D>>,
    nudge: Arc<Notify>,
}

impl<T, U, E, K, D> Watch<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    pub(super) fn new(core: &Arc<Core<T, U, E, K, D>>) -> Self {
        Self { core: Arc::downgrade(core), nudge: Arc::clone(&core.watch) }
    }

    pub(super) async fn keep(self) {
        while let Some(next) = self.core.upgrade().map(|core| core.look()) {
            match next {
                // Nudged or not, the next look tells.
                Some(at) => drop(timeout_at(at, self.nudge.notified()).await),
                None => self.nudge.notified().await,
            }
        }
    }
}

// Its runtime is shutting down, or the batcher is gone.
impl<T, U, E, K, D> Drop for Watch<T, U, E, K, D> {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.lose_watch();
        }
    }
}

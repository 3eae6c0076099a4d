//! One waits for permits on behalf of all batches that could go.

use std::sync::Arc;

use tokio::task::yield_now;

use super::{After, Core, Key};
use crate::{admission::Permits, batcher::queue::Order};

impl<T, U, E, K, D> Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    /// Somebody waited for permits and has them.
    fn admitted(self: &Arc<Self>, permits: Permits) {
        let mut after = After::default();
        let mut state = self.lock();
        state.asking = false;
        state.seen = self.settings.clock.now();
        self.pump(&mut state, Some(permits), Order::TurnFirst, &mut after);
        drop(state);
        self.act(after);
    }
}

/// The one who waits.
pub(super) struct Asking<T, U, E, K, D> {
    /// `None` once it is over.
    core: Option<Shareable<T, U, E, K, D>>,
}

type Shareable<T, U, E, K, D> = Arc<Core<T, U, E, K, D>>;

impl<T, U, E, K, D> Asking<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    pub(super) fn new(core: &Arc<Core<T, U, E, K, D>>) -> Self {
        Self { core: Some(Arc::clone(core)) }
    }

    pub(super) async fn wait(mut self) {
        let Some(core) = self.core.clone() else { return };
        let admitted = core.admission.admit(1).await;
        // As a lane does: those whose batch gave the permits back may bring more at once.
        yield_now().await;
        self.core = None;
        match admitted {
            Ok(permits) => core.admitted(permits),
            Err(rejected) => core.refuse_for(rejected),
        }
    }
}

// Its runtime is shutting down.
impl<T, U, E, K, D> Drop for Asking<T, U, E, K, D> {
    fn drop(&mut self) {
        if let Some(core) = &self.core {
            core.lose_asking();
        }
    }
}

//! One waits for permits on behalf of all batches that could go.

use std::sync::Arc;

use super::{After, Core, Key};
use crate::admission::Permits;

impl<T, U, E, K, D> Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    /// Starts to wait for permits; `asking` is set.
    pub(super) fn ask(self: &Arc<Self>) {
        let asking = Asking { core: Some(Arc::clone(self)) };
        drop(tokio::spawn(asking.wait()));
    }

    /// Somebody waited for permits and has them.
    fn admitted(self: &Arc<Self>, permits: Permits) {
        let mut after = After::default();
        let mut state = self.lock();
        state.asking = false;
        state.seen = self.settings.clock.now();
        self.pump(&mut state, Some(permits), &mut after);
        drop(state);
        self.act(after);
    }
}

/// The one who waits.
struct Asking<T, U, E, K, D> {
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
    async fn wait(mut self) {
        let Some(core) = self.core.clone() else { return };
        let admitted = core.admission.admit(1).await;
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

//! What a handle does to a fan-out.

use std::{
    num::NonZeroUsize,
    sync::{Weak, atomic::Ordering},
};

use super::{
    super::{Progress, StopReason, attempts::Attempts, classes::Classes, source::Source},
    operate::Operate,
    shared::{Shared, workers},
};

/// A fan-out that runs, for whoever watches and steers it.
#[doc(hidden)]
pub trait Control: Send + Sync {
    /// `None` once it is over.
    fn progress(&self) -> Option<Progress>;
    fn set_concurrency(&self, concurrency: NonZeroUsize);
    fn stop(&self);
    /// Looks again whether it is over.
    fn nudge(&self);
}

/// Keeps nothing alive: what the operation captured is gone once its fan-out is.
impl<S, O, C, A, T, E> Control for Weak<Shared<S, O, C, A, T, E>>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn progress(&self) -> Option<Progress> {
        let shared = self.upgrade().filter(|shared| !shared.is_locked_here())?;
        let now = shared.setting.now();
        let state = shared.state();
        Some(Progress::new(&state.ledger, now))
    }

    fn set_concurrency(&self, concurrency: NonZeroUsize) {
        let Some(shared) = self.upgrade().filter(|shared| !shared.is_locked_here()) else {
            return;
        };
        let mut state = shared.state();
        state.ledger.set_concurrency(concurrency.get());
        state.workers = workers::<_, O>(concurrency.get(), &shared.runtime);
        state.size_for_all();
        state.ledger.wake_waiter();
        drop(state);
        shared.grow();
    }

    fn stop(&self) {
        if let Some(shared) = self.upgrade() {
            if shared.is_locked_here() {
                shared.stop_asked.store(true, Ordering::Relaxed);
            } else {
                shared.stop(StopReason::Cancelled);
            }
        }
    }

    fn nudge(&self) {
        if let Some(shared) = self.upgrade() {
            let mut state = shared.state();
            state.ledger.wake_waiter();
            state.ledger.wake_consumer();
            let supervisor = state.supervisor.take();
            drop(state);
            if let Some(supervisor) = supervisor {
                supervisor.wake();
            }
            shared.grow();
        }
    }
}

//! Watches the clocks of a fan-out whose consumer may be busy.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    super::{
        OnStop, attempts::Attempts, classes::Classes, latch::Held, source::Source, time::Stopper,
    },
    operate::Operate,
    shared::Shared,
};

/// Watches the clocks of a fan-out whose consumer may be busy.
pub(super) struct Supervisor<S: Source, O, C: Classes<S::Item>, A, T, E> {
    pub(super) shared: Arc<Shared<S, O, C, A, T, E>>,
    pub(super) stopper: Stopper,
    pub(super) _held: Held,
}

impl<S, O, C, A, T, E> Supervisor<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    pub(super) async fn watch(mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let shared = &self.shared;
        let mut state = shared.state();
        if state.ledger.is_over() {
            return Poll::Ready(());
        }
        state.supervisor = Some(context.waker().clone());
        let stopped = state.ledger.stopped().is_some();
        drop(state);
        if !stopped {
            let Some(reason) = self.stopper.poll_stop(context) else {
                return Poll::Pending;
            };
            let mut state = shared.state();
            state.ledger.stop(reason);
            let over = state.ledger.is_over();
            drop(state);
            if shared.on_stop == OnStop::Abort {
                shared.abort();
            } else {
                shared.wake_crew();
            }
            if over {
                return Poll::Ready(());
            }
        }
        if shared.on_stop == OnStop::Abort {
            return Poll::Ready(());
        }
        if self.stopper.poll_grace(context) {
            shared.abort();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

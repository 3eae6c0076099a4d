//! Where a worker waits: for permits, for the source, or for room.

use std::{future::poll_fn, sync::Arc, task::Poll};

use tokio::task::coop::consume_budget;

use super::{
    super::{
        super::{ItemError, attempts::Attempts, classes::Classes, ledger::Next, source::Source},
        operate::Operate,
        shared::State,
    },
    Worker,
};
use crate::{Rejected, admission::Permits};

impl<S, O, C, A, T, E> Worker<S, O, C, A, T, E>
where
    S: Source<Item: Send + 'static> + Send + 'static,
    O: Operate<S::Item, Value = T, Error = E>,
    C: Classes<S::Item, Key: Send + 'static> + Send + 'static,
    A: Attempts<S::Item, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Waits at the gate for permits, for the source or for room, in this order.
    pub(super) async fn wait(&mut self) -> Option<Permits> {
        let shared = Arc::clone(&self.shared);
        let _turn = shared.gate.lock().await;
        let permits = loop {
            // Whether there is anything left is asked without permits, where that can be known.
            let item_first = C::WEIGHED || shared.state().ledger.looks_empty();
            let permits = if item_first { Ok(Permits::None) } else { shared.admit(1).await? };
            // What the source gives is only pulled with permits in hand; while it gives nothing,
            // they are back with the limiter.
            let next = poll_fn(|context| {
                let mut state = shared.state();
                let next = self.pull(&mut state, context);
                if matches!(next, Next::Wait | Next::Pending) {
                    // Nobody but the holder of the gate: there is one place for a waiter.
                    state.ledger.wait(context.waker());
                }
                drop(state);
                shared.after_pull();
                Poll::Ready(next)
            });
            match next.await {
                Next::Run => {}
                Next::Rest => break None,
                Next::Wait | Next::Pending => {
                    drop(permits);
                    pending_once().await;
                    continue;
                }
            }
            let permits = if item_first {
                let weight = self.pulled.as_ref().map_or(1, |pulled| pulled.weight);
                let permits = shared.admit(weight).await?;
                self.now = shared.setting.now();
                permits
            } else {
                permits
            };
            match permits {
                Ok(permits) => break Some(permits),
                Err(rejected) => {
                    self.refuse(rejected);
                    // A source without end in front of a limiter that is closed.
                    consume_budget().await;
                }
            }
        };
        let mut state = shared.state();
        self.leave_gate(&mut state);
        let colleague = if permits.is_some() { shared.hire(&mut state) } else { None };
        drop(state);
        if let Some(colleague) = colleague {
            shared.launch(colleague);
        }
        permits
    }

    /// What was pulled will not run after all.
    fn refuse(&mut self, rejected: Rejected) {
        let mut state = self.shared.state();
        if let Some(pulled) = self.pulled.take() {
            state.ledger.never_ran_after_all(pulled, ItemError::from(rejected));
        }
        self.running = false;
        drop(state);
        self.shared.after_stop();
    }

    pub(super) fn leave_gate(&mut self, state: &mut State<S, C, T, E>) {
        if self.idle {
            self.idle = false;
            state.idle -= 1;
        }
    }
}

/// Waits to be polled again: by whoever was given the waker before, or moved this.
pub(super) async fn pending_once() {
    let mut before = true;
    poll_fn(|_| if std::mem::take(&mut before) { Poll::Pending } else { Poll::Ready(()) }).await;
}

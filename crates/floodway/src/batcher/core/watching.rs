//! What happens at an hour, and not because somebody came or a batch ended.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{After, Core, Key, State, nanos};
use crate::batcher::{BatchRejected, queue::Order};

impl<T, U, E, K, D> Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    /// What the watch does at its hour; gives the next one.
    pub(in crate::batcher) fn look(self: &Arc<Self>) -> Option<Instant> {
        let mut after = After::default();
        let mut refused = Vec::new();
        let mut state = self.lock();
        let now = self.settings.clock.now();
        if state.look_at.is_some_and(|at| at <= now) {
            state.look_at = None;
            state.seen = now;
            if let Some(max_wait) = self.settings.max_wait
                && state.expires_at.is_some_and(|at| at <= now)
            {
                let max_wait = nanos(max_wait);
                let fresh = |arrived: u64| arrived.saturating_add(max_wait) > now;
                refused = state.queue.sweep(|entry| fresh(entry.arrived));
                self.watch_oldest(&mut state, &mut after);
            } else if let Some(at) = state.expires_at {
                self.look_at(&mut state, at, &mut after);
            }
            self.pump(&mut state, None, Order::TurnFirst, &mut after);
            after.idle = state.is_idle();
        }
        let next = state.look_at;
        drop(state);
        // It is awake as it is.
        after.nudge = false;
        if let Some(max_wait) = self.settings.max_wait {
            self.refuse_all(refused, &BatchRejected::Expired { max_wait });
        }
        self.act(after);
        next.map(|at| Instant::now() + Duration::from_nanos(at.saturating_sub(now)))
    }

    /// Has the watch look when the oldest item will have waited as long as it may.
    fn watch_oldest(&self, state: &mut State<T, U, E, K, D>, after: &mut After<T, U, E, D>) {
        let Some(max_wait) = self.settings.max_wait else { return };
        state.expires_at = state.queue.oldest().map(|at| at.saturating_add(nanos(max_wait)));
        if let Some(at) = state.expires_at {
            self.look_at(state, at, after);
        }
    }

    /// Sends what may go, and sees to it that the rest is watched.
    pub(super) fn take_over(self: &Arc<Self>) {
        let mut after = After::default();
        let mut state = self.lock();
        state.seen = self.settings.clock.now();
        self.watch_oldest(&mut state, &mut after);
        self.pump(&mut state, None, Order::TurnFirst, &mut after);
        after.idle = state.is_idle();
        drop(state);
        self.act(after);
    }
}

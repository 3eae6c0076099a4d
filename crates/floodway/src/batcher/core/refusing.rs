//! Items that will not be sent.

use super::{Answer, Core, Key};
use crate::{
    Rejected,
    batcher::{BatchError, BatchRejected, cells::Refusal, queue::Entry},
};

impl<T, U, E, K, D> Core<T, U, E, K, D>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
    K: Key,
    D: Key,
{
    /// Tells those who wait for `entries` that they will not be sent.
    pub(super) fn refuse_all(
        &self,
        entries: Vec<Entry<T, Answer<U, E>, D>>,
        why: &BatchRejected,
    ) -> usize {
        let mut refused = 0;
        for entry in entries {
            for caller in entry.callers.all() {
                let (waited, waker) = caller.seat.refuse(Err(BatchError::Rejected(why.clone())));
                if waited {
                    refused += 1;
                    self.room.add_permits(1);
                    self.cells.rejected(reason(why));
                }
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
        refused
    }

    /// No batch will be admitted any more.
    pub(super) fn refuse_for(&self, rejected: Rejected) {
        let mut state = self.lock();
        state.asking = false;
        let entries = state.queue.sweep(|_| false);
        let idle = state.is_idle();
        drop(state);
        self.refuse_all(entries, &BatchRejected::Limiter(rejected));
        if idle {
            self.idle.notify_waiters();
        }
    }
}

/// The value of the label `reason`.
pub(super) const fn reason(rejected: &BatchRejected) -> Refusal {
    match rejected {
        BatchRejected::QueueFull { .. } => Refusal::QueueFull,
        BatchRejected::Weight { .. } => Refusal::Weight,
        BatchRejected::Closed => Refusal::Closed,
        BatchRejected::Expired { .. } => Refusal::Expired,
        BatchRejected::Limiter(_) => Refusal::Limiter,
    }
}

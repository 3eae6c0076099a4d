//! Tasks that end before their time.

use std::{
    sync::{MutexGuard, PoisonError, atomic::Ordering},
    task::Waker,
};

use super::{Core, Share, State};

/// What the ends of tasks need, however they come; so it asks nothing of the types.
impl<T, U, E, K, D> Core<T, U, E, K, D> {
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T, U, E, K, D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many items that were sent are answered now, or never will be.
    pub(in crate::batcher) fn answered(&self, items: usize) {
        // Relaxed: the lock under which the next item comes orders it before that.
        self.unanswered.fetch_sub(items, Ordering::Relaxed);
    }

    /// A batch was dropped with its task: whoever is polled next goes on.
    pub(in crate::batcher) fn lose(&self) {
        let mut state = self.lock();
        state.in_flight -= 1;
        self.orphan(state);
    }

    fn orphan(&self, state: MutexGuard<'_, State<T, U, E, K, D>>) {
        self.orphaned.store(true, Ordering::Release);
        let wakers = state.queue.wakers();
        let idle = state.is_idle();
        drop(state);
        if idle {
            self.idle.notify_waiters();
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The watch is gone with its runtime.
    pub(in crate::batcher) fn lose_watch(&self) {
        let mut state = self.lock();
        state.watched = false;
        state.look_at = None;
        self.orphan(state);
    }

    /// Who waited for permits is gone with its runtime.
    pub(super) fn lose_asking(&self) {
        let mut state = self.lock();
        state.asking = false;
        self.orphan(state);
    }

    /// How an answer is given to several.
    pub(in crate::batcher) fn share(&self) -> Option<Share<U, E>> {
        self.keys.dedup.as_ref().map(|dedup| dedup.share)
    }
}

// What it has measured is not lost.
impl<T, U, E, K, D> Drop for Core<T, U, E, K, D> {
    fn drop(&mut self) {
        let estimate = self.lock().sizer.estimate();
        self.shared.retire(std::ptr::from_ref(self).cast(), &estimate);
        // The watch sees that it is over.
        self.watch.notify_one();
    }
}

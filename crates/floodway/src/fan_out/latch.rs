//! Says when everybody has gone home.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

/// Counts those who hold something of a fan-out, so that its end can wait for the last of them.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Latch {
    holders: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

/// Keeps the end of a fan-out from coming.
#[derive(Debug)]
pub(super) struct Held(Arc<Latch>);

impl Latch {
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        // Relaxed: whoever makes another holder holds it, or has not begun to wait.
        self.holders.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(self))
    }

    /// Whether nobody holds anything; wakes `waker` when that comes true.
    pub(super) fn is_free(&self, waker: &Waker) -> bool {
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiter {
            Some(known) => known.clone_from(waker),
            None => *waiter = Some(waker.clone()),
        }
        drop(waiter);
        // Acquire: what holders dropped before happened before this.
        self.holders.load(Ordering::Acquire) == 0
    }
}

/// The last one wakes who waits. The lock orders this against `is_free`: either the count is seen
/// there, or the waker is seen here.
impl Drop for Held {
    fn drop(&mut self) {
        if self.0.holders.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiter = self.0.waiter.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }
}

//! Says when everybody has gone home.

use std::{sync::Arc, task::Waker};

use crate::sync::{AtomicUsize, Mutex, Ordering, PoisonError};

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
        // Relaxed: whoever makes another holder holds it, has not begun to wait, or has the lock under
        // which the end asks.
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

/// Every interleaving: run with `cargo xtask loom`.
#[cfg(all(test, floodway_loom))]
mod loom_tests {
    use std::{future::poll_fn, task::Poll};

    use loom::{future::block_on, model::Builder, thread};

    use super::*;

    /// Up to two preemptions, which find what more would find, in seconds.
    fn explore(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(model);
    }

    #[test]
    fn whoever_waits_hears_of_the_last_holder() {
        explore(|| {
            let latch = Arc::new(Latch::default());
            let holders = [latch.hold(), latch.hold()];
            let threads = holders.map(|held| thread::spawn(move || drop(held)));
            block_on(poll_fn(|context| {
                if latch.is_free(context.waker()) { Poll::Ready(()) } else { Poll::Pending }
            }));
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    #[test]
    fn a_holder_that_makes_another_keeps_it_closed() {
        explore(|| {
            let latch = Arc::new(Latch::default());
            let gone = Arc::new(AtomicUsize::new(0));
            let held = latch.hold();
            let thread = thread::spawn({
                let (latch, gone) = (Arc::clone(&latch), Arc::clone(&gone));
                move || {
                    let another = latch.hold();
                    drop(held);
                    // Relaxed: the latch has to publish it.
                    gone.store(1, Ordering::Relaxed);
                    drop(another);
                }
            });
            block_on(poll_fn(|context| {
                if latch.is_free(context.waker()) { Poll::Ready(()) } else { Poll::Pending }
            }));
            assert_eq!(gone.load(Ordering::Relaxed), 1);
            thread.join().unwrap();
        });
    }
}

//! How long it takes from the wake of an item to its next poll.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use crate::Clock;

/// When something was woken, until somebody looks. 0 if it was not.
#[derive(Debug)]
pub(super) struct Stamp {
    clock: Clock,
    at: AtomicU64,
}

impl Stamp {
    pub(super) const fn new(clock: Clock) -> Self {
        Self { clock, at: AtomicU64::new(0) }
    }

    /// It was woken. The first wake counts, however many follow before the look.
    pub(super) fn mark(&self) {
        let now = self.clock.now().max(1);
        // Relaxed: a measurement, which orders nothing.
        let _ = self.at.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Forgets a wake that was meant for another item.
    pub(super) fn reset(&self) {
        self.at.store(0, Ordering::Relaxed);
    }

    /// How long ago it was woken, if it was.
    pub(super) fn take_delay(&self) -> Option<Duration> {
        let at = self.at.swap(0, Ordering::Relaxed);
        (at > 0).then(|| Duration::from_nanos(self.clock.now().saturating_sub(at)))
    }
}

/// Wakes the task of a worker and notes when.
pub(super) struct Stamped {
    pub(super) stamp: Stamp,
    task: Mutex<Waker>,
}

impl Stamped {
    pub(super) fn new(clock: Clock, task: &Waker) -> Arc<Self> {
        Arc::new(Self { stamp: Stamp::new(clock), task: Mutex::new(task.clone()) })
    }

    /// The worker is polled by this task from now on.
    pub(super) fn follow(&self, task: &Waker) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(task);
    }
}

impl Wake for Stamped {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stamp.mark();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        task.wake();
    }
}

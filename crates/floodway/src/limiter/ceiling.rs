//! An outer bound on limits, shared by any number of limiters.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

/// A bound that somebody else knows and the algorithm does not: a connection pool, a share of a
/// fleet's budget, an operator's emergency brake.
///
/// The limit of a limiter is the least of its algorithm's and of all its ceilings. Several limiters
/// under one ceiling each count for themselves: two under a ceiling of 10 admit up to 20. Cloning
/// gives the same ceiling. A ceiling of 0 admits nobody; waiters stay until it rises or their deadline
/// passes.
#[derive(Clone)]
pub struct Ceiling(Arc<Inner>);

struct Inner {
    limit: AtomicU32,
    bounded: Mutex<Vec<Weak<dyn Bounded>>>,
}

/// What stands under a ceiling.
pub(crate) trait Bounded: Send + Sync {
    /// A ceiling above has moved.
    fn ceiling_moved(&self);
}

impl Ceiling {
    /// A ceiling at `limit` permits.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(Inner { limit: AtomicU32::new(limit), bounded: Mutex::default() }))
    }

    /// The ceiling now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit.load(Ordering::Acquire)
    }

    /// Moves the ceiling. Every limiter under it has its new limit before this returns.
    pub fn set(&self, limit: u32) {
        self.store(limit);
        self.notify();
    }

    /// Moves the ceiling and tells nobody yet; whether it moved. For callers that decide under a
    /// lock, which must not be held while limiters wake their waiters.
    pub(crate) fn store(&self, limit: u32) -> bool {
        // Release pairs with the Acquire in `limit`: whoever is notified after this computes with
        // this value or a later one.
        self.0.limit.swap(limit, Ordering::AcqRel) != limit
    }

    /// Lets every limiter under this ceiling compute its limit again.
    pub(crate) fn notify(&self) {
        // Collected first, because a limiter wakes waiters, which may run anything.
        let bounded: Vec<_> = {
            let mut bounded = self.bounded();
            bounded.retain(|one| one.strong_count() > 0);
            bounded.iter().filter_map(Weak::upgrade).collect()
        };
        for one in bounded {
            one.ceiling_moved();
        }
    }

    /// Tells `bounded` from now on, after those who came before it.
    pub(crate) fn attach(&self, one: Weak<dyn Bounded>) {
        let mut bounded = self.bounded();
        bounded.retain(|one| one.strong_count() > 0);
        bounded.push(one);
    }

    fn bounded(&self) -> MutexGuard<'_, Vec<Weak<dyn Bounded>>> {
        self.0.bounded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ceiling").field(&self.limit()).finish()
    }
}

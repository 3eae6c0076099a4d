//! An outer bound on limits, shared by any number of limiters.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
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
    lease: Option<Lease>,
    bounded: Mutex<Vec<Weak<dyn Bounded>>>,
}

/// Where the limit of a leased ceiling comes from, and the lock under which it is asked and the answer
/// stored, so that of two answers the later one stays.
struct Lease {
    term: Box<dyn Fn() -> CeilingTerm + Send + Sync>,
    storing: Mutex<()>,
}

/// What a leased ceiling allows, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeilingTerm {
    /// The limit, in permits.
    pub limit: u32,
    /// For how long, more than 0; `None`: until it is [refreshed](Ceiling::refresh).
    pub remaining: Option<Duration>,
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
        Self::with(limit, None)
    }

    /// A ceiling that holds for a time only: a share of a fleet's budget, which others may have once
    /// it has not been renewed.
    ///
    /// Limiters under it look at the time whenever they admit somebody, by the clock with which they
    /// measure durations: the processor's counter, which goes on while the process is stopped. When
    /// the time is over they ask `term` again before they admit. So it must know by itself what holds
    /// then, and be quick: it is called on the way of whoever asks for a permit, and by
    /// [`refresh`](Self::refresh), which it must not call.
    #[must_use]
    pub fn leased(term: impl Fn() -> CeilingTerm + Send + Sync + 'static) -> Self {
        let limit = term().limit;
        Self::with(limit, Some(Lease { term: Box::new(term), storing: Mutex::default() }))
    }

    fn with(limit: u32, lease: Option<Lease>) -> Self {
        Self(Arc::new(Inner { limit: AtomicU32::new(limit), lease, bounded: Mutex::default() }))
    }

    /// The ceiling now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit.load(Ordering::Acquire)
    }

    /// What holds now. Of a leased ceiling more up to date than [`limit`](Self::limit).
    pub(crate) fn term(&self) -> CeilingTerm {
        match &self.0.lease {
            Some(lease) => (lease.term)(),
            None => CeilingTerm { limit: self.limit(), remaining: None },
        }
    }

    /// Asks what a leased ceiling allows now. Every limiter under it has its new limit before this
    /// returns. Does nothing to another ceiling.
    pub fn refresh(&self) {
        let Some(lease) = &self.0.lease else { return };
        {
            let _storing = lease.storing.lock().unwrap_or_else(PoisonError::into_inner);
            self.store((lease.term)().limit);
        }
        // Also where the limit is the same: it may hold for longer.
        self.notify();
    }

    /// Moves the ceiling. Every limiter under it has its new limit before this returns.
    ///
    /// A [leased](Self::leased) ceiling stays where its lease has it.
    pub fn set(&self, limit: u32) {
        if self.0.lease.is_some() {
            return;
        }
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

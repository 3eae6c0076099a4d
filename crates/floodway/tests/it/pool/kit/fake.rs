//! A pool whose every move is under control.

use std::{
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
};

use floodway::{Connects, Pool, PoolFailure, PoolSnapshot};
use tokio::{sync::Notify, task::yield_now, time::Instant};

/// A pool that connects when told to.
#[derive(Clone, Default)]
pub(crate) struct FakePool(Arc<Inner>);

#[derive(Default)]
struct Inner {
    numbers: Mutex<Numbers>,
    moved: Notify,
    told: Notify,
    connects: Option<Connects>,
}

#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) max: u32,
    pub(crate) open: u32,
    pub(crate) used: u32,
    pub(crate) most_used: u32,
    /// Connections of others, and those on the way out of the pool.
    pub(crate) foreign: u32,
    pub(crate) closing: u32,
    /// Acquisitions that may complete.
    pub(crate) connects: u32,
    /// What becomes of acquisitions instead.
    pub(crate) fails: Option<Failure>,
    /// So many of the next acquisitions are refused.
    pub(crate) failing: u32,
    /// Whether the pool is slow to take back what comes back.
    pub(crate) returns_hang: bool,
    /// Whether a return panics instead.
    pub(crate) return_panics: bool,
    /// Acquisitions that were dropped before they were ready.
    pub(crate) interrupted: u32,
    pub(crate) acquired: u32,
    /// Acquisitions under way.
    pub(crate) trying: u32,
    pub(crate) closed: bool,
    pub(crate) lies: bool,
    /// Whether every now and then who reads the numbers is suspended before it can use them.
    pub(crate) suspends: bool,
    reads: u32,
    /// How closing goes.
    pub(crate) trim: Trim,
    pub(crate) trims: u32,
}

/// How an acquisition fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("timed out")]
    TimedOut,
    #[error("refused")]
    Refused,
    #[error("closed")]
    Closed,
    #[error("never seen")]
    Panics,
}

/// What the pool does when asked to close what is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trim {
    /// Closes one after the other, with a round trip for each.
    #[default]
    Works,
    /// Closes nothing.
    Refuses,
    /// Takes one out and never comes back.
    Hangs,
}

pub(crate) struct Connection;

impl FakePool {
    /// Fully grown.
    pub(crate) fn new(max: u32) -> Self {
        let pool = Self::default();
        pool.change(|n| (n.max, n.open, n.connects) = (max, max, u32::MAX));
        pool
    }

    /// One that lets somebody look on.
    pub(crate) fn observed(max: u32, connects: &Connects) -> Self {
        let inner = Inner { connects: Some(connects.clone()), ..Inner::default() };
        let pool = Self(Arc::new(inner));
        pool.change(|n| (n.max, n.connects) = (max, u32::MAX));
        pool
    }

    pub(crate) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.numbers.lock().unwrap()
    }

    /// Changes the numbers and wakes who waits for that.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Numbers)) {
        change(&mut self.numbers());
        self.0.moved.notify_waiters();
    }

    /// How many have this pool.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Says that it has changed.
    pub(crate) fn tell(&self) {
        self.0.told.notify_waiters();
    }

    /// A connection, an error, or nothing yet.
    fn attempt(&self) -> Option<Result<Connection, Failure>> {
        let mut n = self.numbers();
        if n.closed {
            return Some(Err(Failure::Closed));
        }
        if n.failing > 0 {
            n.failing -= 1;
            return Some(Err(Failure::Refused));
        }
        if let Some(failure) = n.fails {
            if failure == Failure::Panics {
                drop(n);
                panic!("as told");
            }
            if let Some(connects) = self.0.connects.as_ref().filter(|_| failure == Failure::Refused)
            {
                connects.failed();
            }
            return Some(Err(failure));
        }
        let busy = n.used + n.foreign + n.closing;
        if n.connects == 0 || busy >= n.max {
            return None;
        }
        n.connects -= 1;
        if busy >= n.open {
            n.open += 1;
            if let Some(connects) = &self.0.connects {
                connects.opened(Instant::now());
            }
        }
        n.used += 1;
        n.acquired += 1;
        n.most_used = n.most_used.max(n.used);
        Some(Ok(Connection))
    }
}

/// An acquisition under way.
struct Attempt {
    pool: FakePool,
    ready: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let interrupted = u32::from(!self.ready);
        self.pool
            .change(|n| (n.trying, n.interrupted) = (n.trying - 1, n.interrupted + interrupted));
    }
}

/// A connection that is being closed.
struct Closing(FakePool);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.change(|n| (n.open, n.closing) = (n.open - 1, n.closing - 1));
    }
}

impl Pool for FakePool {
    type Connection = Connection;
    type Error = Failure;

    fn snapshot(&self) -> PoolSnapshot {
        let mut n = self.numbers();
        n.reads = n.reads.wrapping_add(1);
        let busy = n.used + n.foreign + n.closing;
        let snapshot = PoolSnapshot {
            max: n.max,
            open: n.open,
            idle: if n.lies { u32::MAX } else { n.open.saturating_sub(busy) },
            closed: n.closed,
        };
        let suspends = n.suspends && n.reads.is_multiple_of(16);
        drop(n);
        if suspends {
            std::thread::yield_now();
        }
        snapshot
    }

    fn acquire(&self) -> impl Future<Output = Result<Connection, Failure>> + Send + 'static {
        let pool = self.clone();
        async move {
            pool.change(|n| n.trying += 1);
            let mut attempt = Attempt { pool: pool.clone(), ready: false };
            loop {
                let moved = pool.0.moved.notified();
                if let Some(result) = pool.attempt() {
                    attempt.ready = true;
                    return result;
                }
                moved.await;
            }
        }
    }

    fn release(&self, _: Connection) -> Option<impl Future<Output = ()> + Send + 'static> {
        let pool = self.clone();
        Some(async move {
            // A round trip during which the connection is nobody's.
            yield_now().await;
            loop {
                let moved = pool.0.moved.notified();
                if !pool.numbers().returns_hang {
                    break;
                }
                moved.await;
            }
            assert!(!pool.numbers().return_panics, "as told");
            pool.change(|n| n.used -= 1);
        })
    }

    fn failure(error: &Failure) -> PoolFailure {
        match error {
            Failure::TimedOut => PoolFailure::TimedOut,
            Failure::Refused => PoolFailure::Failed,
            Failure::Closed => PoolFailure::Closed,
            Failure::Panics => unreachable!("it panics"),
        }
    }

    fn trim(&self, open: u32) -> impl Future<Output = u32> + Send + 'static {
        let pool = self.clone();
        async move {
            let mut closed = 0;
            pool.change(|n| n.trims += 1);
            loop {
                let trim = {
                    let mut n = pool.numbers();
                    let idle = n.open.saturating_sub(n.used + n.foreign + n.closing);
                    if n.trim == Trim::Refuses || idle == 0 || n.open <= open {
                        return closed;
                    }
                    n.closing += 1;
                    n.trim
                };
                // However this ends, it is gone then.
                let _closing = Closing(pool.clone());
                if trim == Trim::Hangs {
                    pending::<()>().await;
                }
                yield_now().await;
                closed += 1;
            }
        }
    }

    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        let pool = self.clone();
        async move { pool.0.told.notified().await }
    }

    fn connects(&self) -> Option<&Connects> {
        self.0.connects.as_ref()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

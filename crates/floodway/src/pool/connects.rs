//! What is known of the opening of connections.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use floodway_metrics::{Buckets, Counter, Histogram};
use tokio::{sync::Notify, time::Instant};

/// Counts connections as they are opened, for pools that let somebody look on: wrap what opens
/// them in [`observe`](Self::observe), and return this from
/// [`Pool::connects`](crate::Pool::connects).
///
/// With it a [`PoolLimiter`](crate::PoolLimiter) (of several over one pool, one of them) learns at once
/// that the database cannot be reached, and how long a connect takes; without it, when the pool says so, which for pools that
/// try again by themselves is when they give up. Cloning gives the same counts.
#[derive(Clone, Default)]
pub struct Connects(Arc<Inner>);

struct Inner {
    opening: AtomicU32,
    /// Failures since the last success.
    failures: AtomicU32,
    failed: Counter,
    durations: Histogram,
    changed: Notify,
}

/// Not derived: a histogram has no default buckets.
impl Default for Inner {
    fn default() -> Self {
        Self {
            opening: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            failed: Counter::new(),
            durations: Histogram::new(Buckets::DURATIONS),
            changed: Notify::new(),
        }
    }
}

impl Connects {
    /// Nothing was opened yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a connection and takes note of how that went.
    ///
    /// # Errors
    ///
    /// Those of `connect`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `connect`; what was not finished counts as neither opened nor
    /// failed.
    pub async fn observe<T, E>(&self, connect: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let _opening = Opening::new(&self.0.opening);
        let began = Instant::now();
        let result = connect.await;
        match &result {
            Ok(_) => self.opened(began),
            Err(_) => self.failed(),
        }
        result
    }

    /// Takes note of a connection that was opened, by code that is not async; `began` is when the
    /// attempt did, by tokio's clock. It was not among those that were being opened.
    pub fn opened(&self, began: Instant) {
        self.0.durations.record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.0.failures.store(0, Ordering::Relaxed);
        self.0.changed.notify_one();
    }

    /// Takes note of a connection that could not be opened.
    pub fn failed(&self) {
        self.0.failed.increment(0);
        self.0.failures.fetch_add(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }

    /// Connections that are being opened now.
    #[must_use]
    pub fn opening(&self) -> u32 {
        self.0.opening.load(Ordering::Relaxed)
    }

    /// How often opening one has failed since it last succeeded.
    #[must_use]
    pub fn failures_in_a_row(&self) -> u32 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Resolves when a connection was opened or could not be.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(super) fn durations(&self) -> &Histogram {
        &self.0.durations
    }

    pub(super) fn failed_total(&self) -> u64 {
        self.0.failed.total()
    }
}

/// One connection that is being opened.
struct Opening<'a>(&'a AtomicU32);

impl<'a> Opening<'a> {
    fn new(opening: &'a AtomicU32) -> Self {
        opening.fetch_add(1, Ordering::Relaxed);
        Self(opening)
    }
}

/// On every way out, so that an attempt that was dropped is not counted for ever.
impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Connects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connects")
            .field("opening", &self.opening())
            .field("failures_in_a_row", &self.failures_in_a_row())
            .finish_non_exhaustive()
    }
}

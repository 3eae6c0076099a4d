//! The shared part of a pool limiter: keeps the ceiling at what the pool can give.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use floodway_control::{PoolCeiling, PoolUse};
use floodway_metrics::{
    Buckets, Collector, Counter, Histogram, Source, catalogue::pool as catalogue,
};
use tokio::runtime::Handle;

use super::{Pool, PoolFailure, PoolSnapshot};
use crate::{Ceiling, Clock, Limiter, Outcome, Permit};

/// How often the pool is looked at while no permit moves. Foreign use that goes away is noticed
/// within this, so it is well below the waits that a queue allows.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// How often a snapshot is tried again because a permit moved while it was taken.
const SNAPSHOT_TRIES: u32 = 4;

pub(super) struct Gate<P> {
    pub(super) pool: P,
    pub(super) limiter: Limiter,
    pub(super) ceiling: Ceiling,
    /// Connections are returned on the runtime that the limiter was built on, wherever their
    /// guard is dropped.
    pub(super) runtime: Handle,
    pub(super) clock: Clock,
    pub(super) cells: Cells,
    tracker: Mutex<PoolCeiling>,
    /// Moves with every permit that is granted or released here.
    edges: AtomicU64,
}

pub(super) struct Cells {
    pub(super) timeouts: Counter,
    pub(super) errors: Counter,
    pub(super) wait: Histogram,
    pub(super) usage: Histogram,
}

impl<P: Pool> Gate<P> {
    pub(super) fn new(
        pool: P,
        limiter: Limiter,
        ceiling: Ceiling,
        reserved: u32,
        clock: Clock,
        runtime: Handle,
    ) -> Self {
        Self {
            pool,
            limiter,
            ceiling,
            runtime,
            clock,
            cells: Cells {
                timeouts: Counter::new(),
                errors: Counter::new(),
                wait: Histogram::new(Buckets::DURATIONS),
                usage: Histogram::new(Buckets::DURATIONS),
            },
            tracker: Mutex::new(PoolCeiling::new(reserved)),
            edges: AtomicU64::new(0),
        }
    }

    /// Looks at the pool after a permit was granted or released here.
    pub(super) fn edge(&self) {
        self.edges.fetch_add(1, Ordering::AcqRel);
        self.refresh();
    }

    /// Gives a permit back once its connection is the pool's again.
    pub(super) fn give_back(&self, permit: Permit, outcome: Outcome) {
        // Moved on both sides of the release: whoever has read the pool while the connection was
        // still out sees that before it can read one permit less.
        self.edges.fetch_add(1, Ordering::AcqRel);
        permit.complete(outcome);
        self.edge();
    }

    /// Looks at the pool and moves the ceiling to what it can give.
    pub(super) fn refresh(&self) {
        let Some(pool) = self.steady_use() else {
            return;
        };
        let moved = {
            // The ceiling moves under the lock, so that of two observations the later one stays.
            let mut tracker = self.tracker();
            let limit = tracker.observe(self.clock.elapsed(), pool);
            self.ceiling.store(limit)
        };
        if moved {
            self.ceiling.notify();
        }
    }

    /// Counts what the pool failed at.
    pub(super) fn note(&self, result: &Result<P::Connection, P::Error>) {
        match result.as_ref().map_err(P::failure) {
            Ok(_) => {}
            Err(PoolFailure::TimedOut) => self.cells.timeouts.increment(0),
            Err(_) => self.cells.errors.increment(0),
        }
    }

    fn tracker(&self) -> MutexGuard<'_, PoolCeiling> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool's numbers beside our own, read while no permit moved; `None` if permits never
    /// stood still, in which case the next edge looks again.
    ///
    /// Our permits enclose the use of a connection on both sides, so `used` above `held` is
    /// foreign use, provided that the two were read at one moment. Without this check, a thread
    /// that is suspended between the two reads would see foreign use that is not there.
    fn steady_use(&self) -> Option<PoolUse> {
        for _ in 0..SNAPSHOT_TRIES {
            let edges = self.edges.load(Ordering::Acquire);
            let PoolSnapshot { max, open, idle, closed } = self.pool.snapshot();
            if closed {
                // Refuses at once instead of letting callers wait for what will not come back.
                self.limiter.close();
                return Some(PoolUse::default());
            }
            let held = self.limiter.in_flight();
            if self.edges.load(Ordering::Acquire) == edges {
                return Some(PoolUse { max, open, idle, held });
            }
        }
        None
    }
}

impl<P: Pool> Source for Gate<P> {
    fn collect(&self, out: &mut Collector) {
        let PoolSnapshot { max, open, idle, .. } = self.pool.snapshot();
        let idle = idle.min(open);
        let (reserved, foreign) = {
            let tracker = self.tracker();
            (tracker.reserved(), tracker.foreign())
        };
        out.numbers(&catalogue::CONNECTIONS, [f64::from(idle), f64::from(open - idle)]);
        out.number(&catalogue::CONNECTIONS_MAX, f64::from(max));
        out.number(&catalogue::CONNECTIONS_RESERVED, f64::from(reserved));
        out.number(&catalogue::CONNECTIONS_FOREIGN, f64::from(foreign));
        let pool = self.ceiling.limit();
        out.numbers(&catalogue::LIMIT, [self.limiter.limit(), pool, pool, max, max].map(f64::from));
        out.number(&catalogue::PENDING_REQUESTS, self.limiter.queued() as f64);
        out.number(&catalogue::TIMEOUTS, self.cells.timeouts.total() as f64);
        out.number(&catalogue::ERRORS, self.cells.errors.total() as f64);
        out.histogram(&catalogue::WAIT_DURATION, self.cells.wait.value());
        out.histogram(&catalogue::USE_DURATION, self.cells.usage.value());
    }
}

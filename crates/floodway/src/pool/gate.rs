//! The shared part of a pool limiter: keeps the ceiling at what the pool can give.

mod asking;
mod probing;
mod refusing;
mod reporting;
mod settled;
mod watching;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use floodway_control::{ConnectHealth, PoolCeiling, PoolUse};
use floodway_metrics::HistogramValue;
use tokio::{runtime::Handle, sync::Notify, time::Instant};

pub(super) use self::{
    asking::{Blocked, SHORTLY},
    probing::Probe,
    watching::watch,
};
use self::{refusing::Told, settled::Settled, watching::Trims};
use super::{Connects, Pool, PoolSnapshot, cells::Cells, claim::Share, holds::Holds, spare::Spare};
use crate::{Ceiling, Clock, Limiter, Outcome, Permit};

/// How often a snapshot is tried again because a permit came back while it was taken.
const SNAPSHOT_TRIES: u32 = 4;

pub(super) struct Gate<P> {
    pub(super) pool: P,
    pub(super) limiter: Limiter,
    /// Counts the connections that claims may take later, so that claims cannot block each other.
    claims: Limiter,
    spare: Arc<Spare>,
    /// Claims that are held.
    claimed: Arc<AtomicU32>,
    /// What the pool can give.
    pub(super) ceiling: Ceiling,
    /// One less than that, in front of the claims.
    claims_ceiling: Ceiling,
    /// What others allow.
    outer: Vec<Ceiling>,
    /// Where the time of tokio's clock begins here.
    origin: Instant,
    /// That time minus that of our clock, in nanoseconds, as of the last look.
    offset: AtomicU64,
    /// The longest that the queue lets anybody wait.
    max_wait: Duration,
    /// The most connections that one operation can have.
    pub(super) most: u32,
    reserved: u32,
    /// Connections are returned on the runtime that the limiter was built on, wherever their
    /// guard is dropped.
    pub(super) runtime: Handle,
    pub(super) clock: Clock,
    pub(super) cells: Cells,
    pub(super) holds: Holds,
    tracker: Mutex<Tracker>,
    /// What the last full look came to, for those who would come to the same: see [`Settled`].
    settled: AtomicU64,
    /// Attempts that hold no connection, because others have taken it: see [`Blocked`].
    blocked: AtomicU32,
    /// Moves with every permit that comes back, before it does: see [`Gate::steady_use`].
    edges: AtomicU64,
    /// Whether idle connections are being closed.
    trimming: AtomicBool,
    /// Makes the watch look again.
    nudge: Arc<Notify>,
    /// Tells those who wait for their turn to probe.
    probing: Notify,
    told: Mutex<Told>,
}

/// What is known of the pool.
struct Tracker {
    ceiling: PoolCeiling,
    health: ConnectHealth,
    /// `max − reserved − foreign`, as of the last look.
    limit: u32,
    /// Attempts that have to end before others may begin, while connecting fails.
    probes: u32,
    /// Failures that were counted where connections are opened, as of the last look.
    seen_failures: u64,
    trims: Trims,
    stretch: Stretch,
}

/// What the hold times were at the beginning of this stretch of looks, and of the one before.
struct Stretch {
    looks: u32,
    current: HistogramValue,
    former: HistogramValue,
}

/// Who holds a connection because of what.
pub(super) enum Right {
    /// A permit of its own.
    Permit(Permit),
    /// A place in a claim.
    Share(Share),
}

impl Right {
    fn complete(self, outcome: Outcome) {
        match self {
            Self::Permit(permit) => permit.complete(outcome),
            Self::Share(share) => share.complete(outcome),
        }
    }
}

/// What a gate is made of.
pub(super) struct Parts<P> {
    pub(super) pool: P,
    pub(super) limiter: Limiter,
    pub(super) claims: Limiter,
    pub(super) ceiling: Ceiling,
    pub(super) claims_ceiling: Ceiling,
    pub(super) outer: Vec<Ceiling>,
    pub(super) max_wait: Duration,
    /// The size of the pool less what is reserved.
    pub(super) most: u32,
    pub(super) reserved: u32,
    pub(super) clock: Clock,
    pub(super) runtime: Handle,
}

impl<P: Pool> Gate<P> {
    pub(super) fn new(parts: Parts<P>) -> Self {
        let cells = Cells::new();
        let most = parts.most;
        let stretch =
            Stretch { looks: 0, current: cells.usage.value(), former: cells.usage.value() };
        Self {
            tracker: Mutex::new(Tracker {
                ceiling: PoolCeiling::new(parts.reserved),
                health: ConnectHealth::new(),
                limit: most,
                probes: 0,
                seen_failures: parts.pool.connects().map_or(0, Connects::failed_total),
                trims: Trims::default(),
                stretch,
            }),
            spare: Spare::new(parts.limiter.clone()),
            pool: parts.pool,
            limiter: parts.limiter,
            claims: parts.claims,
            ceiling: parts.ceiling,
            claimed: Arc::default(),
            claims_ceiling: parts.claims_ceiling,
            outer: parts.outer,
            origin: Instant::now(),
            offset: AtomicU64::new(0),
            max_wait: parts.max_wait,
            most,
            reserved: parts.reserved,
            runtime: parts.runtime,
            clock: parts.clock,
            cells,
            holds: Holds::default(),
            settled: AtomicU64::new(Settled::NOTHING),
            blocked: AtomicU32::new(0),
            edges: AtomicU64::new(0),
            trimming: AtomicBool::new(false),
            nudge: Arc::default(),
            probing: Notify::new(),
            told: Mutex::default(),
        }
    }

    /// What others allow.
    pub(super) fn outer(&self) -> &[Ceiling] {
        &self.outer
    }

    /// Refuses everybody from now on.
    fn close(&self) {
        self.limiter.close();
        self.claims.close();
        self.probing.notify_waiters();
    }

    /// Nanoseconds of tokio's clock since the gate was made.
    fn elapsed(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Books a connection that was held for `nanos`, from when `in_use` were.
    pub(super) fn book_use(&self, nanos: u64, in_use: u32) {
        self.cells.book_use(nanos, in_use, self.most);
    }

    /// Tells gates apart.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Gives back the right to a connection once that is the pool's again, at `now` or so.
    pub(super) fn give_back(&self, right: Right, outcome: Outcome, now: u64) {
        self.edges.fetch_add(1, Ordering::AcqRel);
        right.complete(outcome);
        let found = self.refresh(now);
        if found.is_some_and(|pool| self.is_overgrown(pool)) && self.tracker().trims.may() {
            self.nudge.notify_one();
        }
    }

    /// Looks at the pool and moves the ceiling to what it can give; returns what it found, unless
    /// permits came back all the time. `now` is about the time, in nanoseconds of the clock.
    pub(super) fn refresh(&self, now: u64) -> Option<PoolUse> {
        let pool = self.steady_use()?;
        let now = Duration::from_nanos(now);
        if Settled(self.settled.load(Ordering::Relaxed)).covers(now, pool) {
            return Some(pool);
        }
        let moved = {
            // The ceilings move under the lock, so that of two observations the later one stays.
            let mut tracker = self.tracker();
            tracker.limit = tracker.ceiling.observe(now, pool);
            let settled = if tracker.health.failures() > 0 || tracker.health.is_failing() {
                Settled::NOTHING
            } else {
                Settled::word(now, pool, tracker.ceiling.foreign())
            };
            self.settled.store(settled, Ordering::Relaxed);
            self.ceiling.store(tracker.limit)
        };
        if moved {
            self.ceiling.notify();
            self.refresh_claims();
        }
        Some(pool)
    }

    /// Bounds the claims by the limit as it is now. Of two at once the older may stay until the next
    /// look of the watch; the spare keeps claims going meanwhile.
    fn refresh_claims(&self) {
        if self.claims_ceiling.store(self.limiter.limit().saturating_sub(1)) {
            self.claims_ceiling.notify();
        }
    }

    /// Peak over the last second of what others use.
    pub(super) fn foreign(&self) -> u32 {
        self.tracker().ceiling.foreign()
    }

    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lowest of the ceilings of others.
    fn outer_limit(&self) -> u32 {
        self.outer.iter().map(Ceiling::limit).min().unwrap_or(u32::MAX)
    }

    /// The pool's numbers beside our own, read while no permit came back; `None` if some always did,
    /// in which case the next look finds out.
    ///
    /// Our permits enclose the use of a connection on both sides, so `used` above `held` is
    /// foreign use, provided that `held` is not younger. A connection is the pool's before the count
    /// of edges moves, and the permit comes back after that; so whoever has read the pool while the
    /// connection was still out, and then one permit less, finds that the count has moved. A permit
    /// that is granted meanwhile does no harm.
    fn steady_use(&self) -> Option<PoolUse> {
        for _ in 0..SNAPSHOT_TRIES {
            let edges = self.edges.load(Ordering::Acquire);
            let PoolSnapshot { max, open, idle, closed } = self.pool.snapshot();
            if closed {
                // Refuses at once instead of letting callers wait for what will not come back.
                self.close();
                return Some(PoolUse::default());
            }
            if idle > open {
                self.cells.implausible.increment(0);
            }
            // One at a time is taken out of the pool to be closed.
            let trimmed = u32::from(self.trimming.load(Ordering::Acquire));
            let blocked = self.blocked.load(Ordering::Acquire);
            let held = (self.limiter.in_flight() + trimmed).saturating_sub(blocked);
            if self.edges.load(Ordering::Acquire) == edges {
                return Some(PoolUse { max, open, idle, held });
            }
        }
        None
    }
}

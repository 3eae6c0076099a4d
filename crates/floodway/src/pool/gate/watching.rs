//! The task that looks at the pool while no permit moves, and closes idle connections when a limit
//! above the pool has shrunk.

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use floodway_control::PoolUse;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    super::{Connects, PoolSnapshot},
    Gate, Pool,
};
use crate::limiter::Bounded;

/// How often the pool is looked at while no permit moves. Foreign use that goes away is noticed
/// within this, so it is well below the waits that a queue allows.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// How many looks make a stretch. The hold times of this stretch and of the one before count, so
/// what callers are told of them is ten to twenty seconds old at most.
const LOOKS_PER_STRETCH: u32 = 40;

/// Closing connections to a server that does not answer must not go on for ever. Twice what sqlx gives
/// a single one to close.
const TRIM_TIMEOUT: Duration = Duration::from_secs(10);

/// The first pause after closing idle connections came to nothing.
const TRIM_PAUSE: Duration = Duration::from_millis(10);

/// Watches until the limiter is gone or its pool is closed.
pub(in crate::pool) async fn watch<P: Pool>(gate: Weak<Gate<P>>) {
    let Some((pool, nudge)) = gate.upgrade().map(|gate| (gate.pool.clone(), gate.nudge.clone()))
    else {
        return;
    };
    let connects = pool.connects().cloned();
    let mut tick = Instant::now();
    'changed: loop {
        // Waited for in one piece: it may be a place in a list of the pool.
        let mut changed = pin!(pool.changed());
        loop {
            let Some(next) = gate.upgrade().and_then(|gate| gate.look(&mut tick)) else {
                return;
            };
            tokio::select! {
                () = sleep_until(next) => {}
                () = nudge.notified() => {}
                () = connected(connects.as_ref()) => {}
                () = &mut changed => continue 'changed,
            }
        }
    }
}

async fn connected(connects: Option<&Connects>) {
    match connects {
        Some(connects) => connects.changed().await,
        None => pending().await,
    }
}

impl<P: Pool> Gate<P> {
    /// Looks at everything; says when to look again, unless the pool was closed.
    fn look(self: Arc<Self>, tick: &mut Instant) -> Option<Instant> {
        self.note_connects();
        let now = self.clock.now();
        self.offset.store(self.elapsed().wrapping_sub(now), Ordering::Relaxed);
        self.refresh(now);
        self.refresh_claims();
        if self.limiter.is_closed() {
            // By whoever: those who wait for a claim are to hear of it too.
            self.close();
            return None;
        }
        let now = Instant::now();
        if now >= *tick {
            *tick = now + WATCH_INTERVAL;
            self.sum_up();
        }
        // Read before others are woken: whoever finds the pause not over is woken again at its end.
        // One that is over ends when somebody asks.
        let pause = self.pause().filter(|pause| !pause.is_zero());
        // Few wait here, as many as there are permits, and only while connecting fails.
        self.probing.notify_waiters();
        let next = pause.map_or(*tick, |pause| (now + pause).min(*tick));
        let trim_next = self.trim(now);
        Some(trim_next.map_or(next, |at| at.min(next)))
    }

    /// Takes note of what those who open connections have counted.
    fn note_connects(&self) {
        let Some(connects) = self.pool.connects() else {
            return;
        };
        let failures = connects.failed_total();
        let new = {
            let mut tracker = self.tracker();
            failures.saturating_sub(std::mem::replace(&mut tracker.seen_failures, failures))
        };
        // More than a few say no more than these, and a success after them has been noted by whoever
        // got the connection.
        let new = new.min(u64::from(connects.failures_in_a_row()));
        for _ in 0..new {
            self.note_failure();
        }
    }

    fn sum_up(&self) {
        let mut tracker = self.tracker();
        let stretch = &mut tracker.stretch;
        stretch.looks += 1;
        if stretch.looks == LOOKS_PER_STRETCH {
            let now = self.cells.usage.value();
            stretch.looks = 0;
            stretch.former = std::mem::replace(&mut stretch.current, now);
        }
        self.cells.refresh_p99_hold(&stretch.former);
    }

    /// Whether more is open than those above the pool allow, and can be closed now.
    pub(super) fn is_overgrown(&self, pool: PoolUse) -> bool {
        !self.outer.is_empty()
            && pool.idle > 0
            && pool.open > self.outer_limit()
            && !self.trimming.load(Ordering::Relaxed)
    }

    /// Closes idle connections in the background, if there are more than those above the pool allow;
    /// says when to try again, where that came to nothing.
    ///
    /// The pool's own limit is never touched: in two widely used pools that leaks permits or does
    /// nothing.
    fn trim(self: Arc<Self>, now: Instant) -> Option<Instant> {
        let PoolSnapshot { max, open, idle, .. } = self.pool.snapshot();
        if !self.is_overgrown(PoolUse { max, open, idle, held: 0 }) {
            return None;
        }
        if let Some(next) = self.tracker().trims.next.filter(|next| now < *next) {
            return Some(next);
        }
        if self.trimming.swap(true, Ordering::AcqRel) {
            return None;
        }
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            let trimming = Trimming(self);
            let gate = &trimming.0;
            let closing = gate.pool.trim(gate.outer_limit());
            let closed = timeout(TRIM_TIMEOUT, closing).await.unwrap_or(0);
            gate.cells.trimmed.add(0, u64::from(closed));
            gate.tracker().trims.note(closed, Instant::now());
        });
        None
    }
}

/// When to close idle connections next.
#[derive(Default)]
pub(super) struct Trims {
    next: Option<Instant>,
    pause: Duration,
}

impl Trims {
    /// Whether nothing speaks against trying.
    pub(super) const fn may(&self) -> bool {
        self.next.is_none()
    }

    fn note(&mut self, closed: u32, now: Instant) {
        if closed > 0 {
            *self = Self::default();
            return;
        }
        // Callers had taken the idle ones meanwhile; or the pool cannot close any.
        self.pause = (self.pause * 2).clamp(TRIM_PAUSE, WATCH_INTERVAL);
        self.next = Some(now + self.pause);
    }
}

/// Idle connections are being closed.
struct Trimming<P: Pool>(Arc<Gate<P>>);

/// However it ends: while it lasts, one connection in use is taken to be ours.
impl<P: Pool> Drop for Trimming<P> {
    fn drop(&mut self) {
        self.0.edges.fetch_add(1, Ordering::AcqRel);
        self.0.trimming.store(false, Ordering::Release);
        self.0.refresh(self.0.clock.now());
        // To go on, or to know when to try again.
        self.0.nudge.notify_one();
    }
}

impl<P: Pool> Bounded for Gate<P> {
    fn ceiling_moved(&self) {
        self.tracker().trims = Trims::default();
        self.nudge.notify_one();
    }
}

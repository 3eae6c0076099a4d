//! Who may ask the pool while connecting fails.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::{
    super::{Connects, PoolFailure},
    Gate, Pool, Settled,
};

/// An attempt to obtain a connection while connecting fails. Others wait until it has ended.
pub(in crate::pool) struct Probe<P: Pool>(Arc<Gate<P>>);

/// However it ended; what came of it is noted apart.
impl<P: Pool> Drop for Probe<P> {
    fn drop(&mut self) {
        self.0.tracker().probes -= 1;
        self.0.probing.notify_waiters();
    }
}

impl<P: Pool> Gate<P> {
    /// Waits until one may ask the pool; `Err` if none may before `deadline`, or the limiter is closed.
    /// While all is well, at once and without a probe.
    ///
    /// Whoever waits here has a permit: what is counted are attempts, and connections that are held
    /// by queries that hang are none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub(super) async fn probe(self: &Arc<Self>, deadline: Instant) -> Result<Option<Probe<P>>, ()> {
        loop {
            if self.limiter.is_closed() {
                return Err(());
            }
            let mut ended = pin!(self.probing.notified());
            // From here on nothing is missed.
            ended.as_mut().enable();
            {
                let now = self.clock.elapsed();
                let mut tracker = self.tracker();
                if !tracker.health.is_failing() {
                    return Ok(None);
                }
                if tracker.probes < tracker.health.allowance(now) {
                    tracker.probes += 1;
                    return Ok(Some(Probe(Arc::clone(self))));
                }
            }
            timeout_at(deadline, ended).await.map_err(|_| ())?;
        }
    }

    /// Whether the last look found nothing that needs another.
    pub(super) fn all_is_well(&self) -> bool {
        self.settled.load(Ordering::Relaxed) != Settled::NOTHING
    }

    /// How long nobody may ask the pool, because connecting fails.
    pub(super) fn pause(&self) -> Option<Duration> {
        let resumes_at = self.tracker().health.resumes_at()?;
        Some(resumes_at.saturating_sub(self.clock.elapsed()))
    }

    /// Takes note of how an attempt to obtain a connection ended.
    pub(in crate::pool) fn note(&self, result: &Result<P::Connection, P::Error>) {
        let Err(error) = result else {
            // As long as all is well there is nothing to forget.
            if !self.all_is_well() {
                self.tracker().health.succeeded(self.most);
                self.probing.notify_waiters();
            }
            return;
        };
        match P::failure(error) {
            PoolFailure::Closed => self.close(),
            PoolFailure::TimedOut => {
                self.cells.timeouts.increment(0);
                // Others have taken what this caller was admitted for; that says nothing of the
                // database. The caller is among those held and has nothing, so if as many are used as
                // are held, one is not ours. Where permits come back all the time, all is well.
                let taken = self
                    .steady_use()
                    .is_none_or(|pool| pool.is_exhausted() && pool.used() >= pool.held);
                if !taken {
                    self.note_failure();
                }
            }
            PoolFailure::Failed => {
                self.cells.errors.increment(0);
                // Unless it was counted where the connection was to be opened.
                let counted = self.pool.connects().map_or(0, Connects::failures_in_a_row) > 0;
                if !counted {
                    self.note_failure();
                }
            }
        }
    }

    pub(super) fn note_failure(&self) {
        let now = self.clock.elapsed();
        let mut tracker = self.tracker();
        tracker.health.failed(now, fastrand::f64());
        self.settled.store(Settled::NOTHING, Ordering::Relaxed);
        drop(tracker);
        // A pause ends at an hour that the watch does not know yet.
        self.nudge.notify_one();
    }
}

//! Refusals, real and in shadow.

use std::time::Duration;

use floodway_control::Priority;
use tokio::time::Instant;

use super::{
    super::{
        mode::Mode,
        rejected::{RejectReason, Rejected},
        state::State,
    },
    Core,
};
use crate::sync::Ordering;

/// What to answer when nothing is known about how fast permits come back: the smallest value that
/// the `Retry-After` header can carry.
const UNKNOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Nobody needs to be told to come back later than this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Where no queue measures how fast permits come back, it is worked out from the hold times once
/// in as many refusals: reading a histogram costs more than a refusal may.
const REFRESH_EVERY: u64 = 1_024;

impl Core {
    /// Whether a caller is refused because its deadline has passed already.
    pub(in crate::limiter) fn refuses_late(&self, deadline: Option<Instant>) -> bool {
        if deadline.is_none_or(|deadline| deadline > Instant::now()) {
            return false;
        }
        let mode = self.mode();
        if mode == Mode::Shadow {
            self.cells.shadow_rejected.increment(SHADOW_DEADLINE);
        }
        mode == Mode::Enforce
    }

    /// Counts a refusal and says when to come back.
    pub(in crate::limiter) fn reject(&self, reason: RejectReason, priority: Priority) -> Rejected {
        let nth = self.cells.reject(reason, priority);
        let state = self.state();
        let ahead = if state.is_queued() { self.queued() } else { 0 };
        let mut interval = self.interval.load(Ordering::Relaxed);
        // Once a single operation has ended it is known: this does not stay expensive.
        let unknown = interval == 0 && self.timed;
        if !state.is_queued() && (unknown || nth.is_multiple_of(REFRESH_EVERY)) {
            interval = self.refresh_interval();
        }
        let wanted = reason.is_for_want_of_a_permit();
        if wanted {
            self.note_held_back();
        }
        let drained = interval.saturating_mul(ahead as u64 + 1);
        let retry_after = if interval == 0 {
            UNKNOWN_RETRY_AFTER.mul_f64(1.0 + fastrand::f64() / 2.0)
        } else if wanted {
            Duration::from_nanos(self.promise(drained, interval))
        } else {
            Duration::from_nanos(drained)
        };
        Rejected {
            reason,
            retry_after: retry_after.min(MAX_RETRY_AFTER),
            limit: self.limit_at(state),
            in_flight: state.in_flight(),
        }
    }

    /// The next moment at which a permit comes free that nobody else was promised, in nanoseconds
    /// from now, and up to one interval more at random.
    ///
    /// If all who are refused together were told when the queue has drained, they would come back
    /// together, and nearly all would be refused again.
    fn promise(&self, drained: u64, interval: u64) -> u64 {
        // As of the last release: a look at the clock would double the cost of a refusal.
        let now = self.busy_at.load(Ordering::Relaxed);
        let after = if now == 0 {
            // Nobody measures time here.
            drained
        } else {
            let latest = now + MAX_RETRY_AFTER.as_nanos() as u64;
            let next =
                |promised: u64| promised.max(now.saturating_add(drained)).saturating_add(interval);
            let promised = self.promised.load(Ordering::Relaxed);
            // Two who are refused at the same instant may be told the same moment; not worth a loop.
            self.promised.store(next(promised).min(latest), Ordering::Relaxed);
            (next(promised) - interval).saturating_sub(now)
        };
        // In 1/2¹⁶ of the interval, because this is on the path of every refusal.
        after.saturating_add((interval >> 16).saturating_mul(u64::from(fastrand::u16(..))))
    }

    /// With all permits out, one comes back every hold time / limit on average.
    #[cold]
    fn refresh_interval(&self) -> u64 {
        let window_latency = self.control().controller.estimates().window_latency;
        let hold = match window_latency {
            Some(latency) => u64::try_from(latency.as_nanos()).ok(),
            None => self.cells.timings.as_ref().and_then(|timings| timings.hold.mean()),
        };
        let interval = hold.map_or(0, |hold| (hold / u64::from(self.limit().max(1))).max(1));
        self.interval.store(interval, Ordering::Relaxed);
        interval
    }

    /// Counts who passes only because the limit is not enforced, and would not have.
    #[cold]
    pub(super) fn note_shadow(&self, after: State, weight: u32) {
        if self.mode() != Mode::Shadow {
            return;
        }
        let limit = self.limit();
        let excess = after.in_flight().saturating_sub(limit);
        if excess == 0 {
            return;
        }
        self.note_held_back();
        // Everybody above the limit would have been in the queue, which drains by one permit
        // every hold time / limit.
        let capacity = self.queue_capacity.load(Ordering::Relaxed);
        let max_wait = Duration::from_nanos(self.queue_max_wait.load(Ordering::Relaxed));
        let interval = match self.interval.load(Ordering::Relaxed) {
            0 => self.refresh_interval(),
            known => known,
        };
        let wait = Duration::from_nanos(interval.saturating_mul(u64::from(excess)));
        let reason = if weight > limit.max(1) {
            SHADOW_WEIGHT
        } else if capacity == 0 {
            SHADOW_NO_PERMIT
        } else if u64::from(excess) > capacity {
            SHADOW_QUEUE_FULL
        } else if wait > max_wait {
            SHADOW_DEADLINE
        } else {
            return;
        };
        self.cells.shadow_rejected.increment(reason);
    }
}

/// Positions of the values of the label `reason` of shadow rejections.
const SHADOW_QUEUE_FULL: usize = 0;
const SHADOW_DEADLINE: usize = 1;
const SHADOW_NO_PERMIT: usize = 2;
const SHADOW_WEIGHT: usize = 3;

//! Taking permits back.

use std::time::Duration;

use floodway_control::Sample;

use super::{
    super::{cells::Timings, permit::Granted, state::State},
    Core,
};
use crate::{Outcome, sync::Ordering};

impl Core {
    /// Takes an operation's permits back, except those that are still lent, and passes them on.
    #[inline]
    pub(in crate::limiter) fn release(&self, granted: Granted, still_lent: u32, outcome: Outcome) {
        let now = if self.timed { self.clock.now() } else { 0 };
        let before = self.put_back(now, granted.weight() - still_lent, granted.partition());
        if still_lent < granted.weight() {
            self.forget_extra(granted.weight() - still_lent);
        } else {
            // Its operation has ended, and all of its permits are out without one.
            self.extra_weight.fetch_add(1, Ordering::Relaxed);
        }
        self.cells.complete(outcome, now.saturating_sub(granted.at));
        if before.is_queued() {
            self.hand_off();
        }
        // Last, because an algorithm is foreign code: if it panics, nobody is left waiting.
        if self.adaptive {
            let at = |nanos| self.born + Duration::from_nanos(nanos);
            let limited = self.held_back.load(Ordering::Relaxed) != 0;
            if limited {
                self.held_back.store(0, Ordering::Relaxed);
            }
            let sample = Sample {
                started: at(granted.at),
                weight: granted.weight(),
                in_flight: before.in_flight(),
                limited: limited || before.is_queued(),
                outcome,
            };
            self.sample(at(now), sample);
        }
    }

    /// Takes permits back that outlived the operation they belonged to.
    pub(in crate::limiter) fn release_lent(&self, weight: u32, partition: u16) {
        let now = if self.timed { self.clock.now() } else { 0 };
        let before = self.put_back(now, weight, partition);
        self.forget_extra(weight + 1);
        if before.is_queued() {
            self.hand_off();
        }
    }

    /// The cells of durations. Asks what is known here first: where nothing is measured, the cells
    /// are not even looked at.
    #[inline]
    pub(super) fn timings(&self) -> Option<&Timings> {
        if self.timed { self.cells.timings.as_ref() } else { None }
    }

    #[inline]
    fn put_back(&self, now: u64, weight: u32, partition: u16) -> State {
        self.partitions.remove(partition, weight);
        if let Some(timings) = self.timings() {
            timings.permits.end(now, weight);
            self.busy_at.store(now, Ordering::Relaxed);
        }
        let before = State(self.state.fetch_sub(u64::from(weight), Ordering::AcqRel));
        if before.is_saturated()
            && !State(before.0 - u64::from(weight)).is_saturated()
            && let Some(timings) = self.timings()
        {
            timings.saturated.end(now, 1);
        }
        before
    }

    #[inline]
    pub(super) fn forget_extra(&self, weight: u32) {
        if weight > 1 {
            self.extra_weight.fetch_sub(u64::from(weight - 1), Ordering::Release);
        }
    }
}

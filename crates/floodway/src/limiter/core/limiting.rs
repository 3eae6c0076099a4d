//! The limit: from the algorithm and the ceilings into the state word.

use std::{
    cmp,
    sync::{Arc, Weak},
    time::Duration,
};

use floodway_control::{Controller, Sample};
use floodway_metrics::catalogue::limiter::CAUSE;

use super::{
    super::{
        Queue,
        ceiling::{Bounded, Ceiling, CeilingTerm},
        cells::{CAUSE_CEILING, CAUSE_OPERATOR, CAUSE_OTHER, DOWN, UP},
        mode::Mode,
        state::{MAX_PERMITS, State, UNLIMITED},
    },
    Core,
};
use crate::{
    BuildError, LimitError,
    sync::{MutexGuard, Ordering, PoisonError},
};

/// The deciding part, and what bounds it.
pub(in crate::limiter) struct Control {
    pub(in crate::limiter) controller: Controller,
    /// Whether the bounds were asked for, and not merely everything that is possible.
    pub(in crate::limiter) bounded: bool,
    pub(in crate::limiter) ceilings: Vec<Ceiling>,
    pub(in crate::limiter) mode: Mode,
}

impl Control {
    /// The least of the algorithm's limit and all ceilings.
    pub(super) fn effective_limit(&self) -> u32 {
        self.effective_term().limit
    }

    /// The same, and how long it holds at least.
    fn effective_term(&self) -> CeilingTerm {
        let limit = self.controller.limit().min(MAX_PERMITS);
        let mut least = CeilingTerm { limit, remaining: None };
        for CeilingTerm { limit, remaining } in self.ceilings.iter().map(Ceiling::term) {
            least.limit = least.limit.min(limit);
            least.remaining = match (least.remaining, remaining) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        least
    }

    /// The range in which the limit moves by itself.
    pub(super) fn range(&self) -> (u32, u32) {
        if self.bounded {
            return self.controller.bounds();
        }
        // A limit without bounds moves only by hand: it is its own range. Where ceilings alone
        // decide, the least of them is.
        match self.controller.limit() {
            MAX_PERMITS => (self.effective_limit(), self.effective_limit()),
            own => (own, own),
        }
    }
}

impl Core {
    pub(in crate::limiter) fn attach_ceilings(self: &Arc<Self>) {
        let ceilings = self.control().ceilings.clone();
        for ceiling in ceilings {
            let this: Weak<Self> = Arc::downgrade(self);
            ceiling.attach(this);
        }
        // A ceiling may have moved between the computation of the first limit and now.
        self.refresh_limit();
    }

    /// The limit that the algorithm has chosen, whatever the ceilings are.
    pub(in crate::limiter) fn algorithm_limit(&self) -> u32 {
        self.control().controller.limit()
    }

    /// The limit, enforced or not.
    pub(in crate::limiter) fn limit(&self) -> u32 {
        self.limit_at(self.state())
    }

    pub(super) fn limit_at(&self, state: State) -> u32 {
        match state.limit() {
            UNLIMITED => self.limit.load(Ordering::Relaxed) as u32,
            limit => limit,
        }
    }

    pub(in crate::limiter) fn bounds(&self) -> (u32, u32) {
        self.control().controller.bounds()
    }

    pub(in crate::limiter) fn mode(&self) -> Mode {
        Mode::from_index(self.mode.load(Ordering::Relaxed))
    }

    pub(in crate::limiter) fn set_limit(&self, limit: u32) -> Result<(), LimitError> {
        let mut control = self.control();
        let (min, max) = control.controller.bounds();
        if !(min..=max).contains(&limit) {
            return Err(LimitError { limit, min, max });
        }
        control.controller.set_limit(limit);
        self.apply_limit(control, CAUSE_OPERATOR);
        Ok(())
    }

    pub(in crate::limiter) fn set_bounds(&self, min: u32, max: u32) -> Result<(), BuildError> {
        if min > max {
            return Err(BuildError::EmptyBounds { min, max });
        }
        for bound in [min, max] {
            if !(1..=MAX_PERMITS).contains(&bound) {
                let value = f64::from(bound);
                let (field, min, max) = ("bounds", 1, MAX_PERMITS);
                return Err(BuildError::OutOfRange { field, value, min, max });
            }
        }
        let mut control = self.control();
        control.bounded = true;
        control.controller.set_bounds((min, max));
        self.apply_limit(control, CAUSE_OPERATOR);
        Ok(())
    }

    pub(in crate::limiter) fn set_mode(&self, mode: Mode) {
        let mut control = self.control();
        control.mode = mode;
        self.mode.store(mode.index() as u64, Ordering::Relaxed);
        self.apply_limit(control, CAUSE_OPERATOR);
    }

    pub(in crate::limiter) fn set_queue(&self, queue: &Queue) -> Result<(), BuildError> {
        queue.check()?;
        let mut waiting = self.waiting();
        waiting.enabled = queue.enabled;
        waiting.queue.configure(queue.config);
        self.queue_capacity.store(queue.effective_capacity(), Ordering::Relaxed);
        self.queue_max_wait.store(queue.max_wait_nanos(), Ordering::Relaxed);
        drop(waiting);
        // In another order the turn may have come to somebody who fits.
        self.hand_off_if_room();
        Ok(())
    }

    /// Computes the limit again because a ceiling moved.
    pub(in crate::limiter) fn refresh_limit(&self) {
        self.apply_limit(self.control(), CAUSE_CEILING);
    }

    pub(super) fn sample(&self, now: Duration, sample: Sample) {
        if self.mode() == Mode::Off {
            return;
        }
        let mut control = self.control();
        if let Some(decision) = control.controller.on_sample(now, sample) {
            let cause = CAUSE.values.iter().position(|cause| *cause == decision.reason.as_str());
            self.apply_limit(control, cause.unwrap_or(CAUSE_OTHER));
        }
    }

    /// Puts the effective limit into the state word and admits who now fits.
    fn apply_limit(&self, control: MutexGuard<'_, Control>, cause: usize) {
        let CeilingTerm { limit, remaining } = control.effective_term();
        let enforced = if control.mode == Mode::Enforce { limit } else { UNLIMITED };
        // Under the control lock, so that of two changes the later one stays.
        let previous = self.limit.swap(u64::from(limit), Ordering::Relaxed);
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                Some(State(state).with_limit(enforced).0)
            })
            .map_or_else(State, State);
        // After the limit: whoever sees a later end has to see the limit that holds until then.
        self.lease.set(remaining, &self.clock);
        let after = before.with_limit(enforced);
        if let Some(timings) = &self.cells.timings {
            match (before.is_saturated(), after.is_saturated()) {
                (false, true) => timings.saturated.begin(self.clock.now(), 1),
                (true, false) => timings.saturated.end(self.clock.now(), 1),
                _ => {}
            }
        }
        match u64::from(limit).cmp(&previous) {
            cmp::Ordering::Greater => self.cells.limit_changed(UP, cause),
            cmp::Ordering::Less => self.cells.limit_changed(DOWN, cause),
            cmp::Ordering::Equal => {}
        }
        drop(control);
        if before.is_queued() {
            self.hand_off();
        }
    }

    /// Asks ceilings whose time is over what holds now.
    #[cold]
    pub(super) fn lapse(&self) {
        // Cloned, because they come back to this limiter for its control.
        let ceilings = self.control().ceilings.clone();
        for ceiling in ceilings {
            ceiling.refresh();
        }
    }

    pub(in crate::limiter) fn control(&self) -> MutexGuard<'_, Control> {
        // An algorithm that panicked keeps the limit it had.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bounded for Core {
    fn ceiling_moved(&self) {
        self.refresh_limit();
    }
}

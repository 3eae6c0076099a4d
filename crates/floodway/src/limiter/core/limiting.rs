//! The limit: from the algorithm and the ceilings into the state word.

use std::{cmp, sync::Arc, time::Duration};

use floodway_control::{Controller, Sample};

use super::{
    super::{
        ceiling::Ceiling,
        cells::{DOWN, UP},
        state::{MAX_PERMITS, State},
    },
    Core,
};
use crate::{
    LimitError,
    sync::{MutexGuard, Ordering, PoisonError},
};

/// The deciding part, and what bounds it.
pub(in crate::limiter) struct Control {
    pub(in crate::limiter) controller: Controller,
    pub(in crate::limiter) ceilings: Vec<Ceiling>,
}

impl Control {
    /// The least of the algorithm's limit and all ceilings.
    pub(super) fn effective_limit(&self) -> u32 {
        let own = self.controller.limit();
        self.ceilings.iter().map(Ceiling::limit).fold(own, u32::min).min(MAX_PERMITS)
    }
}

impl Core {
    pub(in crate::limiter) fn attach_ceilings(self: &Arc<Self>) {
        let ceilings = self.control().ceilings.clone();
        for ceiling in ceilings {
            ceiling.attach(self);
        }
        // A ceiling may have moved between the computation of the first limit and now.
        self.refresh_limit();
    }

    pub(in crate::limiter) fn set_limit(&self, limit: u32) -> Result<(), LimitError> {
        let mut control = self.control();
        let (min, max) = control.controller.bounds();
        if !(min..=max).contains(&limit) {
            return Err(LimitError { limit, min, max });
        }
        control.controller.set_limit(limit);
        self.apply_limit(control);
        Ok(())
    }

    /// Computes the limit again because a ceiling moved.
    pub(in crate::limiter) fn refresh_limit(&self) {
        self.apply_limit(self.control());
    }

    pub(super) fn sample(&self, now: u64, sample: Sample) {
        let mut control = self.control();
        if control.controller.on_sample(Duration::from_nanos(now), sample).is_some() {
            self.apply_limit(control);
        }
    }

    /// Puts the effective limit into the state word and admits who now fits.
    fn apply_limit(&self, control: MutexGuard<'_, Control>) {
        let limit = control.effective_limit();
        // Under the control lock, so that of two changes the later one stays.
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                Some(State(state).with_limit(limit).0)
            })
            .map_or_else(State, State);
        let after = before.with_limit(limit);
        if let Some(timings) = &self.cells.timings {
            match (before.is_saturated(), after.is_saturated()) {
                (false, true) => timings.saturated.begin(self.clock.now()),
                (true, false) => timings.saturated.end(self.clock.now()),
                _ => {}
            }
        }
        match limit.cmp(&before.limit()) {
            cmp::Ordering::Greater => self.cells.limit_changes.increment(UP),
            cmp::Ordering::Less => self.cells.limit_changes.increment(DOWN),
            cmp::Ordering::Equal => {}
        }
        drop(control);
        if before.is_queued() {
            self.hand_off();
        }
    }

    pub(in crate::limiter) fn control(&self) -> MutexGuard<'_, Control> {
        // An algorithm that panicked keeps the limit it had.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

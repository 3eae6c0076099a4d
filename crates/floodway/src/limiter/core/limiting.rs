//! The limit: from the algorithm and the ceilings into the state word.

use std::{cmp, sync::Arc, time::Duration};

use floodway_control::{LimitAlgorithm, Sample, WindowCollector};

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
    pub(in crate::limiter) algorithm: Box<dyn LimitAlgorithm>,
    pub(in crate::limiter) windows: Option<WindowCollector>,
    pub(in crate::limiter) bounds: Option<(u32, u32)>,
    pub(in crate::limiter) ceilings: Vec<Ceiling>,
}

impl Control {
    /// The least of the algorithm's limit and all ceilings.
    pub(super) fn effective_limit(&self) -> u32 {
        // The algorithm's limit was clamped into 1..=MAX_PERMITS when it last moved.
        let own = self.algorithm.limit() as u32;
        self.ceilings.iter().map(Ceiling::limit).fold(own, u32::min).min(MAX_PERMITS)
    }

    /// The range in which the algorithm may move.
    pub(in crate::limiter) fn range(&self) -> (u32, u32) {
        self.bounds.unwrap_or((1, MAX_PERMITS))
    }

    /// Puts a limit that ran out of its bounds back to the nearer one, and one that is not a
    /// number back to `previous`.
    fn clamp(&mut self, previous: f64) {
        let (min, max) = self.range();
        let limit = self.algorithm.limit();
        let legal = if limit.is_nan() { previous } else { limit };
        let legal = legal.clamp(f64::from(min), f64::from(max));
        if legal != limit {
            self.algorithm.set_limit(legal);
        }
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
        let (min, max) = control.range();
        if !(min..=max).contains(&limit) {
            return Err(LimitError { limit, min, max });
        }
        control.algorithm.set_limit(f64::from(limit));
        self.apply_limit(control);
        Ok(())
    }

    /// Computes the limit again because a ceiling moved.
    pub(in crate::limiter) fn refresh_limit(&self) {
        self.apply_limit(self.control());
    }

    pub(super) fn sample(&self, now: u64, sample: Sample) {
        let mut control = self.control();
        let control_ref = &mut *control;
        let Some(windows) = &mut control_ref.windows else {
            return;
        };
        let Some(window) = windows.record(Duration::from_nanos(now), sample) else {
            return;
        };
        let previous = control_ref.algorithm.limit();
        control_ref.algorithm.on_window(&window);
        control_ref.clamp(previous);
        self.apply_limit(control);
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

//! A limiter in virtual time: permits and a controller, no queue.

use std::time::Duration;

use floodway_control::{Controller, LimitAlgorithm, Outcome, Sample};

/// The bounds of every algorithm.
const BOUNDS: (u32, u32) = (1, 1_000);

/// Where virtual time begins, since the Unix epoch.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

#[derive(Debug)]
pub(crate) struct Replica {
    controller: Controller,
    limit: u32,
    /// What its clock says when virtual time begins.
    epoch: Duration,
    in_flight: u32,
    limited: bool,
}

impl Replica {
    pub(crate) fn new(algorithm: Box<dyn LimitAlgorithm>, skew: Duration) -> Self {
        let controller = Controller::new(algorithm, BOUNDS);
        let limit = controller.limit();
        Self { controller, limit, epoch: EPOCH + skew, in_flight: 0, limited: false }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Takes a permit, if one is free.
    pub(crate) fn admit(&mut self) -> bool {
        let free = self.in_flight < self.limit;
        self.in_flight += u32::from(free);
        free
    }

    /// Somebody had to wait or was refused.
    pub(crate) fn note_limited(&mut self) {
        self.limited = true;
    }

    /// Takes a permit back. Times are nanoseconds.
    pub(crate) fn release(&mut self, now: u64, started: u64, outcome: Outcome) {
        if self.controller.is_adaptive() {
            let sample = Sample {
                started: self.epoch + Duration::from_nanos(started),
                weight: 1,
                in_flight: self.in_flight,
                limited: std::mem::take(&mut self.limited),
                outcome,
            };
            if self.controller.on_sample(self.epoch + Duration::from_nanos(now), sample).is_some() {
                self.limit = self.controller.limit();
            }
        }
        self.in_flight -= 1;
    }
}

//! How large a batch may be so that its items are answered in time.

use std::time::Duration;

use super::cost::{Line, seconds};

// All constants: docs/decisions/0011-batch-sizes.md.

/// The part of batches that may take longer than what is allowed for.
const LATE: f64 = 0.004;

/// Typical residuals that are allowed for: to begin with, and at least where the objective cannot be
/// had with more.
const START: f64 = 3.0;
const MODEST: f64 = 1.7;

/// How far a late batch moves what is allowed for, in typical residuals.
const STEP: f64 = 0.5;

/// What a late batch makes of its size, and a timely one of the cap.
const BACK_OFF: f64 = 0.9;
const RECOVERY: f64 = 1.01;

/// A cap that is none any more.
const UNBOUNDED: f64 = 1e7;

/// The part of the objective after which an item has waited for too long.
const BEHIND: f64 = 0.25;

/// A mean absolute logarithm to the deviation of a normal one.
const DEVIATION: f64 = 1.25;

#[derive(Clone, Debug)]
pub(super) struct Objective {
    objective: f64,
    /// Typical residuals allowed for.
    allowed: f64,
    /// Cap after a violation.
    cap: f64,
    /// The time of the last batch over what was left for it, 0 if its items had waited too long.
    late: f64,
    /// Seconds that the oldest item of a batch has waited, on average.
    waited: f64,
}

impl Objective {
    pub(super) fn new(objective: Duration) -> Self {
        Self {
            objective: seconds(objective),
            allowed: START,
            cap: f64::INFINITY,
            late: 0.0,
            waited: 0.0,
        }
    }

    /// Takes a batch: its residual, and whether its oldest item, which had `waited`, was answered
    /// too late.
    pub(super) fn add(
        &mut self,
        items: f64,
        time: f64,
        waited: f64,
        residual: Option<f64>,
        typical: f64,
    ) {
        self.waited += (waited - self.waited) / 16.0;
        if let Some(residual) = residual {
            let late = residual > self.allowed * typical * DEVIATION;
            self.allowed += if late { STEP * (1.0 - LATE) } else { -STEP * LATE };
            self.allowed = self.allowed.clamp(1.0, 50.0);
        }
        // Not if the queue is the reason.
        let late = time / (self.objective - waited);
        let late = if self.is_behind(waited) { 0.0 } else { late };
        if late > 1.0 {
            // Twice in a row, it is no outlier.
            let by = late.min(self.late).max(1.0);
            self.cap = (items / by * BACK_OFF).max(1.0);
        } else if self.cap < UNBOUNDED {
            self.cap *= RECOVERY;
        }
        self.late = late;
    }

    /// The largest batch whose items are answered in time, of which the oldest has waited as long as
    /// usual.
    pub(super) fn items(&self, line: Line, typical: f64) -> usize {
        self.items_after(line, typical, self.waited.min(self.objective / 2.0))
    }

    /// The largest batch whose items are answered in time, if the oldest has waited for `waited`.
    pub(super) fn items_after(&self, line: Line, typical: f64, waited: f64) -> usize {
        let left = (self.objective - waited).max(0.0);
        let fitting = |allowed: f64| {
            let time = left / (allowed * typical * DEVIATION).exp();
            (time - line.overhead()) / line.item
        };
        let mut items = fitting(self.allowed);
        if items < 1.0 {
            items = fitting(MODEST.min(self.allowed));
        }
        (items.min(self.cap) as usize).max(1)
    }

    /// Whether the oldest item has waited for so long that there is a queue, which smaller batches
    /// would make longer.
    pub(super) fn is_behind(&self, waited: f64) -> bool {
        waited > self.objective * BEHIND
    }

    /// Whether items usually have.
    pub(super) fn is_usually_behind(&self) -> bool {
        self.is_behind(self.waited)
    }

    /// How long the oldest of `items` may have waited for them to be answered in time.
    pub(super) fn patience(&self, line: Line, typical: f64, items: f64) -> f64 {
        let time = line.time(items) * (self.allowed * typical * DEVIATION).exp();
        (self.objective - time).max(0.0)
    }
}

//! When to measure the baseline, how, and what follows from it.
//!
//! ```text
//!  steering ── slot, limit in use ──> draining ── queue gone ──> measuring
//!      ^                                                             │
//!      └──────────── all that started while measuring ended ─────────┘
//! ```

use std::time::Duration;

use super::{
    AnchoredGradient, Profile,
    steering::{Steering, target},
};
use crate::{ProbeResult, WindowConfig};

/// Probes start at multiples of this, in seconds of wall-clock time: often enough that a new
/// latency is understood before callers give up, and seldom enough that replicas agree on one
/// although their clocks differ by some tenths of a second.
pub(super) const SLOT: f64 = 2.5;

/// A probe without any queue would see this shift by chance once in twenty times.
const SIGNIFICANT: f64 = 2.0;

/// A shift of less than this part of the baseline moves the limit less than its target queue does.
const MATERIAL: f64 = 0.05;

/// A baseline whose error is worth more than this part of the target queue is measured again at
/// the next slot: replicas that share a backend would share it unfairly by that much.
const PRECISE: f64 = 0.5;

/// Fewer successes than this say nothing.
const FEWEST: f64 = 5.0;

/// A probe that took this part of the latency before it, at a fraction of the limit, shows that
/// the limit is not what makes operations slow.
const UNRELATED: f64 = 0.75;

/// A probe takes no more than half of the limit, and leaves this many permits where that allows it.
const LEAST: f64 = 2.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Steering,
    Draining,
    Measuring,
}

#[derive(Clone, Debug)]
pub(super) struct Probing {
    pub(super) mode: Mode,
    pub(super) interval: Duration,
    pub(super) offset: Duration,
    /// `None` before the first window.
    pub(super) next: Option<Duration>,
    last: Duration,
    /// Seconds between probes that a queue asks for; doubles while they find nothing new.
    backoff: f64,
    /// Whether a probe has run since there last was no queue, so that the baseline is believed.
    pub(super) confirmed: bool,
    /// What latencies were when the limit was lowered.
    before: Option<Profile>,
    pub(super) results: [u64; ProbeResult::ALL.len()],
}

impl Default for Probing {
    fn default() -> Self {
        Self {
            mode: Mode::Steering,
            interval: Duration::from_secs(30),
            offset: Duration::ZERO,
            next: None,
            last: Duration::ZERO,
            backoff: SLOT,
            confirmed: false,
            before: None,
            results: [0; ProbeResult::ALL.len()],
        }
    }
}

/// Waits until what queues has gone.
pub(super) fn drain(latency: f64, baseline: f64) -> WindowConfig {
    let duration = 1.5 * latency.min(baseline.max(0.3));
    WindowConfig::new(Duration::from_secs_f64(duration), 1)
}

/// Measures what starts, in whole: a quarter of a second is enough for most, operations that take
/// seconds get them.
pub(super) fn cohort(baseline: f64) -> WindowConfig {
    let seconds = Duration::from_secs_f64;
    let duration = (4.0 * baseline).clamp(0.2, 0.5);
    WindowConfig::cohort(seconds(duration), 10, seconds((4.0 * baseline).max(2.0)))
        .with_max_error(0.2)
        .with_max_duration(seconds((2.0 * baseline).max(1.0)))
}

impl Probing {
    /// Low enough that no queue is left if the one that is seen is there, and no lower. With
    /// a single permit a small limiter would take too long for its samples.
    pub(super) fn limit(&self, limit: f64, queue: f64) -> f64 {
        (limit - 2.0 * queue - 1.0).max(LEAST).clamp(limit / 4.0, limit / 2.0)
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.next.is_some_and(|next| now >= next)
    }

    pub(super) fn begin(&mut self, before: Option<Profile>) {
        self.mode = Mode::Draining;
        self.before = before.or_else(|| self.before.take());
    }

    /// Plans the next probe for the first slot that is later than the regular time.
    pub(super) fn plan(&mut self, now: Duration) {
        let regular = self.last + self.interval.saturating_sub(Duration::from_secs_f64(SLOT));
        self.next = Some(self.slot_after(now.max(regular)));
    }

    /// A queue asks for a probe.
    pub(super) fn request(&mut self, now: Duration) {
        let earliest = self.last + Duration::from_secs_f64(self.backoff - SLOT);
        let slot = self.slot_after(now.max(earliest));
        self.next = Some(self.next.map_or(slot, |next| next.min(slot)));
    }

    /// Latency has jumped: whatever the last probe found is of the past.
    pub(super) fn doubt(&mut self) {
        self.confirmed = false;
        self.backoff = SLOT;
    }

    pub(super) fn plan_at_next_slot(&mut self, now: Duration) {
        self.next = Some(self.slot_after(now));
    }

    fn slot_after(&self, time: Duration) -> Duration {
        let slots = (time.saturating_sub(self.offset).as_secs_f64() / SLOT).floor() + 1.0;
        self.offset + Duration::from_secs_f64(slots * SLOT)
    }
}

impl AnchoredGradient {
    /// Learns from the operations of a probe and steers again.
    pub(super) fn end_probe(&mut self, now: Duration, probe: Option<Profile>) {
        let probing = &mut self.probing;
        probing.mode = Mode::Steering;
        probing.last = now;
        probing.plan(now);
        let before = probing.before.take();
        let result = match (&mut self.baseline, probe) {
            (Some(baseline), Some(probe)) if probe.samples >= FEWEST => {
                let result = compare(&probe, baseline);
                if result == ProbeResult::Raised
                    && before.is_some_and(|before| probe.median() > UNRELATED * before.median())
                {
                    self.steering.start_slowly();
                }
                if result == ProbeResult::Confirmed {
                    baseline.merge(&probe);
                } else {
                    *baseline = probe;
                }
                // By Little's law, an error of the latency is this many permits.
                if baseline.error() * self.limit / baseline.mean > PRECISE * target(self.limit) {
                    probing.plan_at_next_slot(now);
                }
                probing.confirmed = true;
                self.steering.forget_good();
                result
            }
            _ => ProbeResult::Inconclusive,
        };
        probing.backoff = match result {
            ProbeResult::Lowered | ProbeResult::Raised => SLOT,
            _ => (2.0 * probing.backoff).min(probing.interval.as_secs_f64()),
        };
        probing.results[result.index()] += 1;
    }
}

fn compare(probe: &Profile, baseline: &Profile) -> ProbeResult {
    let (shift, error) = probe.shift(baseline);
    // The question is whether the baseline could have produced the probe. A distribution that has
    // become wider must not be its own excuse.
    let error = error.min(baseline.error_of(probe.samples).hypot(baseline.error()));
    if shift.abs() <= (SIGNIFICANT * error).max(MATERIAL * baseline.mean) {
        ProbeResult::Confirmed
    } else if shift > 0.0 {
        ProbeResult::Raised
    } else {
        ProbeResult::Lowered
    }
}

impl Steering {
    fn forget_good(&mut self) {
        self.good = 0.0;
    }
}

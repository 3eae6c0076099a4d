//! From how much operations queue to where the limit goes.
//!
//! In units of the square root of the limit, which is how far the number of operations in flight
//! strays by chance:
//!
//! ```text
//!   0        LOW      TARGET               HIGH
//!   ├─────────┼─────────┼────────────────────┼──────────────>  queue
//!   │ grow ever faster  │ shrink gently      │ shrink, once a probe
//!   │                   │                    │ has confirmed the baseline
//! ```

use std::time::Duration;

use super::{AnchoredGradient, Profile};
use crate::{Reason, Window, WindowConfig};

const LOW: f64 = 0.5;
const TARGET: f64 = 0.7;
const HIGH: f64 = 1.2;

/// In use: this part of the limit was in flight on average, less half a permit: of a limit of two,
/// one.
const IN_USE: f64 = 0.75;

/// Held back: this part of the operations ended after somebody had been, averaged over some
/// windows (for probes) or seconds (for shrinking).
const PRESSED: f64 = 0.1;
const PRESSED_FOR_LONG: f64 = 0.02;
const PRESSURE_PER_WINDOW: f64 = 0.3;
const LONG: f64 = 7.0;

/// While hardly anybody is held back, a queue comes from the arrivals and not from the limit:
/// bursts may queue this many times deeper.
const BURSTS: f64 = 3.0;

/// What slow start multiplies the limit by per window; less where few are held back.
const SLOW_START: f64 = 1.5;
const SLOW_START_UNPRESSED: f64 = 1.1;

/// How much of the way to the target is done per window, below and above [`HIGH`].
const GAIN: f64 = 0.3;
const GAIN_ABOVE: f64 = 0.8;

/// The most that one window may add or take, as parts of the limit.
const MOST_GROWTH: f64 = 0.25;
const MOST_DECAY: f64 = 0.1;

/// One window aims no lower than this part of the limit.
const LOWEST_AIM: f64 = 0.5;

/// Overloads up to this part are noise; where they are more than half, little is lost by halving
/// the limit.
const OVERLOADED: f64 = 0.02;
const FAILING: f64 = 0.5;

/// A latency this much above what it was without a queue has jumped.
const JUMP: f64 = 1.3;

/// A window with fewer successes is not compared.
const FEWEST: f64 = 10.0;

/// The baseline falls without a probe if it is too high by so many standard errors, and this part.
const FALL_ERRORS: f64 = 3.0;
const FALL: f64 = 0.03;

/// The queue that a limit aims at, in operations.
pub(super) fn target(limit: f64) -> f64 {
    (TARGET * limit.sqrt()).max(2.0)
}

#[derive(Clone, Debug)]
pub(super) struct Steering {
    /// Mean latency of the last window, in seconds.
    pub(super) latency: f64,
    /// Operations that wait downstream, and their average over the last seconds.
    pub(super) queue: f64,
    long_queue: f64,
    pressure: f64,
    long_pressure: f64,
    slow_start: bool,
    /// Whether most operations of the last window ended in overload: a low limit then makes few
    /// samples, and need not wait for many.
    failing: bool,
    /// Windows in a row that found hardly any queue, and one.
    streak: f64,
    /// The largest limit without a queue since the last probe.
    pub(super) good: f64,
    /// Mean latency at that limit, in seconds.
    calm: f64,
    jumped: bool,
}

impl Default for Steering {
    fn default() -> Self {
        Self {
            latency: 0.0,
            queue: 0.0,
            long_queue: 0.0,
            pressure: 0.0,
            long_pressure: 0.0,
            slow_start: true,
            failing: false,
            streak: 1.0,
            good: 0.0,
            calm: 0.0,
            jumped: false,
        }
    }
}

impl Steering {
    pub(super) fn start_slowly(&mut self) {
        self.slow_start = true;
    }

    /// Long enough for a few operations one after the other, short enough to follow.
    pub(super) fn window(&self) -> WindowConfig {
        let seconds = Duration::from_secs_f64;
        let shortest = if self.slow_start { 0.1 } else { 0.25 };
        let longest = if self.failing { 0.5 } else { (4.0 * self.latency).max(1.5) };
        WindowConfig::new(seconds((4.0 * self.latency).clamp(shortest, 1.0)), 20)
            .with_max_error(0.1)
            .with_max_duration(seconds(longest))
    }

    /// Updates how many were held back, and gives this window's part.
    fn press(&mut self, window: &Window) -> f64 {
        let ends = window.successes + window.overloads;
        let pressure = f64::from(window.limited) / f64::from(ends.max(1));
        self.pressure += (pressure - self.pressure) * PRESSURE_PER_WINDOW;
        self.long_pressure += (pressure - self.long_pressure) * part_of_long(window);
        pressure
    }
}

/// The weight of a window in an average over [`LONG`].
fn part_of_long(window: &Window) -> f64 {
    (window.duration().as_secs_f64() / LONG).min(1.0)
}

/// A window, compared with the baseline.
struct View {
    profile: Profile,
    /// Share of the operations that ended after somebody had been held back.
    pressure: f64,
    limited: bool,
    in_use: bool,
    queue: f64,
    /// Standard error of the queue.
    error: f64,
}

impl AnchoredGradient {
    pub(super) fn steer(&mut self, window: &Window, profile: Option<Profile>) -> Reason {
        if let Some(profile) = &profile {
            self.steering.latency = profile.mean;
        }
        let pressure = self.steering.press(window);
        let in_use = window.mean_in_flight >= IN_USE * self.limit - 0.5;
        if self.probing.is_due(window.closed) {
            let pressed = in_use && self.steering.pressure > PRESSED;
            if pressed || self.is_crowded() {
                self.probing.begin(profile);
                return Reason::Probe;
            }
            self.probing.plan(window.closed);
        }
        let overloaded = window.overload_ratio();
        self.steering.failing = overloaded > FAILING;
        if overloaded > OVERLOADED {
            return self.back_off(overloaded);
        }
        let Some(profile) = profile.filter(|profile| profile.samples >= FEWEST) else {
            return Reason::Steady;
        };
        if let Some(max) = self.max_latency
            && window.mean_latency > max
        {
            let ratio = max.as_secs_f64() / profile.mean;
            self.limit = (self.limit * ratio.max(LOWEST_AIM)).max(self.min);
            return Reason::Queue;
        }
        let Some(baseline) = &mut self.baseline else {
            self.baseline = Some(profile);
            self.probing.plan_at_next_slot(window.closed);
            return Reason::Steady;
        };
        let (shift, error) = profile.shift(baseline);
        if shift < -(FALL_ERRORS * error).max(FALL * baseline.mean) {
            *baseline = profile.clone();
        }
        // Little's law: what adds `shift` to each of `throughput` operations per second.
        let throughput = window.mean_in_flight / profile.mean;
        let (queue, error) = (throughput * shift, throughput * error);
        self.steering.queue = queue;
        self.steering.long_queue += (queue - self.steering.long_queue) * part_of_long(window);
        let limited = window.limited > 0;
        self.decide(window.closed, &View { profile, pressure, limited, in_use, queue, error })
    }

    fn back_off(&mut self, overloaded: f64) -> Reason {
        // A few timeouts may be chance; where most end so, half of the limit is none too much.
        let part = if overloaded > FAILING { overloaded } else { overloaded.min(0.6) };
        self.limit = (self.limit * (1.0 - 0.5 * part)).max(self.min);
        self.steering.slow_start = false;
        Reason::Overload
    }

    fn decide(&mut self, now: Duration, view: &View) -> Reason {
        let crowded = self.is_crowded();
        let steering = &mut self.steering;
        let high = (HIGH * self.limit.sqrt()).max(2.0).max(1.5 * view.error);
        let unpressed = steering.long_pressure < PRESSED_FOR_LONG && !crowded;
        let binding = (view.in_use && !unpressed) || (crowded && self.probing.confirmed);
        if view.in_use && view.queue <= high {
            let fresh = steering.calm == 0.0;
            steering.calm += (view.profile.mean - steering.calm) * if fresh { 1.0 } else { 0.3 };
            steering.good = steering.good.max(self.limit);
            steering.jumped = false;
            self.probing.confirmed = false;
        }
        if view.queue <= high || (unpressed && view.queue < BURSTS * high) {
            if view.limited || (binding && view.queue > target(self.limit)) {
                return self.settle(view, binding);
            }
        } else if binding {
            return self.shrink(now, view);
        }
        if crowded {
            self.probing.request(now);
        }
        Reason::Unused
    }

    /// Whether operations have queued downstream for seconds, be the limit in use or not: it may
    /// serve all its callers at the cost of other limiters' callers.
    fn is_crowded(&self) -> bool {
        self.steering.long_queue > target(self.limit)
    }

    /// Moves a limit that holds somebody back while hardly anything queues.
    fn settle(&mut self, view: &View, binding: bool) -> Reason {
        let steering = &mut self.steering;
        let low = (LOW * self.limit.sqrt()).max(1.0);
        if steering.slow_start && view.queue < low.max(1.5 * view.error) {
            let pressed = binding || view.pressure > PRESSED;
            self.limit *= if pressed { SLOW_START } else { SLOW_START_UNPRESSED };
            return Reason::Growth;
        }
        steering.slow_start = false;
        if !binding {
            self.limit += low;
            return Reason::Growth;
        }
        steering.streak = if view.queue < low { steering.streak + 1.0 } else { 1.0 };
        let step = (GAIN * (target(self.limit) - view.queue)).min(low / 2.0) * steering.streak;
        self.limit += step.clamp(-MOST_DECAY * self.limit, MOST_GROWTH * self.limit);
        self.limit = self.limit.max(self.min);
        if step > 0.0 { Reason::Growth } else { Reason::Steady }
    }

    /// Takes away what queues, as far as the baseline can be trusted.
    fn shrink(&mut self, now: Duration, view: &View) -> Reason {
        let steering = &mut self.steering;
        steering.slow_start = false;
        let jumped = steering.calm > 0.0 && view.profile.mean > JUMP * steering.calm;
        if jumped && !steering.jumped {
            self.probing.doubt();
        }
        steering.jumped = jumped;
        self.probing.request(now);
        let aim = (self.limit - view.queue + target(self.limit)).max(LOWEST_AIM * self.limit);
        let mut next = self.limit + GAIN_ABOVE * (aim - self.limit);
        if !self.probing.confirmed {
            next = next.max(steering.good.min(self.limit));
        }
        self.limit = next.max(self.min);
        Reason::Queue
    }
}

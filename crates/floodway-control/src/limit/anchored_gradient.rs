//! A target for the queue, over a baseline that is measured at deliberately low load.

mod probing;
mod profile;
mod steering;

use std::time::Duration;

use crate::{Estimates, InvalidParameter, LimitAlgorithm, Reason, Window, WindowConfig};

use self::{
    probing::{Mode, Probing},
    profile::Profile,
    steering::Steering,
};

/// The limit that [`AnchoredGradient::default`] starts at. Half of what Netflix's start at: slow
/// start doubles it in less than a second, and replicas that join a busy backend come gently.
const INITIAL: u32 = 10;

/// Finds the limit at which a downstream is busy and hardly queues. The algorithm to begin with.
///
/// It knows how long operations take when nothing queues, because now and then, while the limit is
/// in use, it lowers the limit to between a quarter and a half for some tenths of a second and
/// measures all operations that start meanwhile: a *probe*. From how much later operations end
/// than that, and from Little's law, follows how many of them wait downstream, and the limit moves
/// to where that is about `0.7 √limit`, at least 2. Overloads shrink it by up to half per window.
///
/// What sets it apart from its siblings:
///
/// - A baseline that is learnt from loaded traffic follows a latency that stays bad, and the limit
///   with it. This one rises by a probe alone.
/// - Latency that rises without any fault of the limiter (a slower query, a longer way) is told
///   from a queue by a probe, a few seconds later. Until then the limit does not fall below where
///   it last was without a queue.
/// - It compares the distribution of latencies, decile by decile, and not means: one operation in
///   ten that takes thirty times as long does not look like a queue.
/// - Probes start at whole multiples of 2.5 seconds of wall-clock time, so replicas in front of one
///   backend lower their limits together, and none takes the others' queue for its baseline. Their
///   clocks have to agree to about half a second.
/// - It does not probe or shrink while the limit holds hardly anybody back.
///
/// Prefer [`Fixed`](crate::Fixed) where the capacity is known, [`Aimd`](crate::Aimd) where
/// overload shows in errors alone and never in latency.
///
/// Sources: [TCP Vegas](https://doi.org/10.1145/190314.190317) for the target queue,
/// [Envoy's adaptive concurrency filter][envoy] for measuring the baseline at a low limit, and
/// [Little's law](https://doi.org/10.1287/opre.9.3.383). All constants were chosen with the
/// simulations of `docs/reports/limits.md`, which compare it with the others.
///
/// [envoy]: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter
#[derive(Clone, Debug)]
pub struct AnchoredGradient {
    /// `None` if the default is as good as another.
    initial: Option<u32>,
    /// Fractions add up over the windows, see [`LimitAlgorithm::limit`] below.
    limit: f64,
    carry: f64,
    min: f64,
    max_latency: Option<Duration>,
    baseline: Option<Profile>,
    steering: Steering,
    probing: Probing,
}

impl AnchoredGradient {
    /// Starts at `initial` permits. A limit far too low costs a second or two of slow start, one
    /// far too high an overload of about as long.
    #[must_use]
    pub fn new(initial: u32) -> Self {
        Self { initial: Some(initial), ..Self::starting_at(initial) }
    }

    fn starting_at(limit: u32) -> Self {
        Self {
            initial: None,
            limit: f64::from(limit),
            carry: 0.0,
            min: 1.0,
            max_latency: None,
            baseline: None,
            steering: Steering::default(),
            probing: Probing::default(),
        }
    }

    /// Time between two probes while nothing calls for one earlier, 5 seconds to an hour; 30
    /// seconds by default. A probe costs about half of the throughput for a third of a second.
    #[must_use]
    pub fn with_probe_interval(mut self, interval: Duration) -> Self {
        self.probing.interval = interval;
        self
    }

    /// Moves the moments at which probes start by this much, less than 2.5 seconds; 0 by default.
    ///
    /// Leave it where limiters share a backend. Spread it over the instances of one service that
    /// limit themselves, so that they do not lower their limits all at once.
    #[must_use]
    pub fn with_probe_offset(mut self, offset: Duration) -> Self {
        self.probing.offset = offset;
        self
    }

    /// Shrinks whenever the mean latency is above this, whatever the baseline says; not set by
    /// default. For a downstream that may be slow for long before a probe can find it healthy.
    #[must_use]
    pub fn with_max_latency(mut self, latency: Duration) -> Self {
        self.max_latency = Some(latency);
        self
    }
}

impl Default for AnchoredGradient {
    /// Starts at 10 permits, or at the bound that is nearest to that.
    fn default() -> Self {
        Self::starting_at(INITIAL)
    }
}

impl LimitAlgorithm for AnchoredGradient {
    fn check(&self) -> Result<(), InvalidParameter> {
        let interval = self.probing.interval.as_secs_f64();
        InvalidParameter::check("probe_interval", interval, 5.0, 3_600.0)?;
        let offset = self.probing.offset.as_secs_f64();
        InvalidParameter::check("probe_offset", offset, 0.0, probing::SLOT)?;
        let latency = self.max_latency.map_or(f64::INFINITY, |latency| latency.as_secs_f64());
        InvalidParameter::check("max_latency", latency, f64::MIN_POSITIVE, f64::INFINITY)
    }

    /// Whole permits: of eight replicas that need two and a half each, all would have two if
    /// fractions were dropped. What one window leaves over is carried into the next instead.
    fn limit(&self) -> f64 {
        if self.probing.mode == Mode::Steering {
            (self.limit + self.carry).floor().max(self.min)
        } else {
            self.probing.limit(self.limit, self.steering.queue).max(self.min)
        }
    }

    fn initial_limit(&self) -> Option<f64> {
        self.initial.map(f64::from)
    }

    fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
        self.carry = 0.0;
    }

    fn clamp(&mut self, min: f64, max: f64) {
        self.min = min;
        self.limit = self.limit.clamp(min, max);
    }

    fn window(&self) -> Option<WindowConfig> {
        let baseline = self.baseline.as_ref().map_or(0.0, |baseline| baseline.mean);
        Some(match self.probing.mode {
            Mode::Steering => match self.probing.next {
                Some(next) => self.steering.window().with_end(next),
                None => self.steering.window(),
            },
            Mode::Draining => probing::drain(self.steering.latency, baseline),
            Mode::Measuring => probing::cohort(baseline),
        })
    }

    fn on_window(&mut self, window: &Window) -> Reason {
        let profile = Profile::of(window);
        match self.probing.mode {
            Mode::Steering => {
                let reason = self.steer(window, profile);
                self.carry = (self.carry + self.limit).fract();
                reason
            }
            Mode::Draining => {
                self.probing.mode = Mode::Measuring;
                Reason::Probe
            }
            Mode::Measuring => {
                self.end_probe(window.closed, profile);
                Reason::Restored
            }
        }
    }

    fn estimates(&self) -> Estimates {
        let baseline = self.baseline.as_ref();
        Estimates {
            baseline_latency: baseline.map(|profile| Duration::from_secs_f64(profile.mean)),
            queue: baseline.map(|_| self.steering.queue.max(0.0)),
            probing: self.probing.mode != Mode::Steering,
            probes: self.probing.results,
            ..Estimates::default()
        }
    }
}

//! From single samples to windows.

use std::time::Duration;

use super::{Window, WindowConfig, histogram::Histogram};
use crate::{Outcome, Sample};

/// Gathers samples and hands out a [`Window`] whenever one closes.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowCollector {
    open: Option<Open>,
    /// Empty while no window is open.
    latencies: Histogram,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    config: WindowConfig,
    since: Duration,
    phase: Phase,
    /// Samples of any outcome that `mean_in_flight` averages over.
    ends: u32,
    successes: u32,
    overloads: u32,
    limited: u32,
    latency_sum: f64,
    latency_squares: f64,
    min_latency: Duration,
    max_in_flight: u32,
    in_flight_sum: u64,
}

/// A cohort goes through both, any other window stays in the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Operations that start now belong to the window.
    Gathering,
    /// Those that started before `cut` do, and permits of that many are still out.
    Waiting { cut: Duration, outstanding: u32 },
}

impl WindowCollector {
    /// Adds a sample that ended at `now` and returns the window that it closes, if it does.
    /// `config` is asked for when this sample opens the window.
    pub(crate) fn record(
        &mut self,
        now: Duration,
        sample: &Sample,
        config: impl FnOnce() -> Option<WindowConfig>,
    ) -> Option<Window> {
        if self.open.is_none() {
            self.open = Some(Open::new(config()?, sample.started.min(now)));
        }
        let open = self.open.as_mut()?;
        open.add(now, sample, &mut self.latencies);
        if !open.closes(now, sample) {
            return None;
        }
        let window = open.window(now, &self.latencies);
        self.open = None;
        self.latencies.clear();
        Some(window)
    }

    /// Opens the next window at `now`; without this, it opens where its first sample started.
    pub(crate) fn open(&mut self, now: Duration, config: WindowConfig) {
        self.open = Some(Open::new(config, now));
    }
}

impl Open {
    const fn new(config: WindowConfig, since: Duration) -> Self {
        Self {
            config,
            since,
            phase: Phase::Gathering,
            ends: 0,
            successes: 0,
            overloads: 0,
            limited: 0,
            latency_sum: 0.0,
            latency_squares: 0.0,
            min_latency: Duration::MAX,
            max_in_flight: 0,
            in_flight_sum: 0,
        }
    }

    fn add(&mut self, now: Duration, sample: &Sample, latencies: &mut Histogram) {
        // What was let in says how the limit is used, whatever becomes of it.
        self.ends += 1;
        self.limited += u32::from(sample.limited);
        self.max_in_flight = self.max_in_flight.max(sample.in_flight);
        self.in_flight_sum += u64::from(sample.in_flight);
        if let Phase::Waiting { cut, outstanding } = &mut self.phase
            && sample.started <= *cut
        {
            *outstanding = outstanding.saturating_sub(sample.weight);
        }
        if !self.counts(sample) {
            return;
        }
        match sample.outcome {
            Outcome::Success => {
                let latency = now.saturating_sub(sample.started);
                let seconds = latency.as_secs_f64();
                latencies.record(latency);
                self.successes += 1;
                self.latency_sum += seconds;
                self.latency_squares += seconds * seconds;
                self.min_latency = self.min_latency.min(latency);
            }
            Outcome::Overload => self.overloads += 1,
            Outcome::Ignore => {}
        }
    }

    fn counts(&self, sample: &Sample) -> bool {
        let started_early = self.config.patience.is_some() && sample.started < self.since;
        let started_late = match self.phase {
            Phase::Gathering => false,
            Phase::Waiting { cut, .. } => sample.started > cut,
        };
        !started_early && !started_late
    }

    fn closes(&mut self, now: Duration, sample: &Sample) -> bool {
        if now >= self.config.end {
            return true;
        }
        match (self.phase, self.config.patience) {
            (Phase::Waiting { cut, outstanding }, Some(patience)) => {
                // With nothing else in flight nothing can be outstanding, should the count have
                // lost an end that raced with the cut.
                outstanding == 0
                    || sample.in_flight <= sample.weight
                    || now.saturating_sub(cut) >= patience
            }
            (Phase::Gathering, None) => self.is_full(now),
            (Phase::Gathering, Some(_)) if self.is_full(now) => {
                let outstanding = sample.in_flight.saturating_sub(sample.weight);
                self.phase = Phase::Waiting { cut: now, outstanding };
                outstanding == 0
            }
            _ => false,
        }
    }

    fn is_full(&self, now: Duration) -> bool {
        let samples = self.successes + self.overloads;
        let duration = now.saturating_sub(self.since);
        if samples == 0 || duration < self.config.min_duration {
            return false;
        }
        let enough = samples >= self.config.min_samples
            && (self.config.max_error == f64::INFINITY
                || self.error() * f64::from(self.successes)
                    <= self.config.max_error * self.latency_sum);
        enough || duration >= self.config.max_duration
    }

    /// Standard error of the mean latency, in seconds.
    fn error(&self) -> f64 {
        if self.successes < 2 {
            return 0.0;
        }
        let count = f64::from(self.successes);
        let variance =
            (self.latency_squares - self.latency_sum * self.latency_sum / count) / (count - 1.0);
        (variance.max(0.0) / count).sqrt()
    }

    fn window(&self, now: Duration, latencies: &Histogram) -> Window {
        let any = self.successes > 0;
        let mean = if any { self.latency_sum / f64::from(self.successes) } else { 0.0 };
        Window {
            opened: self.since,
            closed: now,
            successes: self.successes,
            overloads: self.overloads,
            limited: self.limited,
            mean_latency: seconds(mean),
            latency_error: seconds(self.error()),
            min_latency: if any { self.min_latency } else { Duration::ZERO },
            latency_deciles: latencies.deciles(self.successes),
            max_in_flight: self.max_in_flight,
            mean_in_flight: self.in_flight_sum as f64 / f64::from(self.ends.max(1)),
        }
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

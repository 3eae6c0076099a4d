//! What is seen while a phase runs: a bar on a terminal, else one line when it is over.

use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::{
    arm::Arm,
    latency,
    load::{Phase, Request},
};

/// The progress of one phase.
pub(crate) struct Progress {
    title: String,
    bar: ProgressBar,
    begin: Instant,
    duration: Duration,
    latencies: Histogram<u64>,
    /// 2xx responses within the phase.
    in_time: u64,
    outstanding: u64,
    arrivals_ended: bool,
    finished: bool,
}

impl Progress {
    /// Shown below the earlier ones of `bars`: a phase can wait for answers while the next runs.
    pub(crate) fn new(bars: &MultiProgress, arm: Arm, phase: &Phase) -> Self {
        let title = format!("{arm:<9} {:<8} {:>5.0}/s", phase.name, phase.rate);
        let milliseconds = u64::try_from(phase.duration.as_millis()).unwrap_or(u64::MAX);
        // Draws nothing where stderr is not a terminal.
        let bar = bars.add(ProgressBar::new(milliseconds).with_prefix(title.clone()));
        let style =
            ProgressStyle::with_template("{prefix} {bar:30} {msg}").expect("the template is valid");
        bar.set_style(style);
        Self {
            title,
            bar,
            begin: Instant::now(),
            duration: phase.duration,
            latencies: latency::histogram(),
            in_time: 0,
            outstanding: 0,
            arrivals_ended: false,
            finished: false,
        }
    }

    pub(crate) fn sent(&mut self) {
        self.outstanding += 1;
    }

    /// Takes note of an answer to a request of this phase, in which requests arrive for `lasted`.
    pub(crate) fn answered(&mut self, request: &Request, lasted: Duration) {
        self.outstanding -= 1;
        if let Some(latency) = request.success_latency() {
            latency::record(&mut self.latencies, latency);
            let in_time = request.answered.as_ref().is_some_and(|answered| answered.at <= lasted);
            self.in_time += u64::from(in_time);
        }
        self.finish_if_over();
    }

    /// No more requests of this phase will be sent.
    pub(crate) fn end_of_arrivals(&mut self) {
        self.arrivals_ended = true;
        self.finish_if_over();
    }

    pub(crate) fn draw(&self, now: Instant) {
        if self.finished {
            return;
        }
        let elapsed = now.duration_since(self.begin).min(self.duration);
        let position = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.bar.set_position(position);
        self.bar.set_message(self.message(elapsed));
    }

    /// Shows the last state, whatever is outstanding.
    pub(crate) fn finish(&mut self) {
        if self.finished {
            return;
        }
        self.finished = true;
        let elapsed = self.begin.elapsed().min(self.duration);
        let message = self.message(elapsed);
        if self.bar.is_hidden() {
            eprintln!("{}  {message}", self.title);
        } else {
            self.bar.abandon_with_message(message);
        }
    }

    fn finish_if_over(&mut self) {
        if self.arrivals_ended && self.outstanding == 0 {
            self.finish();
        }
    }

    fn message(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let goodput = self.in_time as f64 / seconds;
        let p99 = latency::quantile(&self.latencies, 0.99);
        format!("goodput {goodput:>4.0}/s, p99 {:>7}", latency::shown(p99))
    }
}

//! The figures of a run, beside those of the best fixed limit.

use floodway_sim::{Asks, Scenario, Trace};

/// How an algorithm did in one scenario, seed by seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Goodput as a part of the best fixed limit's.
    pub(crate) goodput: Vec<f64>,
    /// Latency below which 99 % stayed, as a multiple of the best fixed limit's.
    pub(crate) p99: Vec<f64>,
    /// Share of the arrivals that were rejected.
    pub(crate) rejected: Vec<f64>,
    /// The scenario's own question.
    pub(crate) answer: Vec<f64>,
}

impl Figures {
    pub(crate) fn add(&mut self, scenario: &Scenario, trace: &Trace, best: &Trace) {
        self.goodput.push(ratio(trace.good() as f64, best.good() as f64));
        self.p99.push(ratio(trace.p99(), best.p99()));
        self.rejected.push(trace.rejected as f64 / trace.offered as f64);
        self.answer.extend(answer(scenario, trace, best));
    }
}

fn answer(scenario: &Scenario, trace: &Trace, best: &Trace) -> Option<f64> {
    Some(match scenario.asks {
        Asks::Nothing => return None,
        Asks::Recovery { end } => {
            let after = |trace: &Trace| trace.good_between(end + 10, end + 15) as f64;
            ratio(after(trace), after(best))
        }
        Asks::Drift => {
            let end = trace.seconds.len();
            (trace.limit_between(end - 60, end) / trace.limit_between(60, 120) - 1.0).abs()
        }
        Asks::Fairness => trace.fairness(),
        Asks::Floor { from } => {
            let seconds = trace.seconds[from..].iter();
            seconds.take_while(|second| second.limit() >= 1.5).count() as f64
        }
        Asks::Rejections => trace.rejected as f64 / trace.offered as f64,
    })
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

pub(crate) fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

pub(crate) fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn ratio(value: f64, of: f64) -> f64 {
    if of > 0.0 { value / of } else { 0.0 }
}

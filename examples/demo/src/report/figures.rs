//! The figures of one phase.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    latency,
    load::{Answer, Measured, Request},
};

/// Figures of one phase. Rates are per second, durations in seconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    /// Arrivals.
    pub(crate) offered_rps: f64,
    /// 2xx responses that were complete within the phase, whenever their requests arrived. What
    /// an overload leaves to be done later does not count as done in it.
    pub(crate) goodput_rps: f64,
    /// Latency of 2xx responses to requests that arrived in the phase, whenever they came.
    pub(crate) p50_s: Option<f64>,
    pub(crate) p99_s: Option<f64>,
    /// Latency of rejections.
    pub(crate) rejected_p99_s: Option<f64>,
    pub(crate) pool_timeouts: u64,
    /// Everything that is neither a success nor a rejection nor a pool timeout.
    pub(crate) failed: u64,
    /// Rejections by Floodway's reason.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Only of the recovery: seconds from the end of the overload; `None` if it did not recover.
    pub(crate) recovered_after_s: Option<f64>,
}

impl Figures {
    /// Of phase `index` of those that followed each other in `all`.
    pub(super) fn new(all: &[Measured], index: usize) -> Self {
        let measured = &all[index];
        let lasted = measured.lasted;
        let seconds = lasted.as_secs_f64();
        let mut successes = latency::histogram();
        let mut rejections = latency::histogram();
        let mut figures = Self {
            offered_rps: measured.requests.len() as f64 / seconds,
            goodput_rps: successes_within(all, index) as f64 / seconds,
            p50_s: None,
            p99_s: None,
            rejected_p99_s: None,
            pool_timeouts: 0,
            failed: 0,
            rejected: BTreeMap::new(),
            recovered_after_s: None,
        };
        for request in &measured.requests {
            let Some(answered) = &request.answered else {
                // The run was interrupted: nobody knows what would have become of it.
                continue;
            };
            let latency = answered.at.saturating_sub(request.due);
            match &answered.answer {
                Answer::Success => latency::record(&mut successes, latency),
                Answer::Rejected { reason } => {
                    latency::record(&mut rejections, latency);
                    *figures.rejected.entry(reason.clone()).or_default() += 1;
                }
                Answer::PoolTimeout => figures.pool_timeouts += 1,
                Answer::Failed => figures.failed += 1,
            }
        }
        figures.p50_s = latency::quantile(&successes, 0.5);
        figures.p99_s = latency::quantile(&successes, 0.99);
        figures.rejected_p99_s = latency::quantile(&rejections, 0.99);
        figures
    }
}

/// 2xx responses that were complete within phase `index`, to requests of that phase and of those
/// before.
fn successes_within(all: &[Measured], index: usize) -> usize {
    let begin = |index: usize| all[..index].iter().map(|one| one.phase.duration).sum::<Duration>();
    let within = begin(index)..begin(index) + all[index].lasted;
    let successes = |(phase, measured): (usize, &Measured)| {
        let complete = measured.requests.iter().filter_map(Request::success_at);
        complete.filter(|at| within.contains(&(begin(phase) + *at))).count()
    };
    all[..=index].iter().enumerate().map(successes).sum()
}

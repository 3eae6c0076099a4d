//! The figures of one phase.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    latency,
    load::{Answer, Measured},
};

/// Figures of the requests that arrived in one phase. Rates are per second, durations in seconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    /// Arrivals.
    pub(crate) offered_rps: f64,
    /// 2xx responses within the phase. Later ones do not count: whoever waits that long for the
    /// end of an overload has not been served during it.
    pub(crate) goodput_rps: f64,
    /// Latency of 2xx responses, whenever they came.
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
    pub(super) fn new(measured: &Measured) -> Self {
        let lasted = measured.lasted;
        let seconds = lasted.as_secs_f64();
        let mut successes = latency::histogram();
        let mut rejections = latency::histogram();
        let mut in_time = 0_u64;
        let mut figures = Self {
            offered_rps: measured.requests.len() as f64 / seconds,
            goodput_rps: 0.0,
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
                Answer::Success => {
                    latency::record(&mut successes, latency);
                    in_time += u64::from(answered.at <= lasted);
                }
                Answer::Rejected { reason } => {
                    latency::record(&mut rejections, latency);
                    *figures.rejected.entry(reason.clone()).or_default() += 1;
                }
                Answer::PoolTimeout => figures.pool_timeouts += 1,
                Answer::Failed => figures.failed += 1,
            }
        }
        figures.goodput_rps = in_time as f64 / seconds;
        figures.p50_s = latency::quantile(&successes, 0.5);
        figures.p99_s = latency::quantile(&successes, 0.99);
        figures.rejected_p99_s = latency::quantile(&rejections, 0.99);
        figures
    }
}

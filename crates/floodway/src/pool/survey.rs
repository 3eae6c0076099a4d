//! Whether a pool has the right size, as measured.

use std::{fmt, sync::Arc, time::Duration};

use floodway_control::{HoldBand, POOL_BANDS, PoolEvidence, PoolReport};
use floodway_metrics::HistogramValue;

use super::{Pool, cause::FOR_WANT_OF_ONE, gate::Gate};

/// Measures how a pool is used, from when it was begun. Made by
/// [`PoolLimiter::survey`](crate::PoolLimiter::survey); any number may run at once, and none costs
/// anything while it does, but that it keeps the limiter.
#[must_use = "a survey says something once it is asked for its report"]
pub struct PoolSurvey<P> {
    gate: Arc<Gate<P>>,
    begun: Reading,
}

/// The numbers of a limiter at one moment, all of which only grow.
struct Reading {
    at: Duration,
    refused: u64,
    bands: [HoldBand; POOL_BANDS],
    hold: HistogramValue,
    /// In the queue, of those who had to wait there; connecting is not waiting for somebody else.
    wait: Option<HistogramValue>,
}

impl Reading {
    fn now<P>(gate: &Gate<P>) -> Self {
        let cells = &gate.cells;
        let rejections = cells.rejections.values();
        Self {
            at: gate.clock.elapsed(),
            refused: FOR_WANT_OF_ONE.map(|cause| rejections[cause]).iter().sum(),
            bands: cells.bands(),
            hold: cells.usage.value(),
            wait: gate.limiter.queued_waits(),
        }
    }
}

impl<P: Pool> PoolSurvey<P> {
    pub(super) fn begin(gate: Arc<Gate<P>>) -> Self {
        let begun = Reading::now(&gate);
        Self { gate, begun }
    }

    /// Judges what was seen since the survey began. Durations at the 99th percentile are as fine as
    /// the buckets of the histograms that they are read from.
    #[must_use]
    pub fn report(&self) -> PoolReport {
        let (gate, begun, now) = (&self.gate, &self.begun, Reading::now(&*self.gate));
        let hold = now.hold.since(&begun.hold);
        let holds = hold.count();
        let waited = now.wait.zip(begun.wait.as_ref()).map(|(now, begun)| now.since(begun));
        let wait = |share: f64| {
            let Some(waited) = &waited else {
                return Duration::ZERO;
            };
            // The others did not wait.
            let rank = 1.0 - (1.0 - share) * holds as f64 / waited.count().max(1) as f64;
            if rank > 0.0 { quantile(waited, rank) } else { Duration::ZERO }
        };
        PoolReport::new(PoolEvidence {
            max: gate.pool.snapshot().max,
            usable: gate.most,
            foreign: gate.foreign(),
            elapsed: now.at.saturating_sub(begun.at),
            holds,
            refused: now.refused.saturating_sub(begun.refused),
            hold_mean: Duration::from_secs_f64(hold.sum.max(0.0) / holds.max(1) as f64),
            hold_p99: quantile(&hold, 0.99),
            wait_p50: wait(0.5),
            wait_p99: wait(0.99),
            bands: std::array::from_fn(|band| since(&begun.bands[band], &now.bands[band])),
        })
    }
}

fn quantile(histogram: &HistogramValue, share: f64) -> Duration {
    Duration::from_secs_f64(histogram.quantile(share).unwrap_or(0.0))
}

fn since(begun: &HoldBand, now: &HoldBand) -> HoldBand {
    HoldBand {
        holds: now.holds.saturating_sub(begun.holds),
        in_use_sum: now.in_use_sum.saturating_sub(begun.in_use_sum),
        held: now.held.saturating_sub(begun.held),
    }
}

impl<P: Pool> fmt::Debug for PoolSurvey<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSurvey")
            .field("limiter", &self.gate.limiter.name())
            .finish_non_exhaustive()
    }
}

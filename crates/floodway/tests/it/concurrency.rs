//! The mean concurrency that two scrapes tell, beside one that is looked at every millisecond.

use std::sync::Arc;

use floodway::{Limiter, Outcome};
use floodway_metrics::catalogue::limiter as metrics;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use crate::support::{Bench, ms};

/// Seconds between two scrapes, as Prometheus has it by default.
const SCRAPE: u64 = 15;
const SCRAPES: u64 = 8;

async fn hold(limiter: Limiter, millis: u64) {
    if let Ok(permit) = limiter.acquire().await {
        sleep(ms(millis)).await;
        permit.complete(Outcome::Success);
    }
}

/// Bursts of operations that take from a millisecond to longer than a scrape, so that a gauge that is
/// read at each scrape says little, and so do the durations of those that ended.
#[tokio::test(start_paused = true)]
async fn the_integral_tells_the_mean_within_a_hundredth() {
    let bench = Arc::new(Bench::new(|builder| builder.limit(40)));
    let mut random = StdRng::seed_from_u64(3);
    let (mut before, mut worst_gauge) = (0.0, 0.0_f64);
    for scrape in 0..SCRAPES {
        let mut held = 0_u64;
        for millisecond in 0..SCRAPE * 1_000 {
            if random.random_bool(if millisecond % 4_000 < 500 { 0.4 } else { 0.02 }) {
                let millis = match random.random_range(0..100) {
                    0 => random.random_range(1_000..20_000),
                    _ => random.random_range(1..60),
                };
                tokio::spawn(hold(bench.limiter.clone(), millis));
            }
            sleep(ms(1)).await;
            held += u64::from(bench.limiter.in_flight());
        }
        let sampled = held as f64 / (SCRAPE as f64 * 1_000.0);
        let integral = bench.number(&metrics::PERMIT_SECONDS, &[]);
        let told = (integral - before) / SCRAPE as f64;
        before = integral;
        assert!((told / sampled - 1.0).abs() < 0.01, "scrape {scrape}: {told} for {sampled}");
        let gauge = bench.number(&metrics::IN_FLIGHT, &[]);
        worst_gauge = worst_gauge.max((gauge / sampled - 1.0).abs());
    }
    assert!(worst_gauge > 0.1, "a gauge would have done: {worst_gauge}");
}

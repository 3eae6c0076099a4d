//! Callers who go through the real layer, when and with what work the scenario says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway::{LimiterBuilder, Rejected};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_sim::{Arrivals, Scenario, Stretch, TICK, Trace};
use floodway_tower::{BoxError, LimiterLayer};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{Layer, ServiceExt};

use super::backend::Backend;
use crate::support::Bench;

/// A run, and the limiters it went through.
pub(super) struct Played {
    pub(super) trace: Trace,
    pub(super) benches: Vec<Bench>,
}

/// One in so many callers is impatient, if any is.
const IMPATIENT: u64 = 10;

/// Plays `scenario` with a limiter per replica; impatient callers hang up after `patience`.
pub(super) async fn play(
    scenario: &Scenario,
    seed: u64,
    patience: Option<Duration>,
    describe: impl Fn(LimiterBuilder) -> LimiterBuilder,
) -> Played {
    let benches: Vec<_> = (0..scenario.replicas()).map(|_| Bench::new(&describe)).collect();
    let backend = Backend::new(scenario);
    let services: Vec<_> = benches
        .iter()
        .map(|bench| LimiterLayer::new(bench.limiter.clone()).layer(backend.clone()))
        .collect();
    let deadline = (scenario.deadline * 1e9) as u64;
    let trace = Trace::new(scenario.length(), deadline, benches.len());
    let trace = Arc::new(Mutex::new(trace));
    let begin = Instant::now();
    let at = |nanos| begin + Duration::from_nanos(nanos);

    let mut arrivals = Arrivals::new(seed);
    let (mut now, mut tick) = (0, 0);
    for Stretch { phase, end, .. } in scenario.stretches() {
        backend.enter(&phase);
        loop {
            let next = now + arrivals.gap(scenario, &phase);
            while tick < next.min(end) {
                sleep_until(at(tick)).await;
                let limits: u32 =
                    benches[..phase.replicas].iter().map(|bench| bench.limiter.limit()).sum();
                let mut trace = trace.lock().unwrap();
                let second = trace.second(tick);
                second.limits += f64::from(limits);
                second.ticks += 1;
                tick += TICK;
            }
            if next >= end {
                break;
            }
            now = next;
            sleep_until(at(now)).await;
            let arrival = arrivals.draw(scenario, &phase);
            let service = services[arrival.replica].clone();
            let offered = {
                let mut trace = trace.lock().unwrap();
                trace.offered += 1;
                trace.offered
            };
            let patience = patience.filter(|_| offered.is_multiple_of(IMPATIENT));
            let trace = Arc::clone(&trace);
            tokio::spawn(async move {
                let asked = Instant::now();
                let call = service.oneshot(arrival.work);
                let result = match patience {
                    Some(patience) => match timeout(patience, call).await {
                        Ok(result) => result,
                        Err(_) => return,
                    },
                    None => call.await,
                };
                let ended = (Instant::now() - begin).as_nanos() as u64;
                let latency = asked.elapsed().as_nanos() as u64;
                note(&mut trace.lock().unwrap(), ended, latency, &result);
            });
        }
        now = end;
        sleep_until(at(end)).await;
    }
    let played = trace.lock().unwrap().clone();
    // Until everybody who waits or works is gone.
    sleep(Duration::from_secs(5)).await;
    let played = Played { trace: played, benches };
    played.check_books();
    played
}

fn note(trace: &mut Trace, ended: u64, latency: u64, result: &Result<(), BoxError>) {
    match result {
        Err(error) if error.is::<Rejected>() => {
            trace.rejected += 1;
            trace.second(ended).rejected += 1;
        }
        result => trace.ended(ended, latency, result.is_ok()),
    }
}

impl Played {
    fn check_books(&self) {
        let sum = |metric, labels: &[&str]| -> f64 {
            self.benches.iter().map(|bench| bench.number(metric, labels)).sum()
        };
        let acquired = sum(&metrics::ACQUIRED, &[]);
        let rejected = sum(&metrics::REJECTED, &[]);
        let cancelled = sum(&metrics::CANCELLED, &[]);
        for bench in &self.benches {
            bench.check(0, 0);
        }
        assert_eq!(acquired, sum(&metrics::COMPLETED, &[]), "acquired and completed");
        assert_eq!(self.trace.offered as f64, acquired + rejected + cancelled, "arrivals");
    }
}

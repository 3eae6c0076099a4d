//! A permit that is measured, beside one that nobody measures and one that macros measure.

use std::{hint::black_box, sync::Arc, time::Instant};

use floodway::{Instrumentation, Limiter, Outcome};
use floodway_metrics::{Buckets, Registry};
use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    task::unconstrained,
};

use crate::{
    measure::{Contender, Effort, Race, race},
    report::Report,
};

/// More than are ever out.
const PERMITS: u32 = 64;

const BARE: usize = 0;
const COUNTS: usize = 1;
const FULL: usize = 2;
const MACROS: usize = 3;
const BORROWED: usize = 4;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let alone = alone(&runtime, effort)?;
    // The bare permit is an owned one of tokio's semaphore: as ours it may go anywhere, and nobody
    // measures it.
    report.lower("obs.bare_permit.tokio_semaphore_ns", alone.ns(BARE), "ns", None);
    report.lower("obs.counts_over_borrowed_ns", alone.difference(COUNTS, BORROWED), "ns", None);
    report.lower("obs.counts_ns", alone.difference(COUNTS, BARE), "ns", Some(10.0));
    report.lower("obs.permit_ns", alone.difference(FULL, BARE), "ns", Some(60.0));
    report.lower("obs.metrics_macros_ns", alone.difference(MACROS, BARE), "ns", None);
    let ratio = alone.difference(FULL, BARE) / alone.difference(MACROS, BARE);
    report.lower("obs.vs_metrics_macros", ratio, "ratio", Some(0.4));

    let two = two_threads(effort)?;
    let (own, shared) = (two.difference(1, 0), two.difference(3, 2));
    report.lower("obs.full_over_counts.own_limiter_ns", own, "ns", None);
    report.lower("obs.full_over_counts.shared_limiter_ns", shared, "ns", None);
    report.lower("obs.contended.vs_uncontended", shared / own, "ratio", Some(2.0));
    report.lower(
        "obs.allocs_per_permit",
        allocations(&limiter(Instrumentation::Full)?),
        "allocs",
        Some(0.0),
    );
    Ok(())
}

fn limiter(instrumentation: Instrumentation) -> anyhow::Result<Limiter> {
    let builder = Limiter::builder("permits").limit(PERMITS).instrumentation(instrumentation);
    Ok(builder.registry(&Registry::new()).build()?)
}

/// `acquire().await` and drop in four ways, on one thread, outside of tokio's cooperative budget.
fn alone(runtime: &Runtime, effort: Effort) -> anyhow::Result<Race> {
    let semaphore = Arc::new(Semaphore::new(PERMITS as usize));
    let (counts, full) = (limiter(Instrumentation::Counts)?, limiter(Instrumentation::Full)?);
    let bounds: Vec<f64> = Buckets::DURATIONS.upper_bounds().collect();
    let recorder = PrometheusBuilder::new().set_buckets(&bounds)?.build_recorder();
    let handle = recorder.handle();
    let ours = |limiter: Limiter| {
        move |iterations: u32| {
            runtime.block_on(unconstrained(async {
                for _ in 0..iterations {
                    drop(black_box(limiter.acquire().await));
                }
            }));
        }
    };
    let bare = |iterations: u32| {
        runtime.block_on(unconstrained(async {
            for _ in 0..iterations {
                drop(black_box(Arc::clone(&semaphore).acquire_owned().await));
            }
        }));
    };
    let borrowed = |iterations: u32| {
        runtime.block_on(unconstrained(async {
            for _ in 0..iterations {
                drop(black_box(semaphore.acquire().await));
            }
        }));
    };
    let macros = |iterations: u32| {
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(unconstrained(async {
                for _ in 0..iterations {
                    measured_by_macros(&semaphore).await;
                }
            }));
        });
        // Samples pile up until they are sorted into buckets, which a service does in the background.
        handle.run_upkeep();
    };
    Ok(race(
        effort,
        vec![
            Box::new(bare),
            Box::new(ours(counts)),
            Box::new(ours(full)),
            Box::new(macros),
            Box::new(borrowed),
        ],
    ))
}

/// The numbers that a limiter keeps of a permit, as a service would keep them with the `metrics`
/// facade: who came and how, how many are in, how long they waited and stayed, how it ended. There is
/// no way to have the integrals.
async fn measured_by_macros(semaphore: &Arc<Semaphore>) {
    #[expect(clippy::disallowed_methods, reason = "what users of the macros do")]
    let asked = Instant::now();
    let permit = Arc::clone(semaphore).acquire_owned().await;
    metrics::histogram!("wait_duration_seconds", "limiter" => "permits").record(asked.elapsed());
    metrics::counter!("acquired_total", "limiter" => "permits", "path" => "immediate").increment(1);
    metrics::gauge!("in_flight", "limiter" => "permits").increment(1.0);
    #[expect(clippy::disallowed_methods, reason = "what users of the macros do")]
    let began = Instant::now();
    drop(black_box(permit));
    metrics::histogram!("hold_duration_seconds", "limiter" => "permits").record(began.elapsed());
    metrics::gauge!("in_flight", "limiter" => "permits").decrement(1.0);
    metrics::counter!("completed_total", "limiter" => "permits", "outcome" => "ignore")
        .increment(1);
}

/// Counts and everything on two threads, first with a limiter for each, then with one for both: so two
/// threads that share the units of one core are slow in either case, and what differs is the sharing.
///
/// Each thread does a little with its permit and a little between two, as services do. Permits that come
/// back at once fight for one cache line, and reading a clock in between decides that fight.
fn two_threads(effort: Effort) -> anyhow::Result<Race> {
    let on_both = |limiters: [Limiter; 2]| {
        move |iterations: u32| {
            std::thread::scope(|scope| {
                for limiter in &limiters {
                    scope.spawn(move || {
                        for _ in 0..iterations {
                            let permit = limiter.try_acquire();
                            work();
                            drop(black_box(permit));
                            work();
                        }
                    });
                }
            });
        }
    };
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for instrumentation in [Instrumentation::Counts, Instrumentation::Full] {
        let own = [limiter(instrumentation)?, limiter(instrumentation)?];
        contenders.push(Box::new(on_both(own)));
    }
    for instrumentation in [Instrumentation::Counts, Instrumentation::Full] {
        let shared = limiter(instrumentation)?;
        contenders.push(Box::new(on_both([shared.clone(), shared])));
    }
    Ok(race(effort, contenders))
}

/// About 100 ns.
fn work() {
    for number in 0..100_u32 {
        black_box(number);
    }
}

fn allocations(limiter: &Limiter) -> f64 {
    const ACQUIRES: u32 = 1_000;
    let acquire = || {
        if let Some(Ok(permit)) = limiter.acquire().now_or_never() {
            permit.complete(Outcome::Success);
        }
    };
    acquire();
    let measured = allocation_counter::measure(|| (0..ACQUIRES).for_each(|_| acquire()));
    measured.count_total as f64 / f64::from(ACQUIRES)
}

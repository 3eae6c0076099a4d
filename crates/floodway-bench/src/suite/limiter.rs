//! The limiter beside tokio's semaphore and tower's concurrency limit.

use std::{convert::Infallible, hint::black_box, sync::Arc};

use floodway::{Instrumentation, Limiter, Outcome};
use floodway_metrics::Registry;
use floodway_tower::LimiterLayer;
use futures::FutureExt;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    task::{JoinSet, unconstrained, yield_now},
};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};

use crate::{
    measure::{Compared, Effort, compare},
    report::Report,
};

/// Permits on both sides: more than are ever out, so that nobody waits.
const PERMITS: u32 = 64;

/// Tasks that contend for permits.
const CONTENDERS: u32 = 16;

pub(crate) fn run(effort: Effort) -> anyhow::Result<Report> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let mut report = Report::new("limiter");
    let counts = limiter("counts", Instrumentation::Counts)?;
    let full = limiter("full", Instrumentation::Full)?;

    let compared = acquire_release(&runtime, effort, &counts);
    report.lower("limiter.acquire_release.counts.ns", compared.ours_ns, "ns", None);
    report.lower("limiter.acquire_release.tokio_semaphore.ns", compared.peer_ns, "ns", None);
    let id = "limiter.acquire_release.counts.vs_tokio_semaphore";
    report.lower(id, compared.ratio, "ratio", Some(1.0));

    let compared = acquire_release(&runtime, effort, &full);
    report.lower("limiter.acquire_release.instrumented.ns", compared.ours_ns, "ns", None);
    let id = "limiter.acquire_release.instrumented.vs_tokio_semaphore";
    report.lower(id, compared.ratio, "ratio", Some(1.6));

    let compared = layer_call(&runtime, effort, &counts);
    report.lower("limiter.layer_call.counts.ns", compared.ours_ns, "ns", None);
    let id = "limiter.layer_call.counts.vs_tower_concurrency_limit";
    report.lower(id, compared.ratio, "ratio", Some(1.2));

    let compared = layer_call(&runtime, effort, &full);
    report.lower("limiter.layer_call.instrumented.ns", compared.ours_ns, "ns", None);
    report.lower("limiter.layer_call.tower_concurrency_limit.ns", compared.peer_ns, "ns", None);
    let id = "limiter.layer_call.instrumented.vs_tower_concurrency_limit";
    report.lower(id, compared.ratio, "ratio", Some(2.5));

    let compared = contended(effort, CONTENDERS * 2)?;
    report.lower("limiter.contended.free.vs_tokio_semaphore", compared.ratio, "ratio", Some(1.0));
    let compared = contended(effort, CONTENDERS / 4)?;
    report.lower("limiter.contended.queued.ns", compared.ours_ns, "ns", None);
    let id = "limiter.contended.queued.vs_tokio_semaphore";
    report.lower(id, compared.ratio, "ratio", Some(1.2));

    let compared = reject(effort, &full);
    report.lower("limiter.reject.ns", compared.ours_ns, "ns", Some(1_000.0));
    report.lower("limiter.reject.vs_try_acquire", compared.ratio, "ratio", Some(2.0));
    let allocations = allocations(&full);
    report.lower("limiter.allocs_per_acquire", allocations, "allocs", Some(0.0));
    let allocations = allocations_queued(&runtime, &full);
    report.lower("limiter.allocs_per_queued_acquire", allocations, "allocs", Some(1.0));
    Ok(report)
}

fn limiter(name: &str, instrumentation: Instrumentation) -> anyhow::Result<Limiter> {
    let builder = Limiter::builder(name).limit(PERMITS).instrumentation(instrumentation);
    Ok(builder.registry(&Registry::new()).build()?)
}

/// `acquire().await` and drop. Outside tokio's cooperative budget, of which only its own
/// semaphore would consume: the comparison is of the two primitives.
fn acquire_release(runtime: &Runtime, effort: Effort, limiter: &Limiter) -> Compared {
    let semaphore = Semaphore::new(PERMITS as usize);
    compare(
        effort,
        |iterations| {
            runtime.block_on(unconstrained(async {
                for _ in 0..iterations {
                    drop(black_box(limiter.acquire().await));
                }
            }));
        },
        |iterations| {
            runtime.block_on(unconstrained(async {
                for _ in 0..iterations {
                    drop(black_box(semaphore.acquire().await));
                }
            }));
        },
    )
}

/// [`CONTENDERS`] tasks on two threads acquire, yield and release under a limit of `permits`.
fn contended(effort: Effort, permits: u32) -> anyhow::Result<Compared> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let builder = Limiter::builder("contended").limit(permits);
    let builder = builder.instrumentation(Instrumentation::Counts);
    let limiter = builder.registry(&Registry::new()).build()?;
    let semaphore = Arc::new(Semaphore::new(permits as usize));
    Ok(compare(
        effort,
        |iterations| {
            let tasks = (0..CONTENDERS).map(|_| {
                let limiter = limiter.clone();
                async move {
                    for _ in 0..iterations / CONTENDERS {
                        let permit = limiter.acquire().await;
                        yield_now().await;
                        drop(black_box(permit));
                    }
                }
            });
            all(&runtime, tasks);
        },
        |iterations| {
            let tasks = (0..CONTENDERS).map(|_| {
                let semaphore = Arc::clone(&semaphore);
                async move {
                    for _ in 0..iterations / CONTENDERS {
                        let permit = semaphore.acquire().await;
                        yield_now().await;
                        drop(black_box(permit));
                    }
                }
            });
            all(&runtime, tasks);
        },
    ))
}

fn all<F: Future<Output = ()> + Send + 'static>(runtime: &Runtime, tasks: impl Iterator<Item = F>) {
    runtime.block_on(async {
        let mut running = JoinSet::new();
        tasks.for_each(|task| drop(running.spawn(task)));
        while running.join_next().await.is_some() {}
    });
}

/// `ready().await`, `call().await` on a service that answers at once.
fn layer_call(runtime: &Runtime, effort: Effort, limiter: &Limiter) -> Compared {
    let echo = service_fn(|request: u64| async move { Ok::<_, Infallible>(request) });
    let mut ours = LimiterLayer::new(limiter.clone()).layer(echo);
    let mut peer = ConcurrencyLimitLayer::new(PERMITS as usize).layer(echo);
    compare(
        effort,
        |iterations| runtime.block_on(unconstrained(calls(&mut ours, iterations))),
        |iterations| runtime.block_on(unconstrained(calls(&mut peer, iterations))),
    )
}

async fn calls<S: Service<u64, Response = u64>>(service: &mut S, iterations: u32) {
    for request in 0..iterations {
        let Ok(ready) = service.ready().await else {
            return;
        };
        let response = ready.call(u64::from(request)).await;
        black_box(response.is_ok());
    }
}

/// A refusal on both sides.
fn reject(effort: Effort, limiter: &Limiter) -> Compared {
    let semaphore = Semaphore::new(0);
    let all: Vec<_> = (0..PERMITS).map(|_| limiter.try_acquire()).collect();
    let compared = compare(
        effort,
        |iterations| {
            for _ in 0..iterations {
                let _ = black_box(limiter.try_acquire());
            }
        },
        |iterations| {
            for _ in 0..iterations {
                let _ = black_box(semaphore.try_acquire());
            }
        },
    );
    drop(all);
    compared
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

/// Of a caller that waits and is granted the permit, in a queue that others wait in too.
fn allocations_queued(runtime: &Runtime, limiter: &Limiter) -> f64 {
    const ACQUIRES: u32 = 1_000;
    runtime.block_on(async {
        let mut held: Vec<_> = (0..PERMITS).filter_map(|_| limiter.try_acquire().ok()).collect();
        let mut next = limiter.acquire();
        let _ = (&mut next).now_or_never();
        let mut grant = || {
            let mut after = limiter.acquire();
            let _ = (&mut after).now_or_never();
            held.pop();
            held.extend((&mut next).now_or_never().and_then(Result::ok));
            next = after;
        };
        (0..ACQUIRES).for_each(|_| grant());
        let measured = allocation_counter::measure(|| (0..ACQUIRES).for_each(|_| grant()));
        measured.count_total as f64 / f64::from(ACQUIRES)
    })
}

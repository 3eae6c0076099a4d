//! A permit of a leased limit beside one of a limit of the process's own.

use std::{hint::black_box, time::Duration};

use floodway::{Ceiling, Instrumentation, Limiter};
use floodway_fleet::{Fleet, MemoryStore};
use floodway_metrics::Registry;
use tokio::{
    runtime::{Builder, Runtime},
    task::unconstrained,
    time::Instant,
};

use crate::{
    measure::{Effort, compare},
    report::Report,
};

/// More than are ever out.
const PERMITS: u32 = 64;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    // Renewals run beside, as in a service: on a thread of their own.
    let keeping = Builder::new_multi_thread().worker_threads(1).enable_time().build()?;
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let fleet = Fleet::builder(MemoryStore::new()).registry(&Registry::new()).build()?;
    for (instrumentation, id) in [
        (Instrumentation::Full, "fleet.acquire.vs_local_limiter"),
        (Instrumentation::Counts, "fleet.acquire.vs_local_limiter.counts"),
    ] {
        let name = format!("{instrumentation:?}");
        let budget = fleet.budget(name, PERMITS).margin(0).build()?;
        let limiter = |ceiling: Ceiling| {
            let builder = Limiter::builder("permits").instrumentation(instrumentation);
            builder.ceiling(ceiling).registry(&Registry::new()).build()
        };
        let (leased, local) = (limiter(budget.ceiling())?, limiter(Ceiling::new(PERMITS))?);
        let lease = keeping.block_on(async {
            let lease = budget.lease(&leased)?;
            lease.granted(Instant::now() + Duration::from_secs(5)).await?;
            anyhow::Ok(lease)
        })?;
        let compared = compare(effort, permits(&runtime, leased), permits(&runtime, local));
        keeping.block_on(lease.release(Instant::now() + Duration::from_secs(1)))?;
        let goal = (instrumentation == Instrumentation::Full).then_some(1.05);
        report.lower(id, compared.ratio, "ratio", goal);
        report.lower(format!("{id}.leased_ns"), compared.ours_ns, "ns", None);
        report.lower(format!("{id}.local_ns"), compared.peer_ns, "ns", None);
    }
    Ok(())
}

/// `acquire().await` and drop, on one thread, outside of tokio's cooperative budget.
fn permits(runtime: &Runtime, limiter: Limiter) -> impl FnMut(u32) {
    move |iterations| {
        runtime.block_on(unconstrained(async {
            for _ in 0..iterations {
                drop(black_box(limiter.acquire().await));
            }
        }));
    }
}

//! What a pool limiter costs a caller who need not wait: beside a pool of nothing, and beside real
//! pools.

use std::{hint::black_box, time::Duration};

use floodway::PoolLimiter;
use floodway_metrics::Registry;
use tokio::{runtime::Runtime, task::unconstrained, time::Instant};

use super::{
    Plan, arms,
    drivers::{self, Driver},
    null::Null,
    runtime,
    server::Server,
};
use crate::{
    measure::{Compared, Effort, compare},
    report::Report,
};

/// Later than any loop ends.
const LATE: Duration = Duration::from_secs(600);

/// Of one pool, before it is the turn of the other. All of them together take seconds, so that a
/// quick run measures this as well as a full one.
const ROUND: Duration = Duration::from_millis(15);
const ROUNDS: usize = 151;

/// So many show how long one takes.
const TRIED: u32 = 200;

/// Outside tokio's cooperative budget, as in the suite of the limiter.
pub(super) fn permit_path(_: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let pool = Null::new(64);
    let entered = runtime.enter();
    let limiter = PoolLimiter::builder("null", pool.clone()).registry(&Registry::new()).build()?;
    drop(entered);
    let compared = compare(
        Effort::FULL,
        |iterations| {
            runtime.block_on(unconstrained(async {
                let deadline = Instant::now() + LATE;
                for _ in 0..iterations {
                    drop(black_box(limiter.connection(deadline).await));
                }
            }));
        },
        |iterations| {
            runtime.block_on(unconstrained(async {
                for _ in 0..iterations {
                    drop(black_box(async { pool.take() }.await));
                }
            }));
        },
    );
    report.lower("pools.null_pool_ns", compared.peer_ns, "ns", None);
    report.lower("pools.permit_path_ns", compared.ours_ns - compared.peer_ns, "ns", Some(200.0));
    Ok(())
}

/// One caller, who takes a connection and gives it back.
pub(super) fn connection<D: Driver>(_: Plan, report: &mut Report) -> anyhow::Result<()> {
    // With two, the ratio is a matter of who wakes whom on which.
    let runtime = runtime(1)?;
    let Some(server) = Server::start() else { return Ok(()) };
    let (plain, ours, limiter) = runtime.block_on(async {
        let plain: D = drivers::filled(&server.url("plain")).await?;
        let ours: D = drivers::filled(&server.url("ours")).await?;
        let limiter = arms::limiter(&ours)?;
        anyhow::Ok((plain, ours, limiter))
    })?;
    // Rounds of about the same length, whether a pool asks its server each time or never. They are
    // short and many, because the moods of a machine last longer than they do.
    let began = Instant::now();
    in_a_task(&runtime, take(plain.clone(), TRIED));
    let each = began.elapsed() / TRIED;
    let iterations = u32::try_from(ROUND.as_nanos() / each.as_nanos().max(1)).unwrap_or(TRIED);
    let effort = Effort { rounds: ROUNDS, iterations };
    let Compared { ours_ns, peer_ns, ratio } = compare(
        effort,
        |iterations| {
            let limiter = limiter.clone();
            in_a_task(&runtime, async move {
                let deadline = Instant::now() + LATE;
                for _ in 0..iterations {
                    drop(limiter.connection(deadline).await.expect("the server is there"));
                }
            });
        },
        |iterations| {
            in_a_task(&runtime, take(plain.clone(), iterations));
        },
    );
    drop(ours);
    let prefix = match D::NAME {
        "sqlx" => "pools.connection".to_owned(),
        name => format!("pools.connection.{name}"),
    };
    report.lower(format!("{prefix}.ours_us"), ours_ns / 1e3, "us", None);
    report.lower(format!("{prefix}.plain_us"), peer_ns / 1e3, "us", None);
    report.lower(format!("{prefix}.vs_plain"), ratio, "ratio", Some(1.15));
    Ok(())
}

async fn take<D: Driver>(pool: D, times: u32) {
    for _ in 0..times {
        drop(pool.acquire().await.expect("the server is there"));
    }
}

/// As in a service: the thread that waits does not take part.
fn in_a_task(runtime: &Runtime, operations: impl Future<Output = ()> + Send + 'static) {
    runtime.block_on(runtime.spawn(operations)).expect("benchmarks do not panic");
}

//! More requests than a pool can serve: 1.2, 2 and 10 times as many.

use std::time::Duration;

use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    CONNECTIONS, DEADLINE, PATIENCE, Plan,
    arms::{self, Arm, Ended, OURS},
    drivers::{self, Driver, Sqlx},
    lap::{HEADER, Lap, Laps},
    open_loop::{self, Load},
    runtime,
    server::Server,
};
use crate::{measure::median, report::Report};

/// How many times what the pool can serve, and how that is called in the report.
const LOADS: [(f64, &str); 3] = [(1.2, "1_2x"), (2.0, "2x"), (10.0, HEAVIEST)];
const HEAVIEST: &str = "10x";

/// What the best static setting lets wait, as a part of what is served before the deadline: nearly
/// nobody waits in vain, and the pool is never idle.
const QUEUE: f64 = 0.9;

/// So that what the requests of a lap left to the background is over before the next.
const PAUSE: Duration = Duration::from_millis(300);

pub(super) fn measure<D: Driver>(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let Some(server) = Server::start() else { return Ok(()) };
    let best = runtime.block_on(drivers::filled::<D>(&server.url("best")))?;
    let rates = (0..3).map(|_| runtime.block_on(closed_loop(&best, Duration::from_secs(2))));
    let rate = median(rates.collect());
    report.higher(format!("pools.{}.best_static", D::NAME), rate, "1/s", None);
    let arms = runtime.block_on(async {
        let open = async |name| drivers::filled::<D>(&server.url(name)).await;
        let queue = rate * DEADLINE.as_secs_f64() * QUEUE;
        let mut arms = vec![arms::plain(open("plain").await?)];
        if D::NAME == Sqlx::NAME {
            // What happens in front of the pool is the same for all of them.
            arms.push(arms::tower(open("tower").await?));
        }
        arms.push(arms::fixed(open("static").await?, queue as u32));
        arms.push(arms::ours(&open("ours").await?)?);
        anyhow::Ok(arms)
    })?;
    for (times, load) in LOADS {
        let Plan { rounds, lap: counted } = plan;
        let warm = warm(times);
        println!("{} at {times} times {rate:.0}/s, {rounds} laps of {counted:?}", D::NAME);
        let mut bests = Vec::new();
        let mut all: Vec<_> = arms.iter().map(|arm| Laps::none(arm.name)).collect();
        for round in 0..rounds {
            bests.push(runtime.block_on(closed_loop(&best, counted / 2)));
            let load = Load { rate: rate * times, warm, counted, seed: round as u64 };
            for step in 0..arms.len() {
                let place = (round + step) % arms.len();
                all[place].laps.push(lap(&runtime, &server, &arms[place], load));
            }
        }
        println!("  best static rate {:.0}/s\n{HEADER}", median(bests.clone()));
        for laps in &all {
            println!("{laps}");
            let of = if laps.name == OURS { String::new() } else { format!("{}_", laps.name) };
            figures(report, &format!("pools.{of}{}", D::NAME), load, laps, &bests);
        }
        let lags = all.iter().map(|laps| laps.median(|lap| lap.lag_p99)).collect();
        report.lower(format!("pools.{}.load_lag_p99_s_{load}", D::NAME), median(lags), "s", None);
    }
    Ok(())
}

/// Until a queue is as long as it will get: who waits in it has the patience of the pool, and it
/// grows by what is too much.
fn warm(times: f64) -> Duration {
    Duration::from_secs(1) + PATIENCE.div_f64(times - 1.0)
}

fn lap(runtime: &Runtime, server: &Server, arm: &Arm, load: Load) -> Lap {
    let before = server.backends(arm.name);
    let records = open_loop::offer(runtime, load, || arm.request());
    runtime.block_on(async { sleep(PAUSE).await });
    Lap::new(&records, load.counted, server.backends(arm.name) - before)
}

/// Requests a second of as many callers as there are connections, each its next request once it
/// has its answer: nobody waits for a connection, and none is idle.
async fn closed_loop<D: Driver>(pool: &D, duration: Duration) -> f64 {
    let until = Instant::now() + duration;
    let mut callers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let pool = pool.clone();
        callers.spawn(async move {
            let mut served = 0;
            while let Ended::Served(_) = arms::serve(pool.clone()).await
                && Instant::now() < until
            {
                served += 1;
            }
            served
        });
    }
    let served: u32 = callers.join_all().await.into_iter().sum();
    f64::from(served) / duration.as_secs_f64()
}

/// Of a driver's arm under one load. What ours is for has goals.
fn figures(report: &mut Report, prefix: &str, load: &str, laps: &Laps, bests: &[f64]) {
    let ours = laps.name == OURS;
    let goal = |goal| ours.then_some(goal);
    let pairs = laps.laps.iter().zip(bests);
    let ratio = median(pairs.map(|(lap, best)| lap.goodput / best).collect());
    let id = |figure: &str| format!("{prefix}.{figure}_{load}");
    report.higher(format!("{}.vs_best_static", id("goodput")), ratio, "ratio", goal(0.95));
    report.higher(id("goodput"), laps.median(|lap| lap.goodput), "1/s", None);
    report.lower(id("timeouts"), laps.sum(|lap| lap.timeouts), "", goal(0.0));
    report.lower(id("new_backends"), laps.sum(|lap| lap.backends), "", goal(0.0));
    if ours {
        report.lower(id("failed"), laps.sum(|lap| lap.failed), "", goal(0.0));
    }
    // The heaviest load is what is usually quoted, so these figures of it go without its name.
    let id = |figure: &str| match load {
        HEAVIEST => format!("{prefix}.{figure}"),
        _ => id(figure),
    };
    let over = laps.median(|lap| lap.over_bound);
    report.lower(id("admitted_p99_over_bound"), over, "ratio", goal(1.0));
    report.lower(id("rejection_p99_s"), laps.median(|lap| lap.refusal_p99), "s", goal(0.001));
    if ours {
        let early = laps.median(|lap| lap.early_p99);
        report.lower(id("rejection_on_arrival_p99_s"), early, "s", None);
    }
}

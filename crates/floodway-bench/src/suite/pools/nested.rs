//! Callers who hold a connection and need another one: 40 of them and 10 connections.

use std::time::Duration;

use floodway::{PoolLimiter, Weight};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    CONNECTIONS, Plan, arms,
    drivers::{self, Driver, Sqlx},
    runtime,
    server::Server,
};
use crate::{measure::median, report::Report};

const CALLERS: u32 = 40;

/// What a caller does with each of its connections, while it holds those before.
const QUERY: &str = "SELECT pg_sleep(0.005)";

/// Of a caller with a claim, longer than all of them take.
const DEADLINE: Duration = Duration::from_secs(5);

/// So that the connections of a round are back before the next.
const PAUSE: Duration = Duration::from_millis(200);

type Limiter = PoolLimiter<<Sqlx as Driver>::Adapter>;

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let Some(server) = Server::start() else { return Ok(()) };
    let (plain, _ours, limiter) = runtime.block_on(async {
        let plain: Sqlx = drivers::filled(&server.url("plain")).await?;
        let ours: Sqlx = drivers::filled(&server.url("ours")).await?;
        let limiter = arms::limiter(&ours)?;
        anyhow::Ok((plain, ours, limiter))
    })?;
    println!("{CALLERS} callers who need several of {CONNECTIONS} connections");
    println!("  each  arm     completed  seconds");
    for each in [2, 3] {
        let [mut alone, mut claimed] = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds {
            alone.push(round(&runtime, || nested(plain.clone(), each)));
            claimed.push(round(&runtime, || claiming(limiter.clone(), each)));
        }
        for (name, prefix, goal, rounds) in
            [("plain", "plain_", None, alone), ("ours", "", Some(1.0), claimed)]
        {
            let completed = median(rounds.iter().map(|(completed, _)| *completed).collect());
            let seconds = median(rounds.iter().map(|(_, seconds)| *seconds).collect());
            println!("  {each:>4}  {name:<6} {:>9.0} %  {seconds:>7.3}", completed * 100.0);
            let prefix = format!("pools.{prefix}nested.k{each}");
            report.higher(format!("{prefix}.completed"), completed, "part", goal);
            report.lower(format!("{prefix}.total_s"), seconds, "s", None);
        }
    }
    Ok(())
}

/// The part of the callers who had all their connections, and when the last one was through.
fn round<F>(runtime: &Runtime, caller: impl Fn() -> F) -> (f64, f64)
where
    F: Future<Output = bool> + Send + 'static,
{
    runtime.block_on(async {
        let began = Instant::now();
        let callers: JoinSet<_> = (0..CALLERS).map(|_| caller()).collect();
        let completed = callers.join_all().await.into_iter().filter(|completed| *completed);
        let completed = completed.count() as f64 / f64::from(CALLERS);
        let seconds = began.elapsed().as_secs_f64();
        sleep(PAUSE).await;
        (completed, seconds)
    })
}

/// One connection after the other from the pool, until its patience ends.
async fn nested(pool: Sqlx, each: u32) -> bool {
    let mut held = Vec::new();
    for _ in 0..each {
        let Ok(mut connection) = pool.acquire().await else { return false };
        if Sqlx::run(&mut connection, QUERY).await.is_err() {
            return false;
        }
        held.push(connection);
    }
    true
}

/// A claim to all of them first.
async fn claiming(limiter: Limiter, each: u32) -> bool {
    let deadline = Instant::now() + DEADLINE;
    let Ok(claim) = limiter.claim(Weight::UpTo(each), deadline).await else { return false };
    let mut held = Vec::new();
    for _ in 0..each {
        let Ok(mut connection) = claim.connection(deadline).await else { return false };
        if Sqlx::run(&mut connection, QUERY).await.is_err() {
            return false;
        }
        held.push(connection);
    }
    true
}

//! One replica of a fleet, in a process of its own: asks its database as often as it may.
#![expect(clippy::print_stderr, reason = "who started it reads what went wrong")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use floodway::{PoolLimiter, Queue};
use floodway_fleet::{Fleet, LeaseStore, PostgresFence, RedisStore, name_connections};
use floodway_pool::SqlxPool;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use tokio::time::{Instant, interval, sleep};

/// The word by which the program is started as one.
pub(crate) const WORD: &str = "fleet-worker";

/// The name of the budget, and of what spends it.
pub(super) const BUDGET: &str = "orders-db";

/// How often it says how it is.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// How long a client waits for a connection.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    replica: String,
    #[arg(long)]
    redis: String,
    #[arg(long)]
    database: String,
    #[arg(long)]
    fence: String,
    #[arg(long)]
    budget: u32,
    #[arg(long)]
    margin: u32,
    #[arg(long)]
    floor: u32,
    #[arg(long)]
    clients: u32,
    #[arg(long)]
    query_ms: u64,
    /// Sees the engine's wall clock jump by up to five minutes every second.
    #[arg(long)]
    shift_clock: bool,
}

/// How a worker is; counts since it started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    pub(super) done: u64,
    /// Got no connection in time.
    pub(super) refused: u64,
    /// Failed with a connection: somebody closed it.
    pub(super) fenced: u64,
    /// The server had too many connections.
    pub(super) too_many: u64,
    /// Failed otherwise.
    pub(super) failed: u64,
    pub(super) grant: u32,
}

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    refused: AtomicU64,
    fenced: AtomicU64,
    too_many: AtomicU64,
    failed: AtomicU64,
}

pub(crate) fn run(arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work(arguments))
}

async fn work(arguments: Arguments) -> anyhow::Result<()> {
    let store = Arc::new(RedisStore::connect_lazy(&arguments.redis)?);
    if arguments.shift_clock {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                store.shift_clock(fastrand::i64(-300_000..=300_000));
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let pool = PgPoolOptions::new()
        .max_connections(arguments.budget)
        .acquire_timeout(PATIENCE)
        .connect_lazy(&arguments.database)?;
    let fleet = Fleet::builder(store).replica(arguments.replica).build()?;
    let budget = fleet
        .budget(BUDGET, arguments.budget)
        .margin(arguments.margin)
        .floor(arguments.floor)
        .fence(PostgresFence::from_url(&arguments.fence)?)
        .on_lease(name_connections(&pool))
        .build()?;
    let limiter = PoolLimiter::builder(BUDGET, SqlxPool::new(pool))
        .queue(Queue::fifo().max_wait(PATIENCE))
        .ceiling(budget.ceiling())
        .build()?;
    let lease = budget.lease(&limiter)?;
    let counts = Arc::new(Counts::default());
    let query =
        format!("SELECT pg_sleep({})", Duration::from_millis(arguments.query_ms).as_secs_f64());
    for _ in 0..arguments.clients {
        tokio::spawn(ask(limiter.clone(), query.clone(), Arc::clone(&counts)));
    }
    let mut beats = interval(EVERY);
    loop {
        beats.tick().await;
        let heartbeat = Heartbeat {
            done: counts.done.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
            fenced: counts.fenced.load(Ordering::Relaxed),
            too_many: counts.too_many.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            grant: lease.snapshot().grant,
        };
        println!("{}", serde_json::to_string(&heartbeat)?);
    }
}

/// One client: asks again as soon as it is answered.
async fn ask(limiter: PoolLimiter<SqlxPool<sqlx::Postgres>>, query: String, counts: Arc<Counts>) {
    loop {
        let connection = limiter.connection(Instant::now() + PATIENCE).await;
        let outcome = match connection {
            Ok(mut connection) => sqlx::raw_sql(sqlx::AssertSqlSafe(query.clone()))
                .execute(&mut **connection)
                .await
                .map(drop),
            Err(floodway::ConnectionError::Pool(error)) => Err(error),
            Err(error) => {
                eprintln!("{error}");
                counts.refused.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let count = match &outcome {
            Ok(()) => &counts.done,
            Err(error) if code(error).is_some_and(|code| code == "53300") => &counts.too_many,
            Err(error) if is_closed(error) => &counts.fenced,
            Err(error) => {
                eprintln!("{error}");
                &counts.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        if outcome.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// Whether somebody has closed the connection, as an administrator does.
fn is_closed(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "57P01") || matches!(error, sqlx::Error::Io(_))
}

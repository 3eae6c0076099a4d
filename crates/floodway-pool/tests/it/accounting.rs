//! Nothing is lost and nothing is torn down, however callers come and go.

use std::{future::poll_fn, pin::pin, task::Poll};

use floodway::{PoolLimiter, Registry};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};
use floodway_pool::SqlxPool;
use floodway_test_support::Postgres as Server;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::{Connection as _, Database, Pool, Postgres, postgres::PgPoolOptions};
use tokio::{task::JoinSet, time::timeout};

use crate::support::{at_rest, connection, limiter, ms, sqlite};

/// Polls `future` at most `polls` times and then drops it, at whichever await it stands.
async fn cut_short(future: impl Future<Output = ()>, polls: u32) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            future.as_mut().poll(context)
        }
        None => Poll::Ready(()),
    })
    .await;
}

/// Starts `requests` callers, of which two thirds are dropped at a random await or a random moment,
/// and waits until all is back.
async fn storm<DB: Database>(
    limiter: &PoolLimiter<SqlxPool<DB>>,
    pool: &Pool<DB>,
    registry: &Registry,
    requests: u64,
    query: &'static str,
) where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let mut random = StdRng::seed_from_u64(11);
    let mut tasks = JoinSet::new();
    for _ in 0..requests {
        let limiter = limiter.clone();
        let (kind, polls) = (random.random_range(0..3), random.random_range(1..12));
        let patience = ms(random.random_range(0..20));
        tasks.spawn(async move {
            let request = async {
                if let Ok(mut connection) = connection(&limiter).await {
                    let result = sqlx::raw_sql(query).execute(&mut **connection).await;
                    result.expect("the query is fine");
                }
            };
            match kind {
                0 => cut_short(request, polls).await,
                1 => drop(timeout(patience, request).await),
                _ => request.await,
            }
        });
        if tasks.len() >= 100 {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    at_rest(limiter, pool).await;

    let snapshot = registry.snapshot();
    let sum = |metric| snapshot.number(metric, &["db"]).expect("there from birth");
    let acquired = sum(&limiter_metrics::ACQUIRED);
    let completed = sum(&limiter_metrics::COMPLETED);
    assert_eq!(acquired, completed);
    let refused = sum(&limiter_metrics::REJECTED);
    let cancelled = sum(&limiter_metrics::CANCELLED);
    assert_eq!(acquired + refused + cancelled, requests as f64, "every caller has one outcome");
    assert!(cancelled >= 10.0, "{cancelled} left while they waited");
    assert!(acquired >= 100.0, "{acquired} got through");
    assert_eq!(snapshot.number(&metrics::TIMEOUTS, &["db"]), Some(0.0));
    assert_eq!(snapshot.number(&metrics::ERRORS, &["db"]), Some(0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_callers_that_leave_lose_nothing() {
    let (_dir, pool) = sqlite(4).await;
    let registry = Registry::new();
    let limiter = limiter(&pool, &registry, 1);
    storm(&limiter, &pool, &registry, 100_000, "SELECT 1").await;
}

/// A plain sqlx pool closes and opens connections all the time under such callers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_callers_that_leave_cost_no_backend() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = PgPoolOptions::new().max_connections(4);
    let pool: Pool<Postgres> = options.connect(&server.url()).await.expect("connects");
    let registry = Registry::new();
    let limiter = limiter(&pool, &registry, 1);
    storm(&limiter, &pool, &registry, 20_000, "SELECT pg_sleep(0.0005)").await;
    pool.close().await;
    // A backend reports its session when it ends, so this counts all that there ever were, and
    // the one that asks may be among them.
    let mut own = sqlx::PgConnection::connect(&server.url()).await.expect("connects");
    let sessions: i64 = sqlx::query_scalar(
        "SELECT sessions FROM pg_stat_database WHERE datname = current_database()",
    )
    .fetch_one(&mut own)
    .await
    .expect("the statistics are readable");
    assert!((1..=4 + 1).contains(&sessions), "{sessions} backends for a pool of 4");
}

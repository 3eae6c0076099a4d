//! Nothing is lost and nothing is torn down, however callers come and go.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use bb8_postgres::PostgresConnectionManager;
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod, tokio_postgres::NoTls};
use floodway::{Pool, PoolLimiter, Registry};
use floodway_metrics::catalogue::{limiter as limiter_metrics, pool as metrics};
use floodway_pool::{Bb8Pool, DeadpoolPool, SqlxPool};
use floodway_test_support::Postgres as Server;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::{
    Connection as _, Database, PgConnection, Sqlite,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::support::{at_rest, connection, limiter, ms, postgres, sqlite};

/// What a caller does with its connection.
trait Request: Pool {
    fn run(connection: &mut Self::Connection) -> impl Future<Output = ()> + Send;
}

impl<DB: Database> Request for SqlxPool<DB>
where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    async fn run(connection: &mut Self::Connection) {
        let query = match DB::NAME {
            Sqlite::NAME => "SELECT 1",
            _ => QUERY,
        };
        sqlx::raw_sql(query).execute(&mut **connection).await.expect("the query is fine");
    }
}

impl Request for DeadpoolPool<Manager> {
    async fn run(connection: &mut Self::Connection) {
        connection.simple_query(QUERY).await.expect("the query is fine");
    }
}

impl Request for Bb8Pool<PostgresConnectionManager<NoTls>> {
    async fn run(connection: &mut Self::Connection) {
        connection.simple_query(QUERY).await.expect("the query is fine");
    }
}

/// Of PostgreSQL: long enough to be dropped halfway.
const QUERY: &str = "SELECT pg_sleep(0.0005)";

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

/// Starts callers until so many have been `served`, drops two thirds of all at a random await or a
/// random moment, and waits until all is back.
async fn storm<P: Request>(limiter: &PoolLimiter<P>, registry: &Registry, served: u64) {
    let mut random = StdRng::seed_from_u64(11);
    let mut tasks = JoinSet::new();
    let mut callers = 0_u32;
    // Refusing is so quick that a number of callers could be through before the pool is warm.
    let enough = Arc::new(AtomicU64::new(0));
    while enough.load(Ordering::Relaxed) < served {
        callers += 1;
        let enough = Arc::clone(&enough);
        let limiter = limiter.clone();
        let (kind, polls) = (random.random_range(0..3), random.random_range(1..12));
        let patience = ms(random.random_range(0..20));
        tasks.spawn(async move {
            let request = async {
                match connection(&limiter).await {
                    Ok(mut connection) => {
                        P::run(&mut connection).await;
                        enough.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(_) => sleep(ms(10)).await,
                }
            };
            match kind {
                0 => cut_short(request, polls).await,
                1 => drop(timeout(patience, request).await),
                _ => request.await,
            }
        });
        if tasks.len() >= 80 {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    at_rest(limiter).await;

    let snapshot = registry.snapshot();
    let sum = |metric| snapshot.number(metric, &["db"]).expect("there from birth");
    let acquired = sum(&limiter_metrics::ACQUIRED);
    let completed = sum(&limiter_metrics::COMPLETED);
    assert_eq!(acquired, completed);
    let refused = sum(&limiter_metrics::REJECTED);
    let cancelled = sum(&limiter_metrics::CANCELLED);
    let outcomes = acquired + refused + cancelled;
    assert_eq!(outcomes, f64::from(callers), "every caller has one outcome");
    assert!(cancelled >= 10.0, "{cancelled} left while they waited");
    assert!(acquired > served as f64, "{acquired} got through, and some left");
    assert_eq!(snapshot.number(&metrics::TIMEOUTS, &["db"]), Some(0.0));
    assert_eq!(snapshot.number(&metrics::ERRORS, &["db"]), Some(0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_callers_that_leave_lose_nothing() {
    let (_dir, pool) = sqlite(4).await;
    let registry = Registry::new();
    let limiter = limiter(SqlxPool::new(pool), &registry, 1);
    storm(&limiter, &registry, 20_000).await;
}

/// A plain sqlx pool closes and opens connections all the time under such callers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlx_callers_that_leave_cost_no_backend() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = PgPoolOptions::new().max_connections(4);
    let pool = options.connect(&server.url()).await.expect("connects");
    storm_costs_no_backend(&server, SqlxPool::new(pool), 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deadpool_callers_that_leave_cost_no_backend() {
    let Some(server) = Server::start() else {
        return;
    };
    // The check before each use is a round trip, and who leaves meanwhile closes the connection.
    let config = ManagerConfig { recycling_method: RecyclingMethod::Verified };
    let manager = Manager::from_config(postgres(&server), NoTls, config);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(4).build().expect("builds");
    storm_costs_no_backend(&server, DeadpoolPool::new(pool), 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bb8_callers_that_leave_cost_no_backend() {
    let Some(server) = Server::start() else {
        return;
    };
    let manager = PostgresConnectionManager::new(postgres(&server), NoTls);
    let pool = bb8::Pool::builder().max_size(4).build(manager).await.expect("builds");
    storm_costs_no_backend(&server, Bb8Pool::new(pool), 1_000).await;
}

/// `pool` has four connections to `server`.
async fn storm_costs_no_backend<P: Request>(server: &Server, pool: P, served: u64) {
    let registry = Registry::new();
    let limiter = limiter(pool, &registry, 1);
    storm(&limiter, &registry, served).await;
    drop(limiter);
    let sessions = sessions(server).await;
    assert!((1..=4).contains(&sessions), "{sessions} backends for a pool of 4");
}

/// How many backends the database ever had, once all have ended: a backend reports itself as it
/// ends, and leaves the list of those that run after that. Asked from another database, so that who
/// asks is not counted.
async fn sessions(server: &Server) -> i64 {
    let elsewhere: PgConnectOptions = server.url().parse().expect("a valid address");
    let elsewhere = elsewhere.database("template1");
    let mut asks = PgConnection::connect_with(&elsewhere).await.expect("connects");
    for _ in 0..1_000 {
        let running: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres'")
                .fetch_one(&mut asks)
                .await
                .expect("the list is readable");
        if running == 0 {
            return sqlx::query_scalar(
                "SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'",
            )
            .fetch_one(&mut asks)
            .await
            .expect("the statistics are readable");
        }
        sleep(ms(10)).await;
    }
    panic!("backends do not end");
}

//! Operations that hold one connection and ask for another.

use std::time::Duration;

use floodway::{ConnectionError, PoolCause, PoolLimiter, Queue, Registry, Weight};
use floodway_test_support::Postgres as Server;
use tokio::{task::JoinSet, time::Instant};

use super::{
    POOL,
    subject::{Sqlx, Subject},
};
use crate::support::at_rest;

type Done = Result<(), ConnectionError<sqlx::Error>>;

const OPERATIONS: usize = 40;
const QUERY: &str = "SELECT pg_sleep(0.01)";

/// Uses a connection, and keeps it while it asks for the next one.
async fn operation(limiter: &PoolLimiter<Sqlx>, connections: u32, deadline: Instant) -> Done {
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut connection = limiter.connection(deadline).await?;
        Sqlx::query(&mut connection, QUERY).await.expect("the query is fine");
        held.push(connection);
    }
    Ok(())
}

/// How many of forty operations at once complete that take `connections` one after the other: each
/// with a claim, or with none.
async fn completed(connections: u32, claim: Option<Weight>, patience: Duration) -> Option<usize> {
    let server = Server::start()?;
    let limiter = PoolLimiter::builder("db", Sqlx::open(&server.url(), POOL).await)
        .queue(Queue::fifo().max_wait(patience))
        .registry(&Registry::new())
        .build()
        .expect("a valid description");
    let deadline = Instant::now() + patience;
    let mut operations = JoinSet::new();
    for _ in 0..OPERATIONS {
        let limiter = limiter.clone();
        operations.spawn(async move {
            let operation = operation(&limiter, connections, deadline);
            match claim {
                Some(weight) => limiter.claim(weight, deadline).await?.scope(operation).await,
                None => operation.await,
            }
        });
    }
    let results = operations.join_all().await;
    at_rest(&limiter).await;
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        let expected = match error {
            ConnectionError::NestedAcquire(_) => true,
            ConnectionError::Rejected(rejected) => {
                matches!(rejected.cause, PoolCause::Deadline | PoolCause::PoolHeld { .. })
            }
            _ => false,
        };
        assert!(expected, "{error:?}");
    }
    Some(results.iter().filter(|result| result.is_ok()).count())
}

async fn check_claims(weight: fn(u32) -> Weight) {
    for connections in [2, 3] {
        let patience = Duration::from_secs(20);
        let claim = Some(weight(connections));
        let Some(completed) = completed(connections, claim, patience).await else {
            return;
        };
        assert_eq!(completed, OPERATIONS, "{claim:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_claim_all_at_once_complete() {
    check_claims(Weight::Exact).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_claim_as_they_go_complete() {
    check_claims(Weight::UpTo).await;
}

/// Otherwise the tests above would show nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_claim_nothing_wait_for_each_other() {
    if let Some(completed) = completed(2, None, Duration::from_secs(1)).await {
        assert!(completed < OPERATIONS / 2, "{completed} of {OPERATIONS}");
    }
}

//! Callers who come too late, and those who are told why they waited in vain.

use floodway::{PoolCause, PoolSnapshot, Weight};
use floodway_metrics::catalogue::pool as metrics;
use tokio::time::{advance, sleep};

use super::kit::*;
use crate::support::{is_pending, ms, ready};

#[tokio::test(start_paused = true)]
async fn no_connection_is_opened_for_who_is_late() {
    let bench = Bench::new(4, 0);
    let deadline = within(10);
    advance(ms(11)).await;
    assert_eq!(cause(bench.limiter.connection(deadline).await), PoolCause::Deadline);
    assert_eq!(cause(bench.limiter.claim(Weight::Exact(2), deadline).await), PoolCause::Deadline);
    let claim = bench.claim(Weight::UpTo(2)).await.unwrap();
    assert_eq!(cause(claim.connection(deadline).await), PoolCause::Deadline);
    drop(claim);
    assert_eq!(bench.pool.numbers().acquired, 0);
    assert_eq!(bench.refused("deadline"), 3.0);
    bench.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn closing_in_a_pause_ends_the_wait_of_those_who_have_permits() {
    let bench = Bench::new(4, 0);
    fail(&bench).await;
    let mut waiting = Box::pin(bench.limiter.connection(far()));
    assert!(is_pending(&mut waiting).await);
    bench.limiter.limiter().close();
    // The watch comes by.
    sleep(ms(300)).await;
    assert_eq!(cause(ready(&mut waiting).await), PoolCause::Closed);
    bench.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_the_pool_for_others_is_told_so() {
    let bench = Bench::new(2, 0);
    drop(bench.connection().await.unwrap());
    settle().await;
    // Taken between two looks.
    bench.pool.change(|n| n.foreign = 2);
    let late = bench.connection().await;
    assert!(matches!(late, Err(ConnectionError::Deadline { .. })), "{late:?}");
    assert_eq!((bench.refused("foreign"), bench.refused("connect_failing")), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_no_mistake_of_who_nests() {
    let bench = Bench::new(4, 0);
    let _held = bench.connection().await.unwrap();
    fail(&bench).await;
    bench.pool.change(|n| n.connects = 0);
    tokio::spawn(bench.limiter.connection(far()));
    sleep(ms(200)).await;
    let refused = cause(bench.limiter.connection(within(50)).await);
    assert!(matches!(refused, PoolCause::ConnectFailing { .. }), "{refused:?}");
    assert_eq!(bench.refused("nested"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_goes_back_unused_is_nobodys_connection() {
    let bench = Bench::new(4, 0);
    fail(&bench).await;
    bench.pool.change(|n| n.foreign = 4);
    // Found the pool exhausted, and has no turn to probe before its deadline.
    let waiting = bench.limiter.connection(within(60));
    assert!(waiting.await.is_err());
    bench.pool.change(|n| n.foreign = 0);
    sleep(ms(1_300)).await;
    assert_eq!(bench.number(&metrics::CONNECTIONS_FOREIGN, &[]), 0.0);
    bench.check(4, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn numbers_that_contradict_each_other_are_counted() {
    let bench = Bench::new(4, 0);
    bench.pool.change(|n| n.lies = true);
    let snapshot: PoolSnapshot = floodway::Pool::snapshot(&bench.pool);
    assert!(snapshot.idle > snapshot.open, "{snapshot:?}");
    drop(bench.connection().await.unwrap());
    settle().await;
    assert!(bench.number(&metrics::IMPLAUSIBLE, &[]) >= 2.0);
}

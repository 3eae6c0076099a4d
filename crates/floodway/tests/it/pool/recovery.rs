//! Operations that take several connections find out, too, that the database is back.

use floodway::{PoolCause, Weight};
use futures::FutureExt;
use tokio::time::sleep;

use super::kit::*;
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn claims_that_wait_leave_room_for_a_probe() {
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    // Three at a time, for ten seconds, and each is there when the one before it gives up.
    let mut served = 0;
    for _ in 0..100 {
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let limiter = bench.limiter.clone();
                tokio::spawn(async move {
                    let claim = limiter.claim(Weight::UpTo(2), within(200)).await.ok()?;
                    let got = claim.connection(within(200)).await.ok();
                    got.map(drop)
                })
            })
            .collect();
        sleep(ms(100)).await;
        for task in tasks {
            if let Some(Ok(Some(()))) = task.now_or_never() {
                served += 1;
            }
        }
    }
    assert!(served > 0, "the database has been back for ten seconds");
}

#[tokio::test(start_paused = true)]
async fn operations_of_two_alone_find_the_database_back() {
    let bench = Bench::new(10, 0);
    fail(&bench).await;
    for _ in 0..100 {
        if let Ok(claim) = bench.limiter.claim(Weight::Exact(2), within(200)).await
            && claim.connection(within(200)).await.is_ok()
        {
            return;
        }
        sleep(ms(100)).await;
    }
    panic!("the database has been back for ten seconds");
}
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_kept_from_its_second_connection_is_told_why() {
    let bench = Bench::new(10, 0);
    let limiter = bench.limiter.clone();
    let claim = bench.claim(Weight::Exact(2)).await.unwrap();
    let operation = tokio::spawn(async move {
        let _held = claim.connection(soon()).await.unwrap();
        sleep(ms(50)).await;
        claim.connection(soon()).await.map(drop)
    });
    settle().await;
    // One tries, and has no answer; nobody else may.
    fail(&bench).await;
    bench.pool.change(|n| n.connects = 0);
    let probe = tokio::spawn(limiter.connection(far()));
    let refused = cause(operation.await.unwrap());
    assert!(matches!(refused, PoolCause::ConnectFailing { failures: 3, .. }), "{refused:?}");
    bench.pool.change(|n| n.connects = 1);
    drop(probe.await.unwrap().unwrap());
}

//! What a batcher is for.

use floodway::{BatchError, BatchRejected, batcher::QueueFull};
use floodway_metrics::catalogue::batcher as catalogue;
use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::kit::{Downstream, MS, builder, number};

#[tokio::test(start_paused = true)]
async fn what_waits_while_a_batch_runs_goes_together() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let calls = join_all((0..10).map(|n| batcher.call(n)));
    let open = async {
        sleep(MS).await;
        downstream.let_through(2);
    };
    let (answers, ()) = tokio::join!(calls, open);
    let answers: Vec<u64> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, (0..10).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(downstream.batches(), [vec![0], (1..10).collect()]);
    assert_eq!(number(&registry, &catalogue::ITEMS, "ok"), 10.0);
    assert_eq!(number(&registry, &catalogue::BATCHES, "ok"), 2.0);
    assert_eq!(number(&registry, &catalogue::QUEUED, ""), 0.0);
    // The lane lets those who have their answers bring more before it is over.
    tokio::task::yield_now().await;
    assert_eq!(number(&registry, &catalogue::IN_FLIGHT, ""), 0.0);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_before_the_batch_is_not_sent() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let first = tokio::spawn(batcher.call(0));
    sleep(MS).await;
    let second = tokio::spawn(batcher.call(1));
    assert!(timeout(MS, batcher.call(2)).await.is_err());
    downstream.let_through(2);
    assert_eq!(first.await.unwrap().unwrap(), 0);
    assert_eq!(second.await.unwrap().unwrap(), 2);
    assert_eq!(downstream.batches(), [[0], [1]]);
    assert_eq!(number(&registry, &catalogue::ITEMS, "cancelled"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_callers_wait_or_turns_them_away() {
    for policy in [QueueFull::Wait, QueueFull::Reject] {
        let downstream = Downstream::gated();
        let (registry, builder) = builder();
        let batcher = downstream.doubling(builder.queue_capacity(2).queue_full(policy));
        // One runs, two wait, and so there is no room.
        let calls: Vec<_> = (0..5).map(|n| tokio::spawn(batcher.call(n))).collect();
        sleep(MS).await;
        downstream.let_through(100);
        let mut refused = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(_) => {}
                Err(BatchError::Rejected(BatchRejected::QueueFull { capacity: 2 })) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(refused, if policy == QueueFull::Reject { 2 } else { 0 });
        assert_eq!(number(&registry, &catalogue::REJECTED, "queue_full"), f64::from(refused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_sends_what_waits_and_refuses_what_comes() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let calls: Vec<_> = (0..5).map(|n| tokio::spawn(batcher.call(n))).collect();
    sleep(MS).await;
    let open = async {
        sleep(MS).await;
        assert!(matches!(batcher.call(9).await, Err(BatchError::Rejected(BatchRejected::Closed))));
        downstream.let_through(2);
    };
    let (drained, ()) = tokio::join!(batcher.drain(Instant::now() + 100 * MS), open);
    assert!(drained.is_complete());
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), n as u64 * 2);
    }
}

//! How long an item may wait.

use floodway::Batcher;
use floodway_metrics::catalogue::batcher as catalogue;
use tokio::{
    task::JoinHandle,
    time::{Duration, Instant, sleep},
};

use super::kit::{
    Answer, Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle,
    check_outcomes, ends, number, settle, waits, words,
};
use crate::support::Bench;

/// A call that waits by the time that this returns, and how long it took.
async fn begin(batcher: &Batcher<u32, u64, Trouble>, item: u32) -> JoinHandle<(Answer, Duration)> {
    let (call, began) = (batcher.call(item), Instant::now());
    let timed = tokio::spawn(async move { (call.await, began.elapsed()) });
    settle().await;
    timed
}

/// Refused after 10 ms, give or take the millisecond of a timer.
async fn check_expired(call: JoinHandle<(Answer, Duration)>) {
    let (answer, took) = ends(call).await.unwrap();
    assert_eq!(words(&[answer]), ["rejected: not sent within 10ms"]);
    assert!(took >= 10 * MS && took <= 11 * MS, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_expires_while_all_slots_are_taken() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS));
    let running = calls(&batcher, [0]).await;
    let mut late = Vec::new();
    for n in 1..6 {
        late.push(begin(&batcher, n).await);
        sleep(3 * MS).await;
    }
    for call in late {
        check_expired(call).await;
    }
    assert_eq!(batcher.snapshot().queued, 0);
    // What was sent has all the time it takes.
    sleep(1_000 * MS).await;
    downstream.let_through(1);
    check_doubled([0], answers(running).await);
    assert_eq!(downstream.batches(), [[0]]);
    check_outcomes(&registry, &[("ok", 1), ("expired", 5)], &[("ok", 1)]);
    assert_eq!(number(&registry, &catalogue::REJECTED, "expired"), 5.0);
}

#[tokio::test(start_paused = true)]
async fn an_item_expires_while_a_permit_is_waited_for() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS).limiter(&bench.limiter));
    let held = bench.take();
    check_expired(begin(&batcher, 1).await).await;
    drop(held);
    settle().await;
    bench.check(1, 0, 0);
    check_idle(&batcher);
    check_doubled([2], vec![ends(batcher.call(2)).await]);
}

#[tokio::test(start_paused = true)]
async fn what_expires_makes_room() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS).queue_capacity(2));
    let running = calls(&batcher, [0]).await;
    let late = [begin(&batcher, 1).await, begin(&batcher, 2).await];
    let outside = calls(&batcher, 3..5).await;
    for call in late {
        check_expired(call).await;
    }
    settle().await;
    assert_eq!(batcher.snapshot().queued, 2);
    // Their time began when they came in.
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled(3..5, answers(outside).await);
}

#[tokio::test(start_paused = true)]
async fn nothing_expires_that_was_sent_in_time() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS));
    for n in 0..50 {
        let calls = calls(&batcher, [2 * n, 2 * n + 1]).await;
        sleep(8 * MS).await;
        downstream.let_through(1);
        sleep(8 * MS).await;
        downstream.let_through(1);
        check_doubled([2 * n, 2 * n + 1], answers(calls).await);
        sleep(u64_ms(n)).await;
    }
}

fn u64_ms(n: u32) -> Duration {
    Duration::from_millis(u64::from(n))
}

#[tokio::test(start_paused = true)]
async fn an_item_expires_after_the_queue_was_empty_for_any_time() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS));
    for pause in [0, 1, 5, 9, 10, 11, 1_000] {
        let running = calls(&batcher, [0]).await;
        check_expired(begin(&batcher, 1).await).await;
        downstream.let_through(1);
        check_doubled([0], answers(running).await);
        settle().await;
        check_idle(&batcher);
        sleep(u64_ms(pause)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_with_the_same_item_expire_with_it() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS).dedup_by(|item| *item));
    let running = calls(&batcher, [0]).await;
    let late = [5, 5, 5].map(|n| begin(&batcher, n));
    for call in futures::future::join_all(late).await {
        check_expired(call).await;
    }
    // The key is free again.
    let again = calls(&batcher, [5, 5]).await;
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled([5, 5], answers(again).await);
    let items = [("ok", 2), ("deduplicated", 1), ("expired", 3)];
    check_outcomes(&registry, &items, &[("ok", 2)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_cancelled_does_not_expire() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS).queue_capacity(1));
    let running = calls(&batcher, [0]).await;
    let mut gone = batcher.call(1);
    waits(&mut gone);
    drop(gone);
    sleep(20 * MS).await;
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled([2], vec![ends(batcher.call(2)).await]);
    check_outcomes(&registry, &[("ok", 2), ("cancelled", 1)], &[("ok", 2)]);
}

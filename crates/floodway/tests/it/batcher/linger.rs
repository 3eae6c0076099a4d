//! How long a batch waits for company.

use floodway::{BatchSizing, Batcher};
use floodway_metrics::catalogue::batcher as catalogue;
use tokio::{
    task::JoinHandle,
    time::{Duration, Instant, sleep},
};

use super::kit::{
    Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle, doubled, ends,
    number, settle, waits,
};
use crate::support::{Bench, ms};

/// Calls for each of `items` after so many milliseconds; when each had its answer.
fn arrive(
    batcher: &Batcher<u32, u64, Trouble>,
    items: impl IntoIterator<Item = (u32, u64)>,
) -> Vec<JoinHandle<Duration>> {
    let began = Instant::now();
    let arrive = |(item, after)| {
        let batcher = batcher.clone();
        tokio::spawn(async move {
            sleep(ms(after)).await;
            assert_eq!(ends(batcher.call(item)).await.unwrap(), u64::from(item) * 2);
            began.elapsed()
        })
    };
    items.into_iter().map(arrive).collect()
}

/// They had their answers after so many milliseconds, or one more for the timer.
async fn check_times(calls: Vec<JoinHandle<Duration>>, millis: &[u64]) {
    assert_eq!(calls.len(), millis.len());
    for (call, millis) in calls.into_iter().zip(millis) {
        let took = call.await.unwrap();
        assert!(took >= ms(*millis) && took <= ms(millis + 1), "{took:?}, not {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_without_one() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let began = Instant::now();
    for n in 0..10 {
        check_doubled([n], vec![ends(batcher.call(n)).await]);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_its_size_or_for_so_long_also_where_nothing_runs() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(3)).max_linger(10 * MS);
    let batcher = downstream.doubling(builder);
    // Full with the third; alone; two of them.
    let calls = arrive(&batcher, [(0, 0), (1, 4), (2, 8), (3, 30), (4, 50), (5, 55)]);
    check_times(calls, &[8, 8, 8, 40, 60, 60]).await;
    assert_eq!(downstream.batches(), [vec![0, 1, 2], vec![3], vec![4, 5]]);
    assert_eq!(number(&registry, &catalogue::FLUSHES, "size"), 1.0);
    assert_eq!(number(&registry, &catalogue::FLUSHES, "linger"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_heavy_enough_waits_no_longer() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let builder = builder.max_linger(10 * MS).max_weight(10, |item| u64::from(*item));
    let batcher = downstream.doubling(builder);
    // As heavy as may be; too heavy together, so that the second waits on its own.
    let calls = arrive(&batcher, [(4, 0), (6, 3), (5, 20), (9, 22)]);
    check_times(calls, &[3, 3, 22, 32]).await;
    assert_eq!(downstream.batches(), [vec![4, 6], vec![5], vec![9]]);
    assert_eq!(number(&registry, &catalogue::FLUSHES, "weight"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn what_remains_of_a_line_waits_from_its_own_arrival() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(2)).max_linger(10 * MS);
    let batcher = downstream.doubling(builder);
    let calls = arrive(&batcher, [(0, 0), (1, 9), (2, 9), (3, 18), (4, 18)]);
    check_times(calls, &[9, 9, 18, 18, 28]).await;
    assert_eq!(downstream.batches(), [vec![0, 1], vec![2, 3], vec![4]]);
}

#[tokio::test(start_paused = true)]
async fn each_partition_goes_on_its_own() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(2)).max_linger(10 * MS).max_in_flight(100);
    let batcher = downstream.doubling(builder.partition_by(|item| item / 10));
    let calls = arrive(&batcher, [(0, 0), (10, 2), (20, 4), (11, 5), (30, 6), (21, 13)]);
    check_times(calls, &[10, 5, 13, 5, 16, 13]).await;
    assert_eq!(downstream.batches(), [vec![10, 11], vec![0], vec![20, 21], vec![30]]);
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_full_waits_for_none_of_many_that_are_not() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(3)).max_linger(100 * MS).max_in_flight(500);
    let batcher = downstream.doubling(builder.partition_by(|item| item / 10));
    let early = calls(&batcher, (0..200).map(|key| key * 10)).await;
    let began = Instant::now();
    check_doubled(5_000..5_003, answers(calls(&batcher, 5_000..5_003).await).await);
    assert_eq!(began.elapsed(), Duration::ZERO);
    check_doubled((0..200).map(|key| key * 10), answers(early).await);
    assert!(began.elapsed() >= 100 * MS && began.elapsed() <= 101 * MS, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_still_full_waits_for_none_of_many_that_are_not() {
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(3)).max_linger(100 * MS);
    let batcher = builder
        .partition_by(|item| item / 100)
        .build(async |items: Vec<u32>| {
            sleep(MS).await;
            doubled(&items)
        })
        .unwrap();
    let early = calls(&batcher, (0..50).map(|key| key * 100)).await;
    let began = Instant::now();
    // Ten batches, one after the other.
    check_doubled(50_000..50_030, answers(calls(&batcher, 50_000..50_030).await).await);
    assert!(began.elapsed() <= 20 * MS, "{:?}", began.elapsed());
    check_doubled((0..50).map(|key| key * 100), answers(early).await);
}

#[tokio::test(start_paused = true)]
async fn no_partition_waits_longer_however_many_there_are() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(2)).max_linger(20 * MS).max_in_flight(1_000);
    let batcher = downstream.doubling(builder.partition_by(|item| item % 40));
    // Each has an odd number, in an order that leaves remainders behind fresh lines.
    let items = (0..120).map(|n| (n, u64::from(n) * 7 % 50));
    for (n, call) in arrive(&batcher, items).into_iter().enumerate() {
        let came = ms(n as u64 * 7 % 50);
        let waited = ends(call).await.unwrap() - came;
        assert!(waited <= 21 * MS, "{n}: {waited:?}");
    }
    assert!(downstream.batches().iter().all(|batch| batch.len() <= 2));
}

#[tokio::test(start_paused = true)]
async fn whose_time_was_over_while_no_slot_was_free_goes_when_there_is_one() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(9)).max_linger(10 * MS);
    let batcher = downstream.doubling(builder);
    let running = calls(&batcher, [0]).await;
    sleep(11 * MS).await;
    assert_eq!(downstream.batches(), [[0]]);
    let late = calls(&batcher, [1]).await;
    sleep(20 * MS).await;
    let fresh = calls(&batcher, [2]).await;
    downstream.let_through(2);
    settle().await;
    // The oldest has waited long enough, and takes all along.
    assert_eq!(downstream.batches(), [vec![0], vec![1, 2]]);
    check_doubled([0], answers(running).await);
    check_doubled([1], answers(late).await);
    check_doubled([2], answers(fresh).await);
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_not_held_meanwhile() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(9)).max_linger(10 * MS);
    let batcher = downstream.doubling(builder.limiter(&bench.limiter));
    let calls = calls(&batcher, [1]).await;
    for _ in 0..9 {
        bench.check(1, 0, 0);
        sleep(MS).await;
    }
    check_doubled([1], answers(calls).await);
    settle().await;
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_no_company() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(9)).max_linger(1_000 * MS).max_in_flight(9);
    let batcher = downstream.doubling(builder.partition_by(|item| item % 3));
    let calls = calls(&batcher, 0..6).await;
    let began = Instant::now();
    assert!(ends(batcher.drain(began + 1_000 * MS)).await.is_complete());
    assert_eq!(began.elapsed(), Duration::ZERO);
    check_doubled(0..6, answers(calls).await);
    assert_eq!(downstream.batches(), [[0, 3], [1, 4], [2, 5]]);
    assert_eq!(number(&registry, &catalogue::FLUSHES, "drain"), 3.0);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_it_waits_is_not_sent() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let builder = builder.sizing(BatchSizing::Fixed(3)).max_linger(10 * MS);
    let batcher = downstream.doubling(builder);
    let mut gone = batcher.call(0);
    waits(&mut gone);
    drop(gone);
    sleep(20 * MS).await;
    check_idle(&batcher);
    assert_eq!(downstream.batches(), [] as [Vec<u32>; 0]);
    assert_eq!(number(&registry, &catalogue::FLUSHES, ""), 0.0);
    // And the next are not in its time.
    let calls = arrive(&batcher, [(1, 0), (2, 5)]);
    check_times(calls, &[10, 10]).await;
}

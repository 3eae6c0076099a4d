//! Items that are the same are sent once.

use floodway_metrics::catalogue::batcher as catalogue;

use super::kit::{
    Downstream, answers, builder, calls, check_doubled, check_idle, check_outcomes, number, settle,
    waits, words,
};

#[tokio::test(start_paused = true)]
async fn equal_keys_share_an_item_and_its_answer() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.dedup_by(|item| item % 10));
    let running = calls(&batcher, [100]).await;
    let calls = calls(&batcher, [1, 2, 11, 3, 21, 2]).await;
    assert_eq!(batcher.snapshot().queued, 3, "items, not callers");
    downstream.let_through(2);
    check_doubled([100], answers(running).await);
    check_doubled([1, 2, 1, 3, 1, 2], answers(calls).await);
    assert_eq!(downstream.batches(), [vec![100], vec![1, 2, 3]]);
    check_outcomes(&registry, &[("ok", 4), ("deduplicated", 3)], &[("ok", 2)]);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_as_well() {
    use super::kit::Trouble;
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.judging(builder.dedup_by(|item| *item), |items| {
        Ok(items.iter().map(|_| Err(Trouble::Poison)).collect())
    });
    let calls = calls(&batcher, [1, 2, 2]).await;
    downstream.let_through(2);
    assert_eq!(words(&answers(calls).await), ["item Poison"; 3]);
    assert_eq!(downstream.batches(), [[1], [2]]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_sent_is_not_joined() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.dedup_by(|item| *item));
    let calls = calls(&batcher, [1, 1, 1]).await;
    downstream.let_through(2);
    check_doubled([1, 1, 1], answers(calls).await);
    assert_eq!(downstream.batches(), [[1], [1]]);
}

/// Three with the same item wait, and those of `leave` go away: the others have their answer, and
/// the item is sent if there are any.
async fn check_leave(leave: &[usize]) {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(3).dedup_by(|item| *item));
    let running = calls(&batcher, [9]).await;
    let mut callers: Vec<_> = (0..3).map(|_| Some(batcher.call(5))).collect();
    callers.iter_mut().flatten().for_each(waits);
    for gone in leave {
        callers[*gone] = None;
    }
    let stay: Vec<_> = callers.into_iter().flatten().map(tokio::spawn).collect();
    let stayed = stay.len();
    // The places of those who left are free.
    let others = calls(&batcher, (0..leave.len()).map(|n| 10 + n as u32)).await;
    assert_eq!(batcher.snapshot().queued, 1 + leave.len(), "{leave:?}");
    downstream.let_through(3);
    check_doubled([9], answers(running).await);
    check_doubled(vec![5; stayed], answers(stay).await);
    check_doubled((0..leave.len()).map(|n| 10 + n as u32), answers(others).await);
    let sent = downstream.batches()[1..].concat();
    assert_eq!(sent.iter().filter(|item| **item == 5).count(), usize::from(stayed > 0));
    let [left, stayed] = [leave.len(), stayed].map(|n| n as u32);
    let ok = 1 + left + u32::from(stayed > 0);
    let items = [("ok", ok), ("cancelled", left), ("deduplicated", stayed.saturating_sub(1))];
    check_outcomes(&registry, &items, &[("ok", 2)]);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_takes_nothing_from_the_others() {
    for leave in [&[0][..], &[1], &[2], &[0, 1], &[1, 0], &[0, 2], &[1, 2], &[0, 1, 2]] {
        check_leave(leave).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_all_have_left_is_not_forgotten() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.dedup_by(|item| *item));
    let running = calls(&batcher, [9]).await;
    let mut gone = batcher.call(5);
    waits(&mut gone);
    drop(gone);
    let again = calls(&batcher, [5, 5]).await;
    downstream.let_through(2);
    check_doubled([9], answers(running).await);
    check_doubled([5, 5], answers(again).await);
    assert_eq!(downstream.batches(), [[9], [5]]);
    let items = [("ok", 2), ("cancelled", 1), ("deduplicated", 1)];
    check_outcomes(&registry, &items, &[("ok", 2)]);
}

#[tokio::test(start_paused = true)]
async fn in_two_partitions_they_are_two_items() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.partition_by(|item| *item >= 100).dedup_by(|item| item % 100);
    let batcher = downstream.doubling(builder);
    let running = calls(&batcher, [9]).await;
    let calls = calls(&batcher, [5, 105, 5, 105]).await;
    downstream.let_through(3);
    check_doubled([9], answers(running).await);
    check_doubled([5, 105, 5, 105], answers(calls).await);
    assert_eq!(downstream.batches(), [[9], [5], [105]]);
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_has_a_place_of_its_own() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let builder = builder.queue_capacity(2).queue_full(floodway::batcher::QueueFull::Reject);
    let batcher = downstream.doubling(builder.dedup_by(|item| *item));
    let calls = calls(&batcher, [0, 5, 5, 5]).await;
    downstream.let_through(2);
    let full = "rejected: 2 callers wait, as many as may";
    assert_eq!(words(&answers(calls).await), ["0", "10", "10", full]);
    assert_eq!(number(&registry, &catalogue::REJECTED, "queue_full"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn they_weigh_once() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.max_weight(10, |item| u64::from(*item)).dedup_by(|item| *item);
    let batcher = downstream.doubling(builder);
    let calls = calls(&batcher, [1, 5, 5, 4, 5, 1]).await;
    downstream.let_through(2);
    check_doubled([1, 5, 5, 4, 5, 1], answers(calls).await);
    assert_eq!(downstream.batches(), [vec![1], vec![5, 4, 1]]);
}

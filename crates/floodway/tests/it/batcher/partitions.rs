//! Items of different keys never share a batch.

use std::collections::HashMap;

use allocation_counter::measure;
use floodway::{BatchSizing, Clock, Registry};

use tokio::time::{Instant, sleep, timeout};

use super::kit::{
    Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle, doubled, ends,
    settle, waits,
};

#[tokio::test(start_paused = true)]
async fn are_never_mixed() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.partition_by(|item| item % 7).max_in_flight(3);
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(5)));
    let calls = calls(&batcher, 0..500).await;
    downstream.let_through(1_000);
    check_doubled(0..500, answers(calls).await);
    let batches = downstream.batches();
    for batch in &batches {
        assert!(batch.iter().all(|item| item % 7 == batch[0] % 7), "{batch:?}");
        assert!(batch.is_sorted(), "first come, first served: {batch:?}");
        assert!(batch.len() <= 5);
    }
    let mut sent = batches.concat();
    sent.sort_unstable();
    assert_eq!(sent, (0..500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn take_turns_however_much_one_has() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.partition_by(|item| item / 1_000).sizing(BatchSizing::Fixed(2));
    let batcher = downstream.doubling(builder);
    let running = calls(&batcher, [1_000_000]).await;
    // Partition 0 comes first with a hundred items; the other 99 have three each.
    let mut items: Vec<u32> = (0..100).collect();
    items.extend((1..100).flat_map(|key| (0..3).map(move |n| key * 1_000 + n)));
    let calls = calls(&batcher, items.iter().copied()).await;
    downstream.let_through(1_000);
    check_doubled([1_000_000], answers(running).await);
    check_doubled(items, answers(calls).await);
    let keys: Vec<_> = downstream.batches()[1..].iter().map(|batch| batch[0] / 1_000).collect();
    let round: Vec<u32> = (0..100).collect();
    assert_eq!(keys[..100], round, "each once before anybody is sent twice");
    assert_eq!(keys[100..200], round);
    assert_eq!(keys[200..], [0; 48]);
}

#[tokio::test(start_paused = true)]
async fn take_turns_with_one_that_is_always_busy() {
    let (_registry, builder) = builder();
    let builder = builder.partition_by(|item| *item >= 1_000).sizing(BatchSizing::Fixed(2));
    let batcher = builder
        .build(async |items: Vec<u32>| {
            sleep(10 * MS).await;
            doubled(&items)
        })
        .unwrap();
    // Two callers who come again as soon as they have their answer.
    let busy = [0, 1].map(|n| {
        let batcher = batcher.clone();
        tokio::spawn(async move {
            loop {
                ends(batcher.call(n)).await.unwrap();
            }
        })
    });
    sleep(100 * MS).await;
    let began = Instant::now();
    let calls = calls(&batcher, 1_000..1_100).await;
    let answers = timeout(5_000 * MS, answers(calls)).await;
    check_doubled(1_000..1_100, answers.expect("they have their turn"));
    // 50 batches of theirs and one of the others between each two.
    let took = began.elapsed();
    assert!(took <= 1_050 * MS, "{took:?}");
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn whose_items_were_all_cancelled_take_no_turn() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.partition_by(|item| *item));
    let running = calls(&batcher, [1_000]).await;
    let mut gone: Vec<_> = (0..50).map(|n| batcher.call(n)).collect();
    gone.iter_mut().for_each(waits);
    let stay = calls(&batcher, [7]).await;
    drop(gone);
    downstream.let_through(2);
    check_doubled([1_000], answers(running).await);
    check_doubled([7], answers(stay).await);
    assert_eq!(downstream.batches(), [[1_000], [7]]);
    settle().await;
    check_idle(&batcher);
}

#[test]
fn that_are_empty_are_forgotten() {
    let run = |keys: std::ops::Range<u64>| {
        let registry = Registry::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let batcher = floodway::Batcher::<u64, u64, Trouble>::builder("test")
            .registry(&registry)
            .clock(Clock::tokio())
            .max_in_flight(1)
            .partition_by(|item| *item)
            .dedup_by(|item| *item)
            .build_atomic(|items| async move { Ok(items) })
            .unwrap();
        measure(|| {
            runtime.block_on(async {
                for first in keys.clone().step_by(100) {
                    let calls = (first..first + 100).map(|key| batcher.call(key));
                    let answers = futures::future::join_all(calls).await;
                    assert!(
                        answers.iter().zip(first..).all(|(a, key)| *a.as_ref().unwrap() == key)
                    );
                }
                settle().await;
            });
        })
    };
    run(0..1_000);
    let few = run(0..5_000);
    let many = run(0..300_000);
    let grown = many.bytes_current - few.bytes_current;
    assert!(grown <= 1_024, "{} and {} bytes stay", few.bytes_current, many.bytes_current);
    let most = many.bytes_max.saturating_sub(few.bytes_max);
    assert!(most <= 4_096, "{} and {} bytes at most", few.bytes_max, many.bytes_max);
}

#[tokio::test(start_paused = true)]
async fn are_as_many_as_may_wait() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(100_000).partition_by(|item| *item));
    let calls = calls(&batcher, 0..20_000).await;
    check_doubled(0..20_000, answers(calls).await);
    let mut seen = HashMap::new();
    for batch in downstream.batches() {
        assert_eq!(batch.len(), 1);
        *seen.entry(batch[0]).or_insert(0) += 1;
    }
    assert!(seen.len() == 20_000 && seen.values().all(|times| *times == 1));
}

//! How many items a batch has, and how heavy it is.

use floodway::{BatchError, BatchRejected, BatchSizing};
use floodway_metrics::catalogue::batcher as catalogue;

use super::kit::{Downstream, answers, builder, calls, check_doubled, check_idle, number, words};

#[tokio::test(start_paused = true)]
async fn a_fixed_size_is_the_most() {
    for size in [1, 2, 3, 7, 64] {
        let downstream = Downstream::gated();
        let (registry, builder) = builder();
        let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(size)));
        let calls = calls(&batcher, 0..100).await;
        downstream.let_through(1_000);
        check_doubled(0..100, answers(calls).await);
        let batches = downstream.batches();
        assert_eq!(batches.concat(), (0..100).collect::<Vec<_>>(), "first come, first served");
        let mut sizes = batches.iter().map(Vec::len);
        // The first finds nothing in flight, and all others wait for it.
        assert_eq!(sizes.next(), Some(1));
        let full = 99 / size;
        let rest = 99 % size;
        assert!(sizes.by_ref().take(full).all(|items| items == size), "{batches:?}");
        assert_eq!(sizes.next(), (rest > 0).then_some(rest), "{batches:?}");
        assert_eq!(sizes.next(), None);
        assert_eq!(number(&registry, &catalogue::BATCHES, "ok") as usize, batches.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_no_heavier_than_the_maximum() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    // An item weighs itself.
    let batcher = downstream.doubling(builder.max_weight(10, |item| u64::from(*item)));
    let items = [0, 4, 6, 1, 10, 0, 9, 2, 5, 5, 10, 3];
    let calls = calls(&batcher, items).await;
    downstream.let_through(100);
    check_doubled(items, answers(calls).await);
    let batches: [&[u32]; 8] = [&[0], &[4, 6], &[1], &[10, 0], &[9], &[2, 5], &[5], &[10]];
    assert_eq!(downstream.batches()[..8], batches);
    assert_eq!(downstream.batches()[8..], [[3]]);
}

#[tokio::test(start_paused = true)]
async fn an_item_as_heavy_as_the_maximum_goes_alone() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_weight(10, |item| u64::from(*item)));
    let items = [1, 1, 10, 1];
    let calls = calls(&batcher, items).await;
    downstream.let_through(100);
    check_doubled(items, answers(calls).await);
    assert_eq!(downstream.batches(), [[1], [1], [10], [1]]);
}

#[tokio::test(start_paused = true)]
async fn an_item_heavier_than_the_maximum_is_refused_alone() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_weight(10, |item| u64::from(*item)));
    let calls = calls(&batcher, [1, 2, 11, 3, u32::MAX]).await;
    downstream.let_through(100);
    let mut answers = answers(calls).await;
    let heaviest = answers.pop().expect("five");
    let heavy = answers.remove(2);
    check_doubled([1, 2, 3], answers);
    for (answer, item) in [(heavy, 11), (heaviest, u64::from(u32::MAX))] {
        match answer {
            Err(BatchError::Rejected(BatchRejected::Weight { weight, max: 10 })) => {
                assert_eq!(weight, item);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(downstream.batches(), [vec![1], vec![2, 3]]);
    assert_eq!(number(&registry, &catalogue::REJECTED, "weight"), 2.0);
    assert_eq!(number(&registry, &catalogue::ITEMS, "rejected"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn weights_of_all_the_numbers_there_are_do_not_overflow() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_weight(u64::MAX, |_| u64::MAX));
    let calls = calls(&batcher, 0..5).await;
    downstream.let_through(100);
    check_doubled(0..5, answers(calls).await);
    // Two of them weigh as much as can be counted, which is what is allowed.
    assert!(downstream.batches().iter().all(|batch| batch.len() <= 4));
    super::kit::settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn items_of_no_weight_are_limited_by_their_number_alone() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(4)).max_weight(1, |_| 0));
    let calls = calls(&batcher, 0..9).await;
    downstream.let_through(100);
    check_doubled(0..9, answers(calls).await);
    assert_eq!(downstream.batches().iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 4]);
}

#[tokio::test(start_paused = true)]
async fn no_more_batches_run_than_may() {
    for at_once in [1, 2, 5] {
        let downstream = Downstream::gated();
        let (_registry, builder) = builder();
        let builder = builder.sizing(BatchSizing::Fixed(1)).max_in_flight(at_once);
        let batcher = downstream.doubling(builder);
        let calls = calls(&batcher, 0..20).await;
        assert_eq!(downstream.batches().len(), at_once);
        let snapshot = batcher.snapshot();
        assert_eq!(snapshot.in_flight, at_once);
        assert_eq!(snapshot.in_flight_limit, at_once);
        assert_eq!(snapshot.queued, 20 - at_once);
        for ended in 1..=20 {
            downstream.let_through(1);
            super::kit::settle().await;
            assert_eq!(downstream.batches().len(), (at_once + ended).min(20));
        }
        check_doubled(0..20, answers(calls).await);
        check_idle(&batcher);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_go_to_those_who_asked_whatever_their_order() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    // Odd numbers fail, each with its own error.
    let batcher = downstream.judging(builder, |items| {
        let answer = |item: &u32| match item % 2 {
            0 => Ok(u64::from(*item)),
            _ => Err(super::kit::Trouble::Poison),
        };
        Ok(items.iter().map(answer).collect())
    });
    let calls = calls(&batcher, (0..50).rev()).await;
    let found = words(&answers(calls).await);
    let expected = (0..50).rev().map(|n: u32| match n % 2 {
        0 => n.to_string(),
        _ => "item Poison".to_owned(),
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

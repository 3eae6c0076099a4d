//! Sizes that follow what is measured; what the sizer makes of it has tests of its own.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use floodway::{BatchSizing, Batcher, OnBatchError};
use futures::future::join_all;
use tokio::time::{Duration, Instant, sleep};

use super::kit::{
    Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle, doubled, ends,
    settle,
};

fn sizing(max_size: usize) -> BatchSizing {
    BatchSizing::Adaptive { overhead: 0.05, max_size }
}

type Sizes = Arc<Mutex<Vec<usize>>>;

/// Batches take `fixed` and as much as `each` for each item, one at a time.
fn costly(max_size: usize, fixed: Duration, each: Duration) -> (Batcher<u32, u64, Trouble>, Sizes) {
    let (_registry, builder) = builder();
    let sizes = Sizes::default();
    let seen = Arc::clone(&sizes);
    let batcher = builder.sizing(sizing(max_size)).build(move |items: Vec<u32>| {
        seen.lock().unwrap().push(items.len());
        async move {
            sleep(fixed + each * items.len() as u32).await;
            doubled(&items)
        }
    });
    (batcher.unwrap(), sizes)
}

/// So many callers, each with so many calls one after the other.
async fn load(batcher: &Batcher<u32, u64, Trouble>, callers: u32, each: u32) {
    let callers = (0..callers).map(|caller| async move {
        for n in 0..each {
            assert_eq!(ends(batcher.call(caller + n)).await.unwrap(), u64::from(caller + n) * 2);
        }
    });
    join_all(callers).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_does_not_wait() {
    let (batcher, _) = costly(64, 10 * MS, MS);
    for n in 0..100 {
        let began = Instant::now();
        check_doubled([n], vec![ends(batcher.call(n)).await]);
        assert!(began.elapsed() <= 12 * MS, "{n}: {:?}", began.elapsed());
        sleep(7 * MS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn batches_grow_where_the_overhead_is_large() {
    let (batcher, sizes) = costly(1_024, 50 * MS, MS);
    let began = Instant::now();
    load(&batcher, 100, 50).await;
    let took = began.elapsed();
    let alone = 5_000 * 51 * MS;
    assert!(took < alone / 10, "{took:?} of {alone:?}");
    let sizes = sizes.lock().unwrap();
    assert!(sizes.iter().all(|size| (1..=100).contains(size)));
    let estimate = batcher.snapshot().estimate;
    let overhead = estimate.overhead.expect("measured").as_secs_f64();
    let item = estimate.item_cost.expect("measured").as_secs_f64();
    assert!((0.04..0.06).contains(&overhead), "{overhead}");
    assert!((0.0008..0.0012).contains(&item), "{item}");
    assert!(estimate.avoided_seconds > estimate.overhead_seconds);
}

#[tokio::test(start_paused = true)]
async fn batches_that_take_no_time_at_all_say_nothing_that_is_no_number() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.sizing(sizing(16)));
    load(&batcher, 20, 100).await;
    assert!(downstream.batches().iter().all(|batch| (1..=16).contains(&batch.len())));
    let snapshot = batcher.snapshot();
    let estimate = snapshot.estimate;
    for number in [
        estimate.overhead_seconds,
        estimate.work_seconds,
        estimate.avoided_seconds,
        estimate.residual,
    ] {
        assert!(number.is_finite() && number >= 0.0, "{estimate:?}");
    }
    assert!((1..=16).contains(&snapshot.target.items));
}

#[tokio::test(start_paused = true)]
async fn no_batch_is_larger_than_the_maximum_whatever_is_measured() {
    for max_size in [1, 2, 5, 17] {
        let (batcher, sizes) = costly(max_size, 50 * MS, MS);
        load(&batcher, 60, 10).await;
        let sizes = sizes.lock().unwrap();
        assert!(sizes.iter().all(|size| (1..=max_size).contains(size)), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 600);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_teach_nothing_of_costs() {
    let (_registry, builder) = builder();
    let batcher = builder
        .sizing(sizing(64))
        .on_batch_error(OnBatchError::Bisect { max_calls: 13, when: |_| true })
        .build(async |items: Vec<u32>| {
            sleep(MS).await;
            if items.len() > 1 { Err(Trouble::Down) } else { Err(Trouble::Poison) }
        })
        .unwrap();
    let calls = calls(&batcher, 0..200).await;
    assert!(answers(calls).await.iter().all(Result::is_err));
    let estimate = batcher.snapshot().estimate;
    assert_eq!((estimate.overhead, estimate.pairs), (None, 0), "{estimate:?}");
    settle().await;
    check_idle(&batcher);
}

/// A downstream that takes `most` items, and how often it refused.
fn choosy(most: &Arc<AtomicUsize>) -> (Batcher<u32, u64, Trouble>, Arc<AtomicUsize>) {
    let (_registry, builder) = builder();
    let refused = Arc::<AtomicUsize>::default();
    let (most, count) = (Arc::clone(most), Arc::clone(&refused));
    let batcher = builder
        .sizing(BatchSizing::Fixed(256))
        .too_large_when(|error| *error == Trouble::TooLarge)
        .build(move |items: Vec<u32>| {
            let fits = items.len() <= most.load(Ordering::Relaxed);
            count.fetch_add(usize::from(!fits), Ordering::Relaxed);
            async move {
                sleep(MS).await;
                if fits { doubled(&items) } else { Err(Trouble::TooLarge) }
            }
        });
    (batcher.unwrap(), refused)
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_learnt() {
    let most = Arc::new(AtomicUsize::new(20));
    let (batcher, refused) = choosy(&most);
    assert_eq!(batcher.snapshot().max_weight, None);
    load(&batcher, 200, 1).await;
    let learnt = batcher.snapshot().max_weight.expect("learnt");
    assert!((10..=24).contains(&learnt), "{learnt}");
    // It tries again what was too much, and not often.
    refused.store(0, Ordering::Relaxed);
    load(&batcher, 200, 20).await;
    let refusals = refused.load(Ordering::Relaxed);
    assert!(refusals <= 20, "{refusals} of at least 200 batches");
}

#[tokio::test(start_paused = true)]
async fn what_was_too_large_once_is_tried_again() {
    let most = Arc::new(AtomicUsize::new(20));
    let (batcher, refused) = choosy(&most);
    load(&batcher, 30, 2).await;
    let learnt = batcher.snapshot().max_weight.expect("learnt");
    assert!((10..30).contains(&learnt), "{learnt}");
    refused.store(0, Ordering::Relaxed);
    most.store(1_000, Ordering::Relaxed);
    load(&batcher, 200, 120).await;
    let unlearnt = batcher.snapshot().max_weight;
    assert!(unlearnt.is_none_or(|max| max > 2 * learnt), "{unlearnt:?} of {learnt}");
    assert_eq!(refused.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_configured_weight_is_never_exceeded_by_what_is_learnt() {
    let (_registry, builder) = builder();
    let batcher = builder
        .max_weight(100, |item| u64::from(*item))
        .too_large_when(|error| *error == Trouble::TooLarge)
        .build(async |items: Vec<u32>| {
            let weight: u32 = items.iter().sum();
            assert!(weight <= 100);
            sleep(MS).await;
            if weight > 60 { Err(Trouble::TooLarge) } else { doubled(&items) }
        })
        .unwrap();
    for _ in 0..50 {
        let calls = calls(&batcher, 1..30).await;
        check_doubled(1..30, answers(calls).await);
        let max = batcher.snapshot().max_weight.expect("configured");
        assert!((27..=100).contains(&max), "{max}");
    }
    // What a learnt maximum would not take goes alone.
    check_doubled([60], vec![ends(batcher.call(60)).await]);
}

#[tokio::test(start_paused = true)]
async fn weights_beyond_counting_are_halved_as_well() {
    let (_registry, builder) = builder();
    let batcher = builder
        .max_weight(u64::MAX, |_| u64::MAX / 2 + 1)
        .too_large_when(|error| *error == Trouble::TooLarge)
        .build(async |items: Vec<u32>| {
            sleep(MS).await;
            if items.len() > 1 { Err(Trouble::TooLarge) } else { doubled(&items) }
        })
        .unwrap();
    let calls = calls(&batcher, 0..9).await;
    check_doubled(0..9, answers(calls).await);
}

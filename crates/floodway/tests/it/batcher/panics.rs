//! Foreign code that panics: the trouble of whoever it belongs to, and never of the next one.

use std::{
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll},
};

use floodway::{BatchError, Batcher, OnBatchError, batcher::QueueFull};
use futures::FutureExt;
use tokio::sync::Semaphore;

use super::kit::{
    Answer, Answers, Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle,
    check_outcomes, doubled, ends, settle, waits, words,
};
use crate::support::Bench;

fn panics() -> ! {
    resume_unwind(Box::new("on purpose"))
}

const PANIC: &str = "panic on purpose";

/// Three items fail together, and then two work.
async fn check_batch(batcher: &Batcher<u32, u64, Trouble>, registry: &floodway::Registry) {
    let failed = calls(batcher, [7, 7, 7]).await;
    assert_eq!(words(&answers(failed).await), [PANIC; 3]);
    let fine = calls(batcher, [1, 2]).await;
    check_doubled([1, 2], answers(fine).await);
    settle().await;
    check_idle(batcher);
    check_outcomes(registry, &[("ok", 2), ("batch_error", 3)], &[("ok", 2), ("panicked", 2)]);
}

#[tokio::test(start_paused = true)]
async fn the_function_before_there_is_a_future() {
    let (registry, builder) = builder();
    let batcher = builder.build(|items: Vec<u32>| {
        if items.contains(&7) {
            panics();
        }
        async move { doubled(&items) }
    });
    check_batch(&batcher.unwrap(), &registry).await;
}

#[tokio::test(start_paused = true)]
async fn the_future() {
    for waits in [false, true] {
        let (registry, builder) = builder();
        let batcher = builder.build(move |items: Vec<u32>| async move {
            if waits {
                tokio::time::sleep(MS).await;
            }
            if items.contains(&7) {
                panics();
            }
            doubled(&items)
        });
        check_batch(&batcher.unwrap(), &registry).await;
    }
}

/// Gives its answers, and panics when it is dropped.
struct Last(Vec<u32>);

impl Future for Last {
    type Output = Answers;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(doubled(&self.0))
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        if self.0.contains(&7) {
            panics();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_drop_of_the_future() {
    let (registry, builder) = builder();
    let batcher = builder.build(Last).unwrap();
    check_batch(&batcher, &registry).await;
}

/// An item that cannot be copied if it is a 7.
#[derive(Debug)]
struct Fragile(u32);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        if self.0 == 7 {
            panics();
        }
        Self(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn the_clone_of_an_item() {
    let batcher = Batcher::builder("test")
        .registry(&floodway::Registry::new())
        .on_batch_error(OnBatchError::Bisect { max_calls: 99, when: |_: &Trouble| true })
        .max_in_flight(1)
        .build_atomic(|items: Vec<Fragile>| async move {
            Ok(items.into_iter().map(|item| item.0).collect())
        })
        .unwrap();
    let [fine, bad, beside, later] = [1, 7, 2, 3].map(|n| tokio::spawn(batcher.call(Fragile(n))));
    assert_eq!(ends(fine).await.unwrap().unwrap(), 1);
    for call in [bad, beside, later] {
        let failed = ends(call).await.unwrap();
        assert!(matches!(failed, Err(BatchError::Panicked(_))), "{failed:?}");
    }
    assert_eq!(ends(batcher.call(Fragile(4))).await.unwrap(), 4);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn the_judgement_of_an_error() {
    let judge = |_: &Trouble| -> bool { panics() };
    for case in 0..3 {
        let (_registry, builder) = builder();
        let builder = match case {
            0 => builder.too_large_when(judge),
            1 => builder.on_batch_error(OnBatchError::Bisect { max_calls: 9, when: judge }),
            _ => builder.on_batch_error(OnBatchError::Retry {
                max_calls: 9,
                backoff: MS,
                when: judge,
            }),
        };
        let downstream = Downstream::gated();
        let batcher = downstream.judging(builder, |items| match items {
            [_] => doubled(items),
            _ => Err(Trouble::Down),
        });
        let calls = calls(&batcher, 0..3).await;
        downstream.let_through(9);
        assert_eq!(words(&answers(calls).await), ["0", "batch Down", "batch Down"]);
        assert_eq!(downstream.batches().len(), 2);
        check_doubled([4], vec![ends(batcher.call(4)).await]);
        settle().await;
        check_idle(&batcher);
    }
}

/// Who calls with a 7 has the panic and nobody else; afterwards as many may wait as before.
async fn check_key(batcher: Batcher<u32, u64, Trouble>, downstream: Downstream) {
    let calls_7 = || async {
        let call = std::panic::AssertUnwindSafe(batcher.call(7)).catch_unwind();
        ends(call).await.expect_err("it panics");
    };
    for _ in 0..20 {
        calls_7().await;
    }
    check_idle(&batcher);
    // One runs, three wait, one waits for room.
    let running = calls(&batcher, 0..4).await;
    assert_eq!(batcher.snapshot().queued, 3, "room for as many as ever");
    let outside = tokio::spawn(batcher.call(7));
    let after = tokio::spawn(batcher.call(8));
    settle().await;
    downstream.let_through(100);
    assert!(ends(outside).await.unwrap_err().is_panic());
    check_doubled(0..4, answers(running).await);
    check_doubled([8], answers(vec![after]).await);
    let again = calls(&batcher, 10..50).await;
    check_doubled(10..50, answers(again).await);
    settle().await;
    check_idle(&batcher);
}

fn fragile(item: &u32) -> u64 {
    if *item == 7 { panics() } else { u64::from(*item) }
}

#[tokio::test(start_paused = true)]
async fn the_weight_of_an_item() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.queue_capacity(3).queue_full(QueueFull::Wait);
    let batcher = downstream.doubling(builder.max_weight(1_000, fragile));
    // The weight is asked for before there is a place in the queue, so nobody waits with a 7.
    check_key(batcher, downstream).await;
}

#[tokio::test(start_paused = true)]
async fn the_partition_of_an_item() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let partition = |item: &u32| fragile(item) > 1_000;
    let batcher = downstream.doubling(builder.queue_capacity(3).partition_by(partition));
    check_key(batcher, downstream).await;
}

#[tokio::test(start_paused = true)]
async fn the_key_of_an_item() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(3).dedup_by(fragile));
    check_key(batcher, downstream).await;
}

/// An answer that panics once: when it is copied or when it is dropped.
#[derive(Debug)]
struct Bomb {
    copied: bool,
    dropped: bool,
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        if self.copied {
            panics();
        }
        Self { ..*self }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.dropped {
            panics();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_copy_of_an_answer_is_missed_by_the_twin_alone() {
    let batcher = Batcher::<u32, Bomb, Trouble>::builder("test")
        .registry(&floodway::Registry::new())
        .max_in_flight(1)
        .dedup_by(|item| *item)
        .build_atomic(|items| async move {
            let bomb = |item| Bomb { copied: item == 7, dropped: false };
            Ok(items.into_iter().map(bomb).collect())
        })
        .unwrap();
    let [first, seven, twin, other] = [1, 7, 7, 2].map(|n| tokio::spawn(batcher.call(n)));
    for call in [first, seven, other] {
        assert!(ends(call).await.unwrap().is_ok());
    }
    assert!(matches!(ends(twin).await.unwrap(), Err(BatchError::Panicked(_))));
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn the_drop_of_an_answer_for_nobody_leaves_the_others_theirs() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let batcher = Batcher::<u32, Bomb, Trouble>::builder("test")
        .registry(&floodway::Registry::new())
        .max_in_flight(1)
        .build_atomic(|items| async move {
            GATE.acquire().await.unwrap().forget();
            let bomb = |item| Bomb { copied: false, dropped: item == 7 };
            Ok(items.into_iter().map(bomb).collect())
        })
        .unwrap();
    let first = tokio::spawn(batcher.call(0));
    settle().await;
    let before = tokio::spawn(batcher.call(1));
    settle().await;
    let mut seven = batcher.call(7);
    waits(&mut seven);
    let after = tokio::spawn(batcher.call(2));
    settle().await;
    GATE.add_permits(1);
    assert!(ends(first).await.unwrap().is_ok());
    settle().await;
    // It is in flight, and goes.
    drop(seven);
    GATE.add_permits(100);
    // Whether they have their answers or an error: they do not wait for ever.
    let _ = ends(before).await.unwrap();
    let _ = ends(after).await.unwrap();
    settle().await;
    check_idle(&batcher);
    assert!(ends(batcher.call(3)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn every_panic_gives_its_permit_back() {
    let bench = Bench::new(|b| b.limit(1));
    let (_registry, builder) = builder();
    let batcher = builder
        .limiter(&bench.limiter)
        .build(|items: Vec<u32>| async move {
            if items.contains(&7) {
                panics();
            }
            doubled(&items)
        })
        .unwrap();
    for _ in 0..10 {
        let answer: Answer = ends(batcher.call(7)).await;
        assert_eq!(words(&[answer]), [PANIC]);
        check_doubled([1], vec![ends(batcher.call(1)).await]);
    }
    settle().await;
    check_idle(&batcher);
    bench.check(1, 0, 0);
}

/// An item that panics when it is dropped, if it is a 7.
#[derive(Debug)]
struct Heavy(u32);

impl Drop for Heavy {
    fn drop(&mut self) {
        if self.0 == 7 && !std::thread::panicking() {
            panics();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_drop_of_an_item_for_nobody_costs_no_slot() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let batcher = Batcher::<Heavy, u32, Trouble>::builder("test")
        .registry(&floodway::Registry::new())
        .max_in_flight(1)
        .build_atomic(|items| async move {
            GATE.acquire().await.unwrap().forget();
            Ok(items.iter().map(|item| item.0).collect())
        })
        .unwrap();
    let first = tokio::spawn(batcher.call(Heavy(0)));
    settle().await;
    let mut seven = batcher.call(Heavy(7));
    waits(&mut seven);
    let after = tokio::spawn(batcher.call(Heavy(1)));
    settle().await;
    drop(seven);
    GATE.add_permits(100);
    assert_eq!(ends(first).await.unwrap().unwrap(), 0);
    // An answer or an error, but no wait for ever.
    let _ = ends(after).await.unwrap();
    settle().await;
    check_idle(&batcher);
    assert_eq!(ends(batcher.call(Heavy(2))).await.unwrap(), 2);
}

//! Callers who go away.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use floodway::{BatchSizing, Batcher};
use tokio::time::sleep;

use super::kit::{
    Downstream, MS, answers, builder, calls, check_doubled, check_idle, check_outcomes, ends,
    settle, waits,
};
use crate::support::Bench;

#[tokio::test(start_paused = true)]
async fn before_the_first_poll_nothing_was_asked() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    drop(batcher.call(1));
    settle().await;
    assert_eq!(downstream.batches(), [] as [Vec<u32>; 0]);
    check_outcomes(&registry, &[], &[]);
}

#[tokio::test(start_paused = true)]
async fn while_they_wait_for_room_leave_their_turn_to_the_next() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(1));
    let inside = calls(&batcher, 0..2).await;
    let mut outside: Vec<_> = (2..7).map(|n| batcher.call(n)).collect();
    outside.iter_mut().for_each(waits);
    // The first, one in the middle and the last.
    drop(outside.remove(4));
    drop(outside.remove(2));
    drop(outside.remove(0));
    let outside: Vec<_> = outside.into_iter().map(tokio::spawn).collect();
    downstream.let_through(100);
    check_doubled(0..2, answers(inside).await);
    check_doubled([3, 5], answers(outside).await);
    assert_eq!(downstream.batches(), [[0], [1], [3], [5]]);
    check_outcomes(&registry, &[("ok", 4), ("cancelled", 3)], &[("ok", 4)]);
}

#[tokio::test(start_paused = true)]
async fn in_the_queue_make_room_at_once() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(2));
    let running = calls(&batcher, [0]).await;
    let mut queued: Vec<_> = (1..3).map(|n| batcher.call(n)).collect();
    queued.iter_mut().for_each(waits);
    let outside = calls(&batcher, 3..5).await;
    drop(queued);
    settle().await;
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled(3..5, answers(outside).await);
    assert_eq!(downstream.batches(), [vec![0], vec![3, 4]]);
    check_outcomes(&registry, &[("ok", 3), ("cancelled", 2)], &[("ok", 2)]);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn in_flight_are_not_heard_of_and_their_items_are_done() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let mut gone = batcher.call(0);
    waits(&mut gone);
    settle().await;
    drop(gone);
    assert_eq!(batcher.snapshot().in_flight, 1, "it goes on");
    downstream.let_through(1);
    settle().await;
    check_idle(&batcher);
    check_outcomes(&registry, &[("ok", 1)], &[("ok", 1)]);
}

#[tokio::test(start_paused = true)]
async fn with_an_answer_that_they_did_not_take() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let mut gone = batcher.call(0);
    waits(&mut gone);
    settle().await;
    check_idle(&batcher);
    drop(gone);
    check_outcomes(&registry, &[("ok", 1)], &[("ok", 1)]);
}

#[tokio::test(start_paused = true)]
async fn all_of_them_leave_no_batch_of_nobody() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(10)));
    let running = calls(&batcher, [0]).await;
    let mut gone: Vec<_> = (1..1_000).map(|n| batcher.call(n)).collect();
    gone.iter_mut().for_each(waits);
    let last = calls(&batcher, [1_000]).await;
    drop(gone);
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled([1_000], answers(last).await);
    assert_eq!(downstream.batches(), [[0], [1_000]]);
    check_outcomes(&registry, &[("ok", 2), ("cancelled", 999)], &[("ok", 2)]);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn do_not_pile_up_behind_a_batch_that_takes_long() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(10));
    let running = calls(&batcher, [0]).await;
    let mut most = 0;
    for n in 1..10_000 {
        let mut call = batcher.call(n);
        waits(&mut call);
        most = most.max(batcher.snapshot().queued);
    }
    assert!(most < 200, "{most} wait, of which all but one have gone");
    downstream.let_through(1);
    check_doubled([0], answers(running).await);
    settle().await;
    check_idle(&batcher);
    assert_eq!(downstream.batches(), [[0]]);
}

/// A batcher whose batches take 100 ms, and how many of them were begun and ended.
fn slow(
    abort: bool,
    bench: &Bench,
) -> (Batcher<u32, u64, super::kit::Trouble>, [Arc<AtomicUsize>; 2]) {
    struct Begun(Arc<AtomicUsize>);
    impl Drop for Begun {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let [ended, dropped] = [Arc::<AtomicUsize>::default(), Arc::default()];
    let (_registry, builder) = builder();
    let builder = if abort { builder.abort_abandoned() } else { builder };
    let builder = builder.limiter(&bench.limiter).dedup_by(|item| *item);
    let counts = [Arc::clone(&ended), Arc::clone(&dropped)];
    let batcher = builder.build_atomic(move |items| {
        let begun = Begun(Arc::clone(&dropped));
        let ended = Arc::clone(&ended);
        async move {
            let _begun = begun;
            sleep(100 * MS).await;
            ended.fetch_add(1, Ordering::Relaxed);
            Ok(items.into_iter().map(|item| u64::from(item) * 2).collect())
        }
    });
    (batcher.unwrap(), counts)
}

#[track_caller]
fn check_counts(counts: &[Arc<AtomicUsize>; 2], ended: usize, dropped: usize) {
    let found = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    assert_eq!(found, [ended, dropped], "ended, dropped");
}

#[tokio::test(start_paused = true)]
async fn end_their_batch_only_if_that_was_asked_for() {
    for abort in [false, true] {
        let bench = Bench::new(|b| b.limit(1));
        let (batcher, counts) = slow(abort, &bench);
        let mut call = batcher.call(1);
        waits(&mut call);
        sleep(10 * MS).await;
        check_counts(&counts, 0, 0);
        drop(call);
        sleep(MS).await;
        check_counts(&counts, 0, usize::from(abort));
        bench.check(1, u32::from(!abort), 0);
        sleep(100 * MS).await;
        check_counts(&counts, usize::from(!abort), 1);
        bench.check(1, 0, 0);
        check_idle(&batcher);
        check_doubled([3], vec![ends(batcher.call(3)).await]);
    }
}

#[tokio::test(start_paused = true)]
async fn end_their_batch_only_if_all_have_gone() {
    // Items 1 and 2, two callers with item 3; each of the four stays once.
    for stays in 0..4 {
        let bench = Bench::new(|b| b.limit(1));
        let (batcher, counts) = slow(true, &bench);
        let first = calls(&batcher, [0]).await;
        let mut calls: Vec<_> = [1, 2, 3, 3].map(|n| batcher.call(n)).into();
        calls.iter_mut().for_each(waits);
        check_doubled([0], answers(first).await);
        sleep(10 * MS).await;
        check_counts(&counts, 1, 1);
        let item = [1, 2, 3, 3][stays];
        let stays = calls.remove(stays);
        drop(calls);
        sleep(10 * MS).await;
        check_counts(&counts, 1, 1);
        check_doubled([item], vec![ends(stays).await]);
        check_counts(&counts, 2, 2);
        settle().await;
        check_idle(&batcher);
        bench.check(1, 0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn end_their_batch_before_it_was_begun() {
    let bench = Bench::new(|b| b.limit(1));
    let (batcher, counts) = slow(true, &bench);
    let mut call = batcher.call(1);
    waits(&mut call);
    // The batch's task has not been polled.
    drop(call);
    sleep(MS).await;
    check_counts(&counts, 0, 0);
    check_idle(&batcher);
    bench.check(1, 0, 0);
    check_doubled([3], vec![ends(batcher.call(3)).await]);
}

#[tokio::test(start_paused = true)]
async fn those_with_the_item_of_somebody_who_stays_do_not_pile_up() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.dedup_by(|_| ()));
    let running = calls(&batcher, [0]).await;
    let stays = calls(&batcher, [5]).await;
    let leave = |n: u32| {
        for _ in 0..n {
            let mut gone = batcher.call(5);
            waits(&mut gone);
        }
    };
    leave(1_000);
    let grown = allocation_counter::measure(|| leave(10_000));
    assert!(grown.bytes_current <= 16_384, "{} bytes stay", grown.bytes_current);
    downstream.let_through(2);
    check_doubled([0], answers(running).await);
    check_doubled([5], answers(stays).await);
}

//! The end of a batcher: nothing is lost, and nothing comes after it.

use floodway::{BatchSizing, batcher::Drained};
use tokio::time::{Instant, sleep};

use super::kit::{
    Downstream, MS, answers, builder, calls, check_doubled, check_idle, check_outcomes, ends,
    settle, waits, words,
};
use crate::support::Bench;

const CLOSED: &str = "rejected: the batcher is closed";

#[track_caller]
fn check_drained(drained: Drained, refused: usize, in_flight: usize) {
    assert_eq!((drained.refused, drained.in_flight), (refused, in_flight));
    assert_eq!(drained.is_complete(), refused + in_flight == 0);
}

#[tokio::test(start_paused = true)]
async fn loses_nothing() {
    for (size, at_once) in [(1, 1), (3, 2), (1_000, 4)] {
        let (_registry, builder) = builder();
        let batcher = builder
            .sizing(BatchSizing::Fixed(size))
            .max_in_flight(at_once)
            .partition_by(|item| item % 3)
            .build_atomic(|items: Vec<u32>| async move {
                sleep(7 * MS).await;
                Ok(items.into_iter().map(|item| u64::from(item) * 2).collect())
            })
            .unwrap();
        let calls = calls(&batcher, 0..100).await;
        check_drained(ends(batcher.drain(Instant::now() + 10_000 * MS)).await, 0, 0);
        check_idle(&batcher);
        assert!(calls.iter().all(|call| call.is_finished()), "drained: all have their answers");
        check_doubled(0..100, answers(calls).await);
        assert!(batcher.snapshot().closed);
    }
}

#[tokio::test(start_paused = true)]
async fn that_takes_too_long_refuses_what_waits_and_leaves_what_runs() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(1)));
    let mut running = calls(&batcher, 0..5).await;
    let waiting = running.split_off(1);
    let began = Instant::now();
    check_drained(ends(batcher.drain(began + 50 * MS)).await, 4, 1);
    assert!(began.elapsed() >= 50 * MS && began.elapsed() <= 51 * MS);
    assert_eq!(words(&answers(waiting).await), [CLOSED; 4]);
    assert!(!running[0].is_finished());
    // Again, for what still runs.
    check_drained(ends(batcher.drain(Instant::now() + 50 * MS)).await, 0, 1);
    downstream.let_through(1);
    check_drained(ends(batcher.drain(Instant::now() + 50 * MS)).await, 0, 0);
    check_doubled([0], answers(running).await);
    assert_eq!(downstream.batches(), [[0]]);
    check_outcomes(&registry, &[("ok", 1), ("rejected", 4)], &[("ok", 1)]);
}

#[tokio::test(start_paused = true)]
async fn refuses_those_who_wait_for_room() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(2));
    let inside = calls(&batcher, 0..3).await;
    let outside = calls(&batcher, 3..6).await;
    let mut drain = Box::pin(batcher.drain(Instant::now() + 1_000 * MS));
    assert!(crate::support::is_pending(&mut drain).await);
    assert_eq!(words(&answers(outside).await), [CLOSED; 3]);
    downstream.let_through(2);
    check_drained(ends(drain).await, 0, 0);
    check_doubled(0..3, answers(inside).await);
    check_outcomes(&registry, &[("ok", 3), ("rejected", 3)], &[("ok", 2)]);
}

#[tokio::test(start_paused = true)]
async fn of_nothing_is_done_at_once_and_nothing_comes_after_it() {
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let began = Instant::now();
    for _ in 0..3 {
        check_drained(ends(batcher.drain(began + 1_000 * MS)).await, 0, 0);
    }
    check_drained(ends(batcher.drain(began)).await, 0, 0);
    assert!(began.elapsed().is_zero());
    let answers = answers(calls(&batcher.clone(), 0..3).await).await;
    assert_eq!(words(&answers), [CLOSED; 3]);
    check_outcomes(&registry, &[("rejected", 3)], &[]);
}

#[tokio::test(start_paused = true)]
async fn can_be_given_up_and_begun_again() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let calls = calls(&batcher, 0..5).await;
    let mut drain = Box::pin(batcher.drain(Instant::now() + 1_000 * MS));
    assert!(crate::support::is_pending(&mut drain).await);
    drop(drain);
    assert_eq!(words(&[ends(batcher.call(9)).await]), [CLOSED]);
    downstream.let_through(2);
    check_drained(ends(batcher.drain(Instant::now() + 1_000 * MS)).await, 0, 0);
    check_doubled(0..5, answers(calls).await);
}

#[tokio::test(start_paused = true)]
async fn by_several_at_once_ends_for_all_of_them() {
    // Nothing is in flight: the one who waits, waits for a permit.
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.limiter(&bench.limiter));
    let held = bench.take();
    let calls = calls(&batcher, 0..3).await;
    let began = Instant::now();
    let (short, long) = tokio::join!(
        ends(batcher.drain(began + 10 * MS)),
        ends(batcher.drain(began + 3_600_000 * MS)),
    );
    check_drained(short, 3, 0);
    check_drained(long, 0, 0);
    assert!(began.elapsed() < 100 * MS, "{:?}", began.elapsed());
    assert_eq!(words(&answers(calls).await), [CLOSED; 3]);
    drop(held);
    settle().await;
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn ends_when_the_last_who_waited_goes_away() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.limiter(&bench.limiter));
    let _held = bench.take();
    let mut calls: Vec<_> = (0..3).map(|n| batcher.call(n)).collect();
    calls.iter_mut().for_each(waits);
    let began = Instant::now();
    let leave = async {
        for call in calls {
            sleep(10 * MS).await;
            drop(call);
        }
    };
    let (drained, ()) = tokio::join!(ends(batcher.drain(began + 3_600_000 * MS)), leave);
    check_drained(drained, 0, 0);
    assert!(began.elapsed() < 100 * MS);
}

#[tokio::test(start_paused = true)]
async fn waits_for_no_one_who_was_refused_by_a_limiter() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.limiter(&bench.limiter));
    let _held = bench.take();
    let calls = calls(&batcher, 0..3).await;
    let close = async {
        sleep(10 * MS).await;
        bench.limiter.close();
    };
    let began = Instant::now();
    let (drained, ()) = tokio::join!(ends(batcher.drain(began + 1_000 * MS)), close);
    check_drained(drained, 0, 0);
    assert!(began.elapsed() < 100 * MS);
    assert_eq!(words(&answers(calls).await), ["rejected: a limiter does not admit batches"; 3]);
}

#[tokio::test(start_paused = true)]
async fn without_a_drain_calls_outlive_their_batcher() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let calls = calls(&batcher, 0..5).await;
    let never_polled = batcher.call(5);
    drop(batcher);
    let late = tokio::spawn(never_polled);
    downstream.let_through(3);
    check_doubled(0..5, answers(calls).await);
    check_doubled([5], answers(vec![late]).await);
    check_outcomes(&registry, &[("ok", 6)], &[("ok", downstream.batches().len() as u32)]);
}

#[tokio::test(start_paused = true)]
async fn a_close_sends_what_waits() {
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(2)));
    let calls = calls(&batcher, 0..5).await;
    batcher.close();
    batcher.close();
    assert_eq!(words(&[ends(batcher.call(9)).await]), [CLOSED]);
    downstream.let_through(3);
    check_doubled(0..5, answers(calls).await);
    assert_eq!(downstream.batches(), [vec![0], vec![1, 2], vec![3, 4]]);
}

//! Runtimes of callers that go away, and calls outside of any.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Waker},
};

use floodway::{BatchSizing, OnBatchError, batcher::Call};
use futures::FutureExt;
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use super::kit::{
    Downstream, MS, Trouble, all_items, answers, builder, calls, check_doubled, check_idle, ends,
    settle, waits, words,
};
use crate::support::Bench;

fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// Polls a call on `runtime`, which does the work that comes of it.
fn begin(runtime: &Runtime, call: &mut Call<u32, u64, Trouble>) {
    let _entered = runtime.enter();
    waits(call);
}

/// A batch was sent, or would have been, by a caller on a runtime that goes away.
fn check_gone(polled: bool) {
    let (a, b) = (paused(), paused());
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(2)));
    let mut lost = batcher.call(0);
    begin(&b, &mut lost);
    if polled {
        b.block_on(settle());
    }
    let queued = a.block_on(calls(&batcher, 1..6));
    assert_eq!(downstream.batches().len(), usize::from(polled));
    drop(b);
    a.block_on(async {
        assert_eq!(words(&[ends(lost).await]), ["Aborted"]);
        downstream.let_through(100);
        check_doubled(1..6, answers(queued).await);
        check_doubled(6..9, answers(calls(&batcher, 6..9).await).await);
        settle().await;
        check_idle(&batcher);
    });
    assert_eq!(all_items(&registry), 9.0);
}

#[test]
fn with_a_batch_in_flight_leave_the_others_theirs() {
    check_gone(true);
}

#[test]
fn before_the_batch_was_begun_leave_the_others_theirs() {
    check_gone(false);
}

#[test]
fn with_a_batch_that_was_to_be_tried_again() {
    let (a, b) = (paused(), paused());
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter).on_batch_error(OnBatchError::Retry {
        max_calls: 2,
        backoff: 1_000 * MS,
        when: |_| true,
    });
    let batcher = downstream.judging(builder, |items| match items {
        [0] => Err(Trouble::Down),
        items => super::kit::doubled(items),
    });
    let mut lost = batcher.call(0);
    begin(&b, &mut lost);
    b.block_on(settle());
    assert_eq!(downstream.batches(), [[0]]);
    drop(b);
    a.block_on(async {
        assert_eq!(words(&[ends(lost).await]), ["Aborted"]);
        check_doubled([1], vec![ends(batcher.call(1)).await]);
        settle().await;
        check_idle(&batcher);
        bench.check(1, 0, 0);
    });
}

#[test]
fn while_a_permit_is_waited_for_leave_that_to_others() {
    let (a, b) = (paused(), paused());
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.limiter(&bench.limiter));
    let held = bench.take();
    let mut first = batcher.call(0);
    begin(&b, &mut first);
    b.block_on(settle());
    bench.check(1, 1, 1);
    let queued = a.block_on(calls(&batcher, 1..4));
    drop(b);
    a.block_on(async {
        settle().await;
        bench.check(1, 1, 1);
        drop(held);
        check_doubled(1..4, answers(queued).await);
        // It was not sent by then, so nothing of it was lost.
        check_doubled([0], vec![ends(first).await]);
        settle().await;
        bench.check(1, 0, 0);
        check_idle(&batcher);
    });
}

#[test]
fn with_the_timer_leave_that_to_others() {
    let (a, b) = (paused(), paused());
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10 * MS));
    downstream.let_through(1);
    // The first of all starts the timer.
    assert!(b.block_on(batcher.call(0)).is_ok());
    b.block_on(settle());
    let running = a.block_on(calls(&batcher, [1]));
    let late = a.block_on(calls(&batcher, [2]));
    drop(b);
    a.block_on(async {
        let late = answers(late).await;
        assert_eq!(words(&late), ["rejected: not sent within 10ms"]);
        downstream.let_through(1);
        check_doubled([1], answers(running).await);
    });
}

#[test]
fn during_a_drain_lose_only_what_was_sent() {
    let (a, b) = (paused(), paused());
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder);
    let mut lost = batcher.call(0);
    begin(&b, &mut lost);
    b.block_on(settle());
    let queued = a.block_on(calls(&batcher, 1..4));
    batcher.close();
    drop(b);
    a.block_on(async {
        downstream.let_through(1);
        let drained = ends(batcher.drain(Instant::now() + 1_000 * MS)).await;
        assert!(drained.is_complete());
        check_doubled(1..4, answers(queued).await);
        assert_eq!(words(&[ends(lost).await]), ["Aborted"]);
    });
}

#[test]
fn one_after_the_other_all_work() {
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.max_wait(10_000 * MS));
    for n in 0..10 {
        let runtime = paused();
        runtime.block_on(async {
            check_doubled([n], vec![ends(batcher.call(n)).await]);
        });
    }
    paused().block_on(settle());
    check_idle(&batcher);
}

#[test]
fn a_poll_outside_of_any_panics_and_does_no_harm() {
    let bench = Bench::new(|b| b.limit(1));
    for limited in [false, true] {
        let downstream = Downstream::gated();
        let (_registry, builder) = builder();
        let builder = builder.max_wait(10 * MS).queue_capacity(2);
        let builder = if limited { builder.limiter(&bench.limiter) } else { builder };
        let batcher = downstream.doubling(builder);
        let held = limited.then(|| bench.take());
        let mut calls_outside = Vec::new();
        for n in 0..5 {
            let mut call = batcher.call(n);
            let mut context = Context::from_waker(Waker::noop());
            let poll = || call.poll_unpin(&mut context).is_pending();
            assert!(catch_unwind(AssertUnwindSafe(poll)).is_err(), "{n}");
            calls_outside.push(call);
        }
        drop(calls_outside);
        drop(held);
        paused().block_on(async {
            let running = calls(&batcher, [10]).await;
            assert_eq!(downstream.batches(), [[10]]);
            let late = calls(&batcher, [11, 12]).await;
            assert_eq!(words(&answers(late).await), ["rejected: not sent within 10ms"; 2]);
            downstream.let_through(1);
            check_doubled([10], answers(running).await);
            settle().await;
            check_idle(&batcher);
        });
        bench.check(1, 0, 0);
    }
}

#[test]
fn a_close_outside_of_any_is_fine_if_nothing_waits() {
    let (_registry, builder) = builder();
    let batcher = Downstream::open().doubling(builder);
    batcher.close();
    assert!(batcher.snapshot().closed);
}

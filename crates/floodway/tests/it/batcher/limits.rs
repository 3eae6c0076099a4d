//! Batches take permits of limiters.

use floodway::{Acquire, BatchSizing, OnBatchError, Outcome, Priority, Queue};
use tokio::time::{Instant, sleep};

use super::kit::{
    Answers, Downstream, MS, Trouble, answers, builder, calls, check_doubled, check_idle, doubled,
    ends, settle, waits, words,
};
use crate::support::Bench;

#[tokio::test(start_paused = true)]
async fn a_permit_each() {
    for limit in [1, 2, 5] {
        let bench = Bench::new(|b| b.limit(limit));
        let downstream = Downstream::gated();
        let (_registry, builder) = builder();
        let builder = builder.limiter(&bench.limiter).max_in_flight(100);
        let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(1)));
        let calls = calls(&batcher, 0..20).await;
        assert_eq!(downstream.batches().len(), limit as usize);
        assert_eq!(batcher.snapshot().in_flight_limit, limit as usize);
        for _ in 0..20 {
            assert!(bench.limiter.in_flight() <= limit && bench.limiter.queued() <= 1);
            downstream.let_through(1);
            settle().await;
        }
        check_doubled(0..20, answers(calls).await);
        settle().await;
        bench.check(limit, 0, 0);
        check_idle(&batcher);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_limiter_is_waited_for_by_one_however_much_could_go() {
    let bench = Bench::new(|b| b.limit(3));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter).max_in_flight(3);
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(1)));
    let held = [bench.take(), bench.take(), bench.take()];
    let calls = calls(&batcher, 0..10).await;
    bench.check(3, 3, 1);
    sleep(3_600_000 * MS).await;
    bench.check(3, 3, 1);
    assert_eq!(downstream.batches(), [] as [Vec<u32>; 0]);
    drop(held);
    check_doubled(0..10, answers(calls).await);
    settle().await;
    bench.check(3, 0, 0);
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn a_limiter_with_no_queue_or_a_short_one_is_waited_for_as_well() {
    for queue in [Queue::none(), Queue::fifo().capacity(1).max_wait(5 * MS)] {
        let bench = Bench::new(|b| b.limit(1).queue(queue));
        let downstream = Downstream::open();
        let (_registry, builder) = builder();
        let batcher = downstream.doubling(builder.limiter(&bench.limiter));
        let held = bench.take();
        let calls = calls(&batcher, 0..10).await;
        sleep(1_000 * MS).await;
        assert_eq!(downstream.batches(), [] as [Vec<u32>; 0]);
        drop(held);
        check_doubled(0..10, answers(calls).await);
        settle().await;
        bench.check(1, 0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_rises_is_used_at_once() {
    let bench = Bench::new(|b| b.limit(1).bounds(1..=10));
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter).max_in_flight(100);
    let batcher = downstream.doubling(builder.sizing(BatchSizing::Fixed(1)));
    let calls = calls(&batcher, 0..10).await;
    assert_eq!(downstream.batches().len(), 1);
    bench.limiter.set_limit(4).unwrap();
    sleep(10 * MS).await;
    assert_eq!(downstream.batches().len(), 4, "they do not wait for the one that runs");
    bench.limiter.set_limit(2).unwrap();
    downstream.let_through(3);
    sleep(10 * MS).await;
    // Three of four have ended, and one more could begin.
    assert_eq!(downstream.batches().len(), 5);
    downstream.let_through(100);
    check_doubled(0..10, answers(calls).await);
    settle().await;
    bench.check(2, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_limiter_refuses_what_waits_and_what_comes() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.limiter(&bench.limiter).queue_capacity(3));
    let running = calls(&batcher, [0]).await;
    let queued = calls(&batcher, 1..4).await;
    bench.limiter.close();
    downstream.let_through(1);
    check_doubled([0], answers(running).await);
    let refused = "rejected: a limiter does not admit batches";
    assert_eq!(words(&answers(queued).await), [refused; 3]);
    // As often as one likes: the queue keeps its places.
    for n in 0..10 {
        assert_eq!(words(&[ends(batcher.call(n)).await]), [refused]);
    }
    super::kit::check_outcomes(&registry, &[("ok", 1), ("rejected", 13)], &[("ok", 1)]);
    settle().await;
    check_idle(&batcher);
    bench.check(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn several_limiters_are_all_asked_and_none_is_held_for_nothing() {
    let [a, b] = [Bench::new(|b| b.limit(2)), Bench::new(|b| b.limit(3))];
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    // One of them twice, which is once.
    let builder = builder.limiter(&a.limiter).limiter(&b.limiter).limiter(&a.limiter);
    let builder = builder.sizing(BatchSizing::Fixed(1)).max_in_flight(10);
    let batcher = downstream.doubling(builder);
    let calls = calls(&batcher, 0..6).await;
    assert_eq!(downstream.batches().len(), 2);
    assert_eq!(a.limiter.in_flight(), 2);
    // Which is asked first depends on where they are; who waits for the other has a permit of it.
    assert!((2..=3).contains(&b.limiter.in_flight()));
    downstream.let_through(100);
    check_doubled(0..6, answers(calls).await);
    settle().await;
    a.check(2, 0, 0);
    b.check(3, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn others_have_their_turn_between_batches() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::gated();
    let (_registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter).sizing(BatchSizing::Fixed(1));
    let batcher = downstream.doubling(builder);
    let calls = calls(&batcher, 0..10).await;
    let mut other = bench.limiter.acquire();
    assert!(crate::support::is_pending(&mut other).await);
    downstream.let_through(1);
    let permit = ends(other).await.unwrap();
    // Those before it in the queue of the limiter had theirs.
    assert_eq!(downstream.batches().len(), 1);
    drop(permit);
    downstream.let_through(100);
    check_doubled(0..10, answers(calls).await);
}

#[tokio::test(start_paused = true)]
async fn the_priority_of_a_batch_is_that_of_the_batcher() {
    for (priority, first) in [(Priority::Low, false), (Priority::High, true)] {
        let bench = Bench::new(|b| b.limit(1));
        let downstream = Downstream::gated();
        let (_registry, builder) = builder();
        let batcher = downstream.doubling(builder.limiter(&bench.limiter).priority(priority));
        let held = bench.take();
        let mut other = bench.limiter.acquire_with(Acquire::new().priority(Priority::Normal));
        assert!(crate::support::is_pending(&mut other).await);
        let calls = calls(&batcher, [1]).await;
        bench.check(1, 1, 2);
        drop(held);
        settle().await;
        assert_eq!(downstream.batches().len(), usize::from(first), "{priority:?}");
        downstream.let_through(1);
        drop(ends(other).await.unwrap());
        check_doubled([1], answers(calls).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_not_held_during_a_backoff() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter).on_batch_error(OnBatchError::Retry {
        max_calls: 2,
        backoff: 1_000 * MS,
        when: |_| true,
    });
    let batcher = downstream.judging(builder, |_| Err(Trouble::Down));
    let mut call = batcher.call(1);
    waits(&mut call);
    sleep(10 * MS).await;
    bench.check(1, 0, 0);
    assert_eq!(batcher.snapshot().in_flight, 1);
    let began = Instant::now();
    let held = bench.take();
    sleep(2_000 * MS).await;
    // It waits for a permit again.
    bench.check(1, 1, 1);
    assert_eq!(downstream.batches().len(), 1);
    drop(held);
    assert_eq!(words(&[ends(call).await]), ["item Down"]);
    assert_eq!(began.elapsed(), 2_000 * MS);
    settle().await;
    bench.check(1, 0, 0);
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_closed_during_a_backoff_leaves_the_error_of_the_batch() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter).on_batch_error(OnBatchError::Retry {
        max_calls: 2,
        backoff: 1_000 * MS,
        when: |_| true,
    });
    let batcher = downstream.judging(builder, |_| Err(Trouble::Down));
    let mut call = batcher.call(1);
    waits(&mut call);
    sleep(10 * MS).await;
    bench.limiter.close();
    // It was sent, so it cannot be said that it was not.
    assert_eq!(words(&[ends(call).await]), ["item Down"]);
    assert_eq!(super::kit::all_items(&registry), 1.0);
    settle().await;
    check_idle(&batcher);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_permit_may_be_gone_when_it_comes() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let (_registry, builder) = builder();
    let batcher = downstream.doubling(builder.limiter(&bench.limiter));
    let held = bench.take();
    let mut gone: Vec<_> = (0..10).map(|n| batcher.call(n)).collect();
    gone.iter_mut().for_each(waits);
    settle().await;
    bench.check(1, 1, 1);
    drop(gone);
    drop(held);
    settle().await;
    bench.check(1, 0, 0);
    check_idle(&batcher);
    assert_eq!(downstream.batches(), [] as [Vec<u32>; 0]);
    check_doubled([3], vec![ends(batcher.call(3)).await]);
}

#[tokio::test(start_paused = true)]
async fn a_batcher_that_was_made_inside_an_operation_has_its_own_permits() {
    let bench = Bench::new(|b| b.limit(1));
    let downstream = Downstream::open();
    let batcher = bench
        .limiter
        .run(async {
            let (_registry, builder) = builder();
            downstream.doubling(builder.limiter(&bench.limiter))
        })
        .await
        .unwrap();
    bench.check(1, 0, 0);
    let held = bench.take();
    let calls = calls(&batcher, [1]).await;
    assert_eq!(downstream.batches(), [] as [Vec<u32>; 0], "there is no permit");
    drop(held);
    check_doubled([1], answers(calls).await);
    settle().await;
    bench.check(1, 0, 0);
}

/// What an adaptive limiter hears of a batch that ends so.
async fn samples(load: Option<Outcome>, judge: fn(&[u32]) -> Answers) -> [f64; 3] {
    use floodway_metrics::catalogue::limiter as catalogue;
    let bench = Bench::new(|b| b.limit(1));
    let (_registry, builder) = builder();
    let builder = builder.limiter(&bench.limiter);
    let builder = match load {
        Some(load) => builder.failures_are(load),
        None => builder,
    };
    let batcher = Downstream::open().judging(builder, judge);
    let _ = ends(batcher.call(1)).await;
    settle().await;
    ["success", "overload", "ignore"].map(|outcome| bench.number(&catalogue::COMPLETED, &[outcome]))
}

#[tokio::test(start_paused = true)]
async fn adaptive_limiters_hear_how_batches_ended() {
    let [success, overload, ignored] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    assert_eq!(samples(None, doubled).await, success);
    assert_eq!(samples(None, |_| Err(Trouble::Down)).await, ignored);
    assert_eq!(samples(Some(Outcome::Overload), |_| Err(Trouble::Down)).await, overload);
    assert_eq!(samples(Some(Outcome::Success), |_| Err(Trouble::Down)).await, success);
    // The items' own errors, panics and the wrong number say nothing of load.
    let load = Some(Outcome::Overload);
    assert_eq!(samples(load, |_| Ok(vec![Err(Trouble::Poison)])).await, success);
    assert_eq!(samples(load, |_| Ok(vec![])).await, ignored);
    let panics = |_: &[u32]| std::panic::resume_unwind(Box::new("on purpose"));
    assert_eq!(samples(load, panics).await, ignored);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_is_a_failure_and_a_success() {
    let registry = floodway::Registry::new();
    let limiter = floodway::Limiter::builder("retried")
        .limit(1)
        .registry(&registry)
        .clock(floodway::Clock::tokio())
        .build()
        .unwrap();
    let (_registry, builder) = builder();
    let fails = std::sync::atomic::AtomicBool::new(true);
    let batcher = builder
        .limiter(&limiter)
        .failures_are(Outcome::Overload)
        .on_batch_error(OnBatchError::Retry { max_calls: 2, backoff: MS, when: |_| true })
        .build(move |items: Vec<u32>| {
            let fails = fails.swap(false, std::sync::atomic::Ordering::Relaxed);
            async move { if fails { Err(Trouble::Down) } else { doubled(&items) } }
        })
        .unwrap();
    check_doubled([4], vec![ends(batcher.call(4)).await]);
    settle().await;
    let completed = &floodway_metrics::catalogue::limiter::COMPLETED;
    for (outcome, count) in [("success", 1.0), ("overload", 1.0), ("ignore", 0.0)] {
        let seen = registry.snapshot().number(completed, &["retried", outcome]);
        assert_eq!(seen.unwrap_or(0.0), count, "{outcome}");
    }
}

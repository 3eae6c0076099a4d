//! Deadlines hold whichever runtime keeps them.

use std::task::{Context, Poll, Waker};

use floodway::{Acquire, Acquiring, Queue, RejectReason};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, advance, timeout},
};

use crate::support::{Bench, is_pending, ms, outcome};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn within(bench: &Bench, millis: u64) -> Acquiring {
    bench.limiter.acquire_with(Acquire::new().deadline(Instant::now() + ms(millis)))
}

/// One that has joined the queue on `runtime`.
fn queued(runtime: &Runtime, bench: &Bench, millis: u64) -> Acquiring {
    let _entered = runtime.enter();
    let mut waiting = within(bench, millis);
    assert!(runtime.block_on(is_pending(&mut waiting)));
    waiting
}

/// Refused after `millis` of the runtime's time and not before; hangs no longer than a minute.
async fn check(waiting: Acquiring, started: Instant, millis: u64) {
    let refused = timeout(ms(60_000), waiting).await.expect("its deadline is kept").unwrap_err();
    assert_eq!((refused.reason, started.elapsed()), (RejectReason::Deadline, ms(millis)));
}

fn long(b: floodway::LimiterBuilder) -> floodway::LimiterBuilder {
    b.limit(1).queue(Queue::fifo().max_wait(ms(10_000)))
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_is_kept_whoever_came_first() {
    let bench = Bench::new(long);
    let _held = bench.take();
    let started = Instant::now();
    let (mut late, mut early) = (within(&bench, 500), within(&bench, 20));
    assert!(is_pending(&mut late).await);
    // The watch is asleep until 500 ms from now when the earlier one comes.
    tokio::task::yield_now().await;
    assert!(is_pending(&mut early).await);
    check(early, started, 20).await;
    check(late, started, 500).await;
    bench.check(1, 1, 0);
}

/// Waits end together, in the order of their deadlines, by one task.
#[tokio::test(start_paused = true)]
async fn a_thousand_deadlines_are_kept_to_the_millisecond() {
    let bench = Bench::new(long);
    let _held = bench.take();
    let started = Instant::now();
    let tasks: Vec<_> = (0..1_000u64)
        .map(|nth| {
            let millis = 1 + nth * 7 % 500;
            tokio::spawn(check(within(&bench, millis), started, millis))
        })
        .collect();
    for task in tasks {
        task.await.expect("refused in time");
    }
    bench.check(1, 1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_gone_to_rest_comes_back() {
    let bench = Bench::new(long);
    let _held = bench.take();
    for _ in 0..3 {
        check(within(&bench, 50), Instant::now(), 50).await;
        advance(ms(1_000)).await;
    }
    // One that left without being refused leaves a watch that sleeps for nobody.
    let mut left = within(&bench, 400);
    assert!(is_pending(&mut left).await);
    drop(left);
    check(within(&bench, 50), Instant::now(), 50).await;
}

#[test]
fn a_caller_on_another_runtime_keeps_its_own_deadline() {
    let (first, second) = (paused(), paused());
    let bench = first.block_on(async { Bench::new(long) });
    let _held = bench.take();
    let mut watched = queued(&first, &bench, 50);
    // Nobody drives the first runtime now, and with it the watch.
    second.block_on(async { check(within(&bench, 30), Instant::now(), 30).await });
    bench.check(1, 1, 1);
    let refused = first.block_on(async { timeout(ms(60_000), &mut watched).await });
    assert_eq!(refused.expect("in time").unwrap_err().reason, RejectReason::Deadline);
    bench.check(1, 1, 0);
}

#[test]
fn deadlines_are_kept_when_the_runtime_of_the_watch_is_gone() {
    let (first, second) = (paused(), paused());
    let bench = first.block_on(async { Bench::new(long) });
    let _held = bench.take();
    // It starts the watch, and its runtime goes while others wait elsewhere.
    let mut starter = queued(&first, &bench, 5_000);
    second.block_on(async {
        let started = Instant::now();
        let mut waiting = within(&bench, 40);
        assert!(is_pending(&mut waiting).await);
        std::thread::spawn(|| drop(first)).join().expect("a runtime is dropped");
        check(waiting, started, 40).await;
        // A newcomer sets a watch of its own.
        check(within(&bench, 30), Instant::now(), 30).await;
    });
    // The starter looks after itself, on whatever runtime it is polled.
    second.block_on(async {
        let started = Instant::now();
        let refused = timeout(ms(60_000), &mut starter).await.expect("in time").unwrap_err();
        assert_eq!(refused.reason, RejectReason::Deadline);
        assert!(started.elapsed() < ms(10_000), "by a timer of its own");
    });
    bench.check(1, 1, 0);
}

/// The permit comes from whichever runtime gives it back.
#[test]
fn a_permit_goes_to_a_caller_on_another_runtime() {
    let (first, second) = (paused(), paused());
    let bench = first.block_on(async { Bench::new(long) });
    let held = bench.take();
    let mut waiting = queued(&second, &bench, 1_000);
    first.block_on(async { drop(held) });
    let granted = second.block_on(async { outcome(&mut waiting).await });
    assert!(granted.expect("granted").is_ok());
    bench.check(1, 0, 0);
}

/// Who is polled once by hand and never again does not keep others from their turn.
#[tokio::test(start_paused = true)]
async fn a_waiter_that_nobody_polls_expires_all_the_same() {
    let bench = Bench::new(long);
    let _held = bench.take();
    let mut forgotten = within(&bench, 50);
    let polled = std::pin::Pin::new(&mut forgotten).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
    bench.check(1, 1, 1);
    tokio::time::sleep(ms(60)).await;
    bench.check(1, 1, 0);
}

//! Operations inside operations of the same limiter.

mod loans;
mod misuse;

use std::time::Duration;

use floodway::{Acquire, Limiter, Mode, Outcome, Queue, RejectReason};
use floodway_metrics::catalogue::limiter as metrics;
use futures::{
    FutureExt,
    future::{join, pending, poll_immediate},
};
use tokio::{
    task::yield_now,
    time::{Instant, advance, sleep},
};

use crate::support::{Bench, is_pending, ms, outcome, ready};

/// The reason for which a permit of `weight` is refused.
async fn refused(limiter: &Limiter, weight: u32) -> Option<RejectReason> {
    let answer = limiter.acquire_with(Acquire::new().weight(weight)).await;
    answer.err().map(|refused| refused.reason)
}

/// At rest, with as many admitted and lent as given.
#[track_caller]
fn check(bench: &Bench, admitted: f64, lent: f64) {
    bench.check(bench.limiter.limit(), 0, 0);
    assert_eq!(bench.number(&metrics::ACQUIRED, &[]), admitted, "admitted");
    assert_eq!(bench.number(&metrics::COMPLETED, &[]), admitted, "completed");
    assert_eq!(bench.number(&metrics::NESTED, &["lent"]), lent, "lent");
    // Whatever was lent is the limiter's again, and no operation's.
    let all = Acquire::new().weight(bench.limiter.limit());
    let _all = bench.limiter.try_acquire_with(all).unwrap();
    assert_eq!(bench.number(&metrics::ACQUIRED, &[]), admitted + 1.0, "with one in flight");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_one_progresses_however_deep() {
    let bench = Bench::new(|b| b.limit(1));
    let limiter = &bench.limiter;
    let deep = limiter.run(async {
        let middle = limiter.run(async {
            yield_now().await;
            let inner = limiter.run(async {
                yield_now().await;
                limiter.in_flight()
            });
            inner.await.unwrap()
        });
        middle.await.unwrap()
    });
    assert_eq!(deep.await.unwrap(), 1);
    check(&bench, 1.0, 2.0);
}

#[tokio::test(start_paused = true)]
async fn two_at_a_time_inside_one_permit_run_one_after_the_other() {
    for (weight, took) in [(1, 20), (2, 10)] {
        let bench = Bench::new(|b| b.limit(2));
        let limiter = &bench.limiter;
        let mut outer = limiter.try_acquire_with(Acquire::new().weight(weight)).unwrap();
        let started = Instant::now();
        let nested = || limiter.run(async { sleep(ms(10)).await });
        let (first, second) = outer.scope(async { join(nested(), nested()).await }).await;
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(started.elapsed(), ms(took), "weight {weight}");
        drop(outer);
        check(&bench, 1.0, 2.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_wait_ends_at_its_deadline_and_that_of_the_queue() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(100))));
    let limiter = &bench.limiter;
    let mut outer = bench.take();
    let inside = outer.scope(async {
        let _lent = limiter.acquire().await.unwrap();
        for (wish, expected) in [(30, 30), (5_000, 100)] {
            let started = Instant::now();
            let request = Acquire::new().deadline(started + ms(wish));
            let refused = limiter.acquire_with(request).await.unwrap_err();
            assert_eq!((refused.reason, started.elapsed()), (RejectReason::Deadline, ms(expected)));
        }
        let past = Acquire::new().deadline(Instant::now());
        assert_eq!(limiter.try_acquire_with(past).unwrap_err().reason, RejectReason::Deadline);
    });
    inside.await;
    drop(outer);
    check(&bench, 1.0, 1.0);
}

#[tokio::test(start_paused = true)]
async fn more_than_is_held_is_refused_and_less_is_lent() {
    let bench = Bench::new(|b| b.limit(8));
    let limiter = &bench.limiter;
    let mut outer = limiter.try_acquire_with(Acquire::new().weight(3)).unwrap();
    let inside = outer.scope(async {
        assert_eq!(refused(limiter, 4).await, Some(RejectReason::Nested));
        assert_eq!(refused(limiter, 0).await, Some(RejectReason::Weight));
        assert_eq!(refused(limiter, 3).await, None);
        let mut two = limiter.acquire_with(Acquire::new().weight(2)).await.unwrap();
        // What was lent is what can be lent on.
        assert_eq!(two.scope(refused(limiter, 3)).await, Some(RejectReason::Nested));
        assert_eq!(two.scope(refused(limiter, 2)).await, None);
        // One is left, and nobody waits in a try.
        let reason = |weight| {
            let tried = limiter.try_acquire_with(Acquire::new().weight(weight));
            tried.err().map(|refused| refused.reason)
        };
        assert_eq!(reason(0), Some(RejectReason::Weight));
        assert_eq!(reason(1), None);
        assert_eq!(reason(2), Some(RejectReason::NoPermit));
        assert_eq!(reason(4), Some(RejectReason::Nested));
    });
    inside.await;
    drop(outer);
    assert_eq!(bench.number(&metrics::NESTED, &["refused"]), 3.0);
    check(&bench, 1.0, 4.0);
}

#[tokio::test(start_paused = true)]
async fn spawned_tasks_do_not_borrow() {
    let bench = Bench::new(|b| b.limit(1));
    let limiter = bench.limiter.clone();
    let mut spawned = None;
    let outer = bench.limiter.run(async {
        spawned = Some(tokio::spawn(async move { limiter.acquire().await.map(drop) }));
        sleep(ms(1)).await;
        bench.check(1, 1, 1);
    });
    outer.await.unwrap();
    spawned.expect("it was spawned").await.unwrap().unwrap();
    check(&bench, 2.0, 0.0);
}

/// Another limiter's permit is no permit of this one.
#[tokio::test(start_paused = true)]
async fn limiters_do_not_lend_for_each_other() {
    let (outer, inner) = (Bench::new(|b| b.limit(1)), Bench::new(|b| b.limit(1)));
    let nested = outer.limiter.run(async {
        let both = inner.limiter.run(async {
            outer.limiter.run(async {}).await.unwrap();
            (outer.limiter.in_flight(), inner.limiter.in_flight())
        });
        both.await.unwrap()
    });
    assert_eq!(nested.await.unwrap(), (1, 1));
    check(&outer, 1.0, 1.0);
    check(&inner, 1.0, 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_nested_wait_that_is_dropped_leaks_nothing() {
    let bench = Bench::new(|b| b.limit(1));
    let mut outer = bench.take();
    let limiter = &bench.limiter;
    let inside = outer.scope(async {
        let mut lent = limiter.acquire().await.unwrap();
        for _ in 0..3 {
            let mut waiting = limiter.acquire();
            assert!(is_pending(&mut waiting).await);
        }
        // Granted, and dropped without having been polled again.
        let mut waiting = limiter.acquire();
        assert!(is_pending(&mut waiting).await);
        assert!(lent.scope(poll_immediate(pending::<()>())).await.is_none());
        drop(lent);
        drop(waiting);
        drop(limiter.acquire().await.unwrap());
    });
    inside.await;
    // Nor does an operation that is dropped halfway.
    let mut cut = Box::pin(outer.scope(limiter.run(pending::<()>())));
    assert!(is_pending(&mut cut).await);
    drop(cut);
    drop(outer);
    assert_eq!(bench.number(&metrics::CANCELLED, &[]), 0.0, "they never queued");
    check(&bench, 1.0, 3.0);
}

/// Outside its scope a permit is kept, not lent.
#[tokio::test(start_paused = true)]
async fn nothing_is_lent_outside_a_scope() {
    let bench = Bench::new(|b| b.limit(1));
    let mut outer = bench.take();
    outer.scope(async {}).await;
    assert!(outcome(&mut bench.limiter.acquire()).await.is_none());
    assert!(bench.limiter.try_acquire().is_err());
    let panicked = std::panic::AssertUnwindSafe(outer.scope(async { panic!("on purpose") }));
    assert!(panicked.catch_unwind().await.is_err());
    assert!(bench.limiter.try_acquire().is_err(), "nor after a panic");
    drop(outer);
    check(&bench, 1.0, 0.0);
}

/// Guards need not be dropped in the order of a stack.
#[tokio::test(start_paused = true)]
async fn what_is_lent_costs_the_time_of_its_permit_only() {
    let bench = Bench::new(|b| b.limit(1).mode(Mode::Enforce));
    let limiter = &bench.limiter;
    limiter.run(async { limiter.run(sleep(ms(100))).await }).await.unwrap().unwrap();
    advance(Duration::from_secs(1)).await;
    assert!((bench.number(&metrics::PERMIT_SECONDS, &[]) - 0.1).abs() < 0.001);
    assert_eq!(bench.histogram(&metrics::HOLD_DURATION).count(), 1);
    assert_eq!(bench.histogram(&metrics::WAIT_DURATION).count(), 1);
}

//! Limiters that enforce, watch, or do nothing.

use floodway::{Acquire, Ceiling, Mode, Queue, RejectReason};
use floodway_metrics::catalogue::limiter as metrics;
use futures::{FutureExt, future::join};
use tokio::{
    task::yield_now,
    time::{Instant, advance},
};

use crate::support::{Bench, is_pending, ms, ready};

#[test]
fn off_and_shadow_pass_everybody_and_count_who_is_in_flight() {
    for mode in [Mode::Off, Mode::Shadow] {
        let bench = Bench::new(|b| b.limit(2).queue(Queue::none()).mode(mode));
        let mut permits: Vec<_> = (0..100).map(|_| bench.take()).collect();
        let heavy = bench.limiter.acquire_with(Acquire::new().weight(50)).now_or_never();
        permits.push(heavy.expect("ready").expect("admitted"));
        bench.check(2, 150, 0);
        let label = mode.to_string();
        assert_eq!(bench.number(&metrics::MODE_INFO, &[&label]), 1.0);
        assert_eq!(bench.number(&metrics::MODE_INFO, &["enforce"]), 0.0);
        drop(permits);
        bench.check(2, 0, 0);
        assert_eq!(bench.number(&metrics::COMPLETED, &[]), 101.0);
        assert_eq!(bench.number(&metrics::SATURATED_SECONDS, &[]), 0.0);
    }
}

/// A ceiling of 0 admits nobody, but only where limits are enforced.
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_and_a_ceiling_of_nothing_hold_only_if_enforced() {
    for (mode, shadow) in [(Mode::Off, 0.0), (Mode::Shadow, 1.0), (Mode::Enforce, 0.0)] {
        let bench = Bench::new(|b| b.limit(2).mode(mode));
        let late = Acquire::new().deadline(Instant::now());
        let enforced = mode == Mode::Enforce;
        let answer = bench.limiter.acquire_with(late).now_or_never().expect("ready");
        assert_eq!(
            answer.map_err(|refused| refused.reason).err(),
            enforced.then_some(RejectReason::Deadline),
            "{mode}"
        );
        assert_eq!(bench.number(&metrics::SHADOW_REJECTED, &["deadline"]), shadow);
        assert_eq!(bench.limiter.try_acquire_with(late).is_err(), enforced);
        let bench = Bench::new(|b| b.ceiling(Ceiling::new(0)).mode(mode));
        assert_eq!(bench.limiter.try_acquire().is_err(), enforced);
    }
}

/// What shadow mode says about each reason, and that Off says nothing.
#[tokio::test(start_paused = true)]
async fn shadow_counts_who_would_have_been_refused_and_why() {
    let shadow = |mode, queue| Bench::new(|b| b.limit(2).queue(queue).mode(mode));
    let check = |bench: &Bench, expected: [f64; 4]| {
        let counts = ["queue_full", "deadline", "no_permit", "weight"]
            .map(|reason| bench.number(&metrics::SHADOW_REJECTED, &[reason]));
        assert_eq!(counts, expected, "queue full, deadline, no permit, weight");
        assert_eq!(bench.number(&metrics::REJECTED, &[]), 0.0);
    };
    for mode in [Mode::Off, Mode::Shadow] {
        let counts = |counts: [f64; 4]| if mode == Mode::Off { [0.0; 4] } else { counts };

        let bench = shadow(mode, Queue::none());
        let _held: Vec<_> = (0..5).map(|_| bench.take()).collect();
        check(&bench, counts([0.0, 0.0, 3.0, 0.0]));

        let bench = shadow(mode, Queue::fifo().capacity(3));
        let _held: Vec<_> = (0..7).map(|_| bench.take()).collect();
        check(&bench, counts([2.0, 0.0, 0.0, 0.0]));

        let bench = shadow(mode, Queue::fifo().max_wait(ms(100)));
        let slow = bench.take();
        advance(ms(90)).await;
        drop(slow);
        // Two run, and two more are through every 90 ms: the fifth would have waited for 135 ms.
        let _held: Vec<_> = (0..5).map(|_| bench.take()).collect();
        check(&bench, counts([0.0, 1.0, 0.0, 0.0]));

        let bench = shadow(mode, Queue::fifo());
        let _heavy = bench.limiter.try_acquire_with(Acquire::new().weight(3)).unwrap();
        check(&bench, counts([0.0, 0.0, 0.0, 1.0]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_away_from_enforce_admits_who_waits() {
    for mode in [Mode::Off, Mode::Shadow] {
        let bench = Bench::new(|b| b.limit(1));
        let held = bench.take();
        let mut waiters: Vec<_> = (0..10).map(|_| bench.limiter.acquire()).collect();
        for waiter in &mut waiters {
            assert!(is_pending(waiter).await);
        }
        bench.limiter.handle().set_mode(mode);
        let mut permits = vec![held];
        for waiter in &mut waiters {
            permits.push(ready(waiter).await.unwrap());
        }
        bench.check(1, 11, 0);
        drop(permits);
        bench.check(1, 0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_to_enforce_knows_who_is_in_flight() {
    let bench = Bench::new(|b| b.limit(2).mode(Mode::Off));
    let mut permits: Vec<_> = (0..5).map(|_| bench.take()).collect();
    let handle = bench.limiter.handle();
    handle.set_mode(Mode::Enforce);
    assert_eq!(handle.mode(), Mode::Enforce);
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    for in_flight in [4, 3, 2] {
        permits.pop();
        bench.check(2, in_flight, 1);
        assert!(is_pending(&mut waiting).await);
    }
    permits.pop();
    let _granted = ready(&mut waiting).await.unwrap();
    bench.check(2, 2, 0);
    assert_eq!(bench.limiter.try_acquire().unwrap_err().reason, RejectReason::NoPermit);
    advance(ms(100)).await;
    let saturated = bench.number(&metrics::SATURATED_SECONDS, &[]);
    assert!((saturated - 0.1).abs() < 0.001, "{saturated}");
    handle.set_mode(Mode::Off);
    advance(ms(100)).await;
    assert!((bench.number(&metrics::SATURATED_SECONDS, &[]) - 0.1).abs() < 0.001);
    handle.set_mode(Mode::Enforce);
}

/// A limit that is not enforced moves all the same, and holds once it is.
#[test]
fn the_limit_can_be_set_while_it_is_not_enforced() {
    let bench = Bench::new(|b| b.limit(2).mode(Mode::Shadow));
    bench.limiter.set_limit(3).unwrap();
    assert_eq!(bench.number(&metrics::LIMIT, &[]), 3.0);
    let _held: Vec<_> = (0..3).map(|_| bench.take()).collect();
    bench.limiter.handle().set_mode(Mode::Enforce);
    bench.check(3, 3, 0);
    assert!(bench.limiter.try_acquire().is_err());
}

/// Nobody can wait for themselves where nobody waits.
#[tokio::test(start_paused = true)]
async fn nested_operations_pass_too() {
    for mode in [Mode::Off, Mode::Shadow] {
        let bench = Bench::new(|b| b.limit(1).mode(mode));
        let limiter = &bench.limiter;
        let heavy =
            limiter.run(async { limiter.acquire_with(Acquire::new().weight(3)).await.is_ok() });
        assert!(heavy.await.unwrap(), "more than is held");
        let both = limiter.run(async {
            let inner = || {
                limiter.run(async {
                    yield_now().await;
                    limiter.in_flight()
                })
            };
            join(inner(), inner()).await
        });
        let started = Instant::now();
        let (first, second) = both.await.unwrap();
        assert_eq!((first.unwrap(), second.unwrap()), (2, 2), "one was lent, one passed");
        assert_eq!(started.elapsed(), ms(0));
        bench.check(1, 0, 0);
    }
}

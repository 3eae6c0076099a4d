//! A limiter that is changed while it runs.

use std::ops::RangeInclusive;

use floodway::{
    Adjustable, Aimd, Ceiling, Discipline, MAX_PERMITS, Mode, Outcome, Priority, Queue,
    RejectReason, WindowConfig,
};
use floodway_metrics::catalogue::limiter as metrics;
use tokio::time::{Instant, advance};

use crate::support::{Bench, is_pending, ms, ready};

#[tokio::test(start_paused = true)]
async fn bounds_move_the_limit_into_them_at_once() {
    let bench = Bench::new(|b| b.limit(5));
    let handle = bench.limiter.handle();
    assert_eq!(handle.bounds(), 1..=MAX_PERMITS);
    let held: Vec<_> = (0..5).map(|_| bench.take()).collect();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    for (bounds, limit) in [(2..=8, 5), (1..=3, 3), (7..=9, 7)] {
        handle.set_bounds(bounds.clone()).unwrap();
        assert_eq!((handle.bounds(), handle.limit()), (bounds.clone(), limit));
        assert_eq!(bench.number(&metrics::LIMIT_MIN, &[]), f64::from(*bounds.start()));
        assert_eq!(bench.number(&metrics::LIMIT_MAX, &[]), f64::from(*bounds.end()));
    }
    let _granted = ready(&mut waiting).await.unwrap();
    assert_eq!(
        handle.set_limit(10).unwrap_err().to_string(),
        "limit: 10 is out of bounds, expected 7 to 9"
    );
    assert_eq!(bench.number(&metrics::LIMIT_CHANGES, &["down", "operator"]), 1.0);
    assert_eq!(bench.number(&metrics::LIMIT_CHANGES, &["up", "operator"]), 1.0);
    drop(held);
    bench.check(7, 1, 0);
}

#[test]
fn bounds_out_of_range_name_the_field_and_the_value_and_change_nothing() {
    let bench = Bench::new(|b| b.limit(5).bounds(2..=8));
    let handle = bench.limiter.handle();
    let check = |bounds: RangeInclusive<u32>, message: &str| {
        assert_eq!(handle.set_bounds(bounds).unwrap_err().to_string(), message);
        assert_eq!((handle.bounds(), handle.limit()), (2..=8, 5));
    };
    check(0..=8, "bounds: 0 is out of range, expected 1 to 1048576");
    check(1..=MAX_PERMITS + 1, "bounds: 1048577 is out of range, expected 1 to 1048576");
    check(RangeInclusive::new(4, 3), "bounds: minimum 4 is above maximum 3");
}

#[test]
fn a_queue_out_of_range_is_refused_and_the_old_one_stays() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().capacity(7)));
    let handle = bench.limiter.handle();
    for (queue, field) in [
        (Queue::fifo().capacity(0), "queue capacity: 0 "),
        (Queue::fifo().max_wait(ms(0)), "queue max_wait: 0ns "),
        (Queue::fifo().guarantee(Priority::Low, 1.0), "queue guarantee: [0.0, 0.05, 0.05, 1.0] "),
        (
            Queue::fifo().discipline(Discipline::CoDel { target: ms(0), interval: ms(1) }),
            "queue codel target (seconds): 0 ",
        ),
    ] {
        let message = handle.set_queue(queue).unwrap_err().to_string();
        assert!(message.starts_with(field), "{message}");
        assert_eq!(bench.number(&metrics::QUEUE_CAPACITY, &[]), 7.0);
    }
    handle.set_queue(Queue::none()).unwrap();
    assert_eq!(bench.number(&metrics::QUEUE_CAPACITY, &[]), 0.0);
    handle.set_queue(Queue::lifo().capacity(9)).unwrap();
    assert_eq!(bench.number(&metrics::QUEUE_CAPACITY, &[]), 9.0);
}

#[tokio::test(start_paused = true)]
async fn a_new_wait_holds_for_those_who_come_after() {
    let bench = Bench::new(|b| b.limit(1));
    let handle = bench.limiter.handle();
    let _held = bench.take();
    let mut before = bench.limiter.acquire();
    assert!(is_pending(&mut before).await);
    assert_eq!(handle.max_wait(), ms(1_000));
    handle.set_queue(Queue::fifo().max_wait(ms(50))).unwrap();
    assert_eq!(handle.max_wait(), ms(50));
    let started = Instant::now();
    let refused = bench.limiter.acquire().await.unwrap_err();
    assert_eq!((refused.reason, started.elapsed()), (RejectReason::Deadline, ms(50)));
    assert!(before.await.is_err());
    assert_eq!(started.elapsed(), ms(1_000), "with the deadline it came with");
}

#[tokio::test(start_paused = true)]
async fn reads_what_the_limiter_reads_and_outlives_it() {
    let window = WindowConfig::new(ms(10), 1);
    let bench = Bench::new(|b| b.algorithm(Aimd::new(1).with_window(window)).bounds(1..=4));
    let handle = bench.limiter.handle();
    let held = bench.take();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    assert_eq!((handle.name(), handle.in_flight(), handle.queued()), ("test", 1, 1));
    assert_eq!((handle.limit(), handle.mode(), handle.estimates().windows), (1, Mode::Enforce, 0));
    advance(ms(10)).await;
    held.complete(Outcome::Success);
    assert_eq!((handle.limit(), handle.estimates().windows), (2, 1));
    handle.close();
    assert!(bench.limiter.is_closed());
    drop((bench, waiting));
    assert_eq!((handle.in_flight(), handle.queued()), (0, 0));
}

/// Limits and ceilings of every kind move; the books are as they should be.
#[test]
fn a_ceiling_outranks_the_bounds() {
    let ceiling = Ceiling::new(3);
    let bench = Bench::new(|b| b.limit(5).bounds(4..=8).ceiling(ceiling.clone()));
    let handle = bench.limiter.handle();
    handle.set_limit(8).unwrap();
    assert_eq!(handle.limit(), 3);
    ceiling.set(100);
    assert_eq!(handle.limit(), 8);
    handle.set_bounds(1..=2).unwrap();
    ceiling.set(0);
    assert_eq!(handle.limit(), 0);
}

#[test]
fn what_a_page_may_change_is_checked_and_named() {
    let bench = Bench::new(|b| b.limit(5).bounds(2..=8));
    let handle: &dyn Adjustable = &bench.limiter.handle();
    assert_eq!((handle.name(), handle.limit(), handle.mode()), ("test", 5, "enforce"));
    handle.set_limit(7).unwrap();
    handle.set_mode("shadow").unwrap();
    assert_eq!((bench.limiter.limit(), bench.limiter.handle().mode()), (7, Mode::Shadow));
    let limit = handle.set_limit(9).unwrap_err().to_string();
    assert_eq!(limit, "limit: 9 is out of bounds, expected 2 to 8");
    let mode = handle.set_mode("on").unwrap_err().to_string();
    assert_eq!(mode, "mode: \"on\" is unknown, expected off, shadow or enforce");
    assert_eq!((bench.limiter.limit(), bench.limiter.handle().mode()), (7, Mode::Shadow));
}

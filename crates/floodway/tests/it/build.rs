//! Every field out of range, and the message that says so.

use std::{ops::RangeInclusive, time::Duration};

use floodway::{
    Aimd, AnchoredGradient, BuildError, Ceiling, Discipline, Instrumentation, LimitAlgorithm,
    Limiter, LimiterBuilder, MAX_PERMITS, Priority, Queue, Reason, Registry, Window, WindowConfig,
};

use floodway_metrics::catalogue::limiter as metrics;

use crate::support::{Bench, ms};

/// Builds `name` as described and compares the error's message.
#[track_caller]
fn check(name: &str, describe: fn(LimiterBuilder) -> LimiterBuilder, message: &str) {
    let registry = Registry::new();
    let built = describe(Limiter::builder(name).registry(&registry)).build();
    assert_eq!(built.expect_err("refused").to_string(), message);
}

#[test]
fn errors_name_the_field_and_the_value() {
    check("x", |b| b.limit(0), "limit: 0 is out of range, expected 1 to 1048576");
    check(
        "x",
        |b| b.limit(MAX_PERMITS + 1),
        "limit: 1048577 is out of range, expected 1 to 1048576",
    );
    check("x", |b| b.limit(9).bounds(1..=8), "limit: 9 is out of range, expected 1 to 8");
    let reversed = |b: LimiterBuilder| b.limit(5).bounds(RangeInclusive::new(8, 3));
    check("x", reversed, "bounds: minimum 8 is above maximum 3");
    check("x", |b| b.limit(5).bounds(0..=8), "bounds: 0 is out of range, expected 1 to 1048576");
    check(
        "x",
        |b| b.limit(1).queue(Queue::fifo().capacity(0)),
        "queue capacity: 0 is out of range, expected 1 to 1048576",
    );
    let forever = |b: LimiterBuilder| b.limit(1).queue(Queue::fifo().max_wait(Duration::MAX));
    assert!(matches!(
        forever(Limiter::builder("x").registry(&Registry::new())).build(),
        Err(BuildError::MaxWait { max_wait: Duration::MAX })
    ));
    check(
        "x",
        |b| b.limit(1).queue(Queue::fifo().max_wait(ms(0))),
        "queue max_wait: 0ns is out of range, expected more than 0 s and at most 24 h; Queue::none() refuses at once",
    );
    check(
        "x",
        |b| b.algorithm(Aimd::new(5).with_decrease_factor(f64::NAN)),
        "decrease_factor: NaN is out of range, expected 0.5 to 0.99",
    );
    check(
        "x",
        |b| b.algorithm(Aimd::new(5).with_overload_ratio(1.5)),
        "overload_ratio: 1.5 is out of range, expected 0 to 1",
    );
    check(
        "x",
        |b| b.algorithm(Aimd::new(5)).instrumentation(Instrumentation::Counts),
        "instrumentation: Counts measures no durations, which the algorithm needs; use Full",
    );
    check("", |b| b.limit(1), "limiter name is empty");
    let long = "n".repeat(65);
    check(&long, |b| b.limit(1), &format!("limiter name {long:?} has 65 bytes, more than 64"));
}

#[test]
fn errors_of_the_queue_name_the_discipline_and_the_shares() {
    let range = "is out of range, expected 0.000000001 to 3600";
    let adaptive = |interval, max_wait| Discipline::AdaptiveLifo {
        interval: ms(interval),
        max_wait: ms(max_wait),
    };
    let codel = |target, interval| Discipline::CoDel { target: ms(target), interval: ms(interval) };
    for (discipline, field) in [
        (adaptive(0, 5), "adaptive_lifo interval (seconds): 0"),
        (adaptive(100, 0), "adaptive_lifo max_wait (seconds): 0"),
        (adaptive(3_600_001, 5), "adaptive_lifo interval (seconds): 3600.001"),
        (codel(0, 100), "codel target (seconds): 0"),
        (codel(5, 0), "codel interval (seconds): 0"),
        (codel(5, 4_000_000), "codel interval (seconds): 4000"),
    ] {
        let built = build(|b| b.limit(1).queue(Queue::fifo().discipline(discipline)));
        assert_eq!(built, Err(format!("queue {field} {range}")));
    }
    for (share, shown) in [(-0.1, "-0.1"), (0.9, "0.9"), (f64::NAN, "NaN"), (2.0, "2.0")] {
        let built = build(|b| b.limit(1).queue(Queue::fifo().guarantee(Priority::Low, share)));
        let message = format!(
            "queue guarantee: [0.0, 0.05, 0.05, {shown}] is out of range, expected shares of at \
             least 0 that are less than 1 together"
        );
        assert_eq!(built, Err(message));
    }
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(build(|b| b.limit(1).queue(Queue::fifo().max_wait(day))), Ok(()));
    assert!(build(|b| b.limit(1).queue(Queue::fifo().max_wait(day + ms(1)))).is_err());
    let many = MAX_PERMITS as usize;
    assert_eq!(build(|b| b.limit(1).queue(Queue::fifo().capacity(many))), Ok(()));
    assert!(build(|b| b.limit(1).queue(Queue::fifo().capacity(many + 1))).is_err());
    assert_eq!(build(|b| b.limit(1).queue(Queue::none().capacity(0))), Ok(()), "nobody waits");
}

/// What comes of building a limiter called `x`.
fn build(describe: impl FnOnce(LimiterBuilder) -> LimiterBuilder) -> Result<(), String> {
    let built = describe(Limiter::builder("x").registry(&Registry::new())).build();
    built.map(drop).map_err(|error| error.to_string())
}

#[test]
fn errors_of_bounds_and_algorithms_name_the_value() {
    for (bounds, message) in [
        (1..=MAX_PERMITS + 1, "bounds: 1048577 is out of range, expected 1 to 1048576"),
        (0..=0, "bounds: 0 is out of range, expected 1 to 1048576"),
        (6..=8, "limit: 5 is out of range, expected 6 to 8"),
    ] {
        assert_eq!(build(|b| b.limit(5).bounds(bounds)), Err(message.to_owned()));
    }
    let outside = |limit| format!("limit: {limit} is out of range, expected 1 to 1000");
    assert_eq!(build(|b| b.algorithm(Aimd::new(0))), Err(outside(0)));
    assert_eq!(build(|b| b.algorithm(Aimd::new(1_001))), Err(outside(1_001)));
    assert_eq!(build(|b| b.algorithm(Aimd::new(1_001)).bounds(1..=1_001)), Ok(()));
    for limit in [f64::NAN, f64::INFINITY, -1.0, 0.5] {
        let message = format!("limit: {limit} is out of range, expected 1 to 1048576");
        assert_eq!(build(|b| b.algorithm(Constant(limit))), Err(message));
    }
}

/// An algorithm of somebody else's, with whatever limit it has.
struct Constant(f64);

impl LimitAlgorithm for Constant {
    fn limit(&self) -> f64 {
        self.0
    }

    fn set_limit(&mut self, limit: f64) {
        self.0 = limit;
    }

    fn window(&self) -> Option<WindowConfig> {
        None
    }

    fn on_window(&mut self, _: &Window) -> Reason {
        Reason::Steady
    }
}

#[test]
fn a_name_is_used_once_per_registry_and_freed_with_the_limiter() {
    let registry = Registry::new();
    let build = || Limiter::builder("db").limit(1).registry(&registry).build();
    let first = build().unwrap();
    assert!(matches!(build(), Err(BuildError::Name(_))));
    drop(first);
    assert!(build().is_ok());
}

#[test]
fn ceilings_alone_are_enough() {
    let bench = Bench::new(|b| b.ceiling(Ceiling::new(7)));
    bench.check(7, 0, 0);
    assert_eq!(bench.number(&metrics::LIMIT_MAX, &[]), 7.0);
}

#[test]
fn set_limit_keeps_to_the_bounds() {
    let bench = Bench::new(|b| b.limit(5).bounds(2..=8));
    let error = bench.limiter.set_limit(9).unwrap_err();
    assert_eq!(error.to_string(), "limit: 9 is out of bounds, expected 2 to 8");
    assert!(bench.limiter.set_limit(1).is_err());
    bench.check(5, 0, 0);
    bench.limiter.set_limit(8).unwrap();
    bench.check(8, 0, 0);
    let unbounded = Bench::new(|b| b.limit(5));
    assert!(unbounded.limiter.set_limit(0).is_err());
}

/// Nobody has to know a number: the default algorithm finds it, inside the bounds if there are any.
#[test]
fn without_a_limit_the_default_algorithm_finds_it() {
    for (bounds, limit) in [(None, 10), (Some(1_u32..=5), 5), (Some(20..=50), 20)] {
        let registry = Registry::new();
        let builder = Limiter::builder("test").registry(&registry);
        let builder = bounds.clone().into_iter().fold(builder, LimiterBuilder::bounds);
        assert_eq!(builder.build().unwrap().limit(), limit);
        let named = Limiter::builder("named").registry(&registry);
        let named = named.algorithm(AnchoredGradient::default());
        let named = bounds.into_iter().fold(named, LimiterBuilder::bounds);
        assert_eq!(named.build().unwrap().limit(), limit);
    }
}

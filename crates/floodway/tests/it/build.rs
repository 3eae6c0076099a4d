//! Every field out of range, and the message that says so.

use std::{ops::RangeInclusive, time::Duration};

use floodway::{
    Aimd, BuildError, Ceiling, Instrumentation, Limiter, LimiterBuilder, MAX_PERMITS, Queue,
    Registry,
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
    check("x", |b| b, "limit: not set; call limit, algorithm or ceiling");
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

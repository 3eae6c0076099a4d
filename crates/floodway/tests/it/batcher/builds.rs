//! Every field out of range, and the message that says so.

use std::time::Duration;

use floodway::{BatchSizing, Batcher, OnBatchError, Registry, batcher::BatcherBuilder};

use super::kit::{MS, Trouble};

type Builder = BatcherBuilder<u32, u64, Trouble>;

fn build(name: &str, describe: impl FnOnce(Builder) -> Builder) -> Result<(), String> {
    let builder = Batcher::builder(name).registry(&Registry::new());
    let built = describe(builder).build(async |_| Ok(Vec::new()));
    built.map(drop).map_err(|error| error.to_string())
}

#[track_caller]
fn check(describe: impl FnOnce(Builder) -> Builder, message: &str) {
    assert_eq!(build("x", describe), Err(message.to_owned()));
}

/// Refused with the name of the field and the value that it was given.
#[track_caller]
fn check_names(describe: impl FnOnce(Builder) -> Builder, names: &[&str]) {
    let message = build("x", describe).expect_err("refused");
    for name in names {
        assert!(message.contains(name), "{name} in {message:?}");
    }
}

#[test]
fn errors_name_the_field_and_the_value() {
    let counts = "is out of range, expected 1 to 4294967295";
    check(|b| b.queue_capacity(0), &format!("queue_capacity: 0 {counts}"));
    check(|b| b.queue_capacity(4_294_967_296), &format!("queue_capacity: 4294967296 {counts}"));
    check(|b| b.max_in_flight(0), &format!("max_in_flight: 0 {counts}"));
    let retry = |max_calls| OnBatchError::Retry { max_calls, backoff: MS, when: |_| true };
    let calls = "is out of range, expected 2 to 4294967295";
    check(|b| b.on_batch_error(retry(0)), &format!("retry max_calls: 0 {calls}"));
    check(|b| b.on_batch_error(retry(1)), &format!("retry max_calls: 1 {calls}"));
    let bisect = |max_calls| OnBatchError::Bisect { max_calls, when: |_| true };
    let calls = "is out of range, expected 3 to 4294967295";
    check(|b| b.on_batch_error(bisect(2)), &format!("bisect max_calls: 2 {calls}"));
    check_names(|b| b.max_wait(Duration::ZERO), &["max_wait", " 0 "]);
    check_names(|b| b.max_wait(Duration::MAX), &["max_wait"]);
}

#[test]
fn errors_of_the_size_name_the_field_and_the_value() {
    let adaptive = |overhead, max_size| BatchSizing::Adaptive { overhead, max_size };
    check_names(|b| b.sizing(BatchSizing::Fixed(0)), &["size", " 0 "]);
    check_names(|b| b.sizing(BatchSizing::Fixed(usize::MAX)), &["size"]);
    check_names(|b| b.sizing(adaptive(0.05, 0)), &["max_size", " 0 "]);
    for overhead in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        check_names(|b| b.sizing(adaptive(overhead, 9)), &["overhead", &overhead.to_string()]);
    }
    check_names(|b| b.max_weight(0, |_| 1), &["max_weight", " 0 "]);
    check_names(|b| b.latency_objective(Duration::ZERO), &["latency_objective", " 0 "]);
    check_names(
        |b| b.latency_objective(10 * MS).max_linger(11 * MS),
        &["max_linger", "0.011", "0.01"],
    );
}

#[test]
fn names_are_those_of_metrics() {
    for name in ["", " ", "a b", "-a", "naïve", &"n".repeat(65)] {
        assert!(build(name, |b| b).is_err(), "{name:?}");
    }
    for name in ["a", "a.b", "a-b:c/d_9", &"n".repeat(64)] {
        assert_eq!(build(name, |b| b), Ok(()), "{name:?}");
    }
}

#[test]
fn a_name_is_taken_for_as_long_as_there_is_a_batcher() {
    let registry = Registry::new();
    let builder = || Batcher::<u32, u64, Trouble>::builder("x").registry(&registry);
    let prepared = builder().prepare().unwrap();
    let error = builder().prepare().expect_err("taken").to_string();
    assert!(error.contains("\"x\""), "{error}");
    let batcher = prepared.batcher(async |_| Ok(Vec::new()));
    drop(prepared);
    assert!(builder().prepare().is_err());
    drop(batcher);
    assert!(builder().prepare().is_ok());
}

#[test]
fn what_is_at_the_edge_is_allowed() {
    let edges: [fn(Builder) -> Builder; 9] = [
        |b| b.queue_capacity(1).max_in_flight(1),
        |b| b.queue_capacity(u32::MAX as usize).max_in_flight(u32::MAX as usize),
        |b| b.max_wait(MS),
        |b| b.max_wait(Duration::from_secs(86_400)),
        |b| b.sizing(BatchSizing::Fixed(1)).max_weight(1, |_| 1),
        |b| b.latency_objective(10 * MS).max_linger(10 * MS),
        |b| b.max_linger(Duration::ZERO),
        |b| b.on_batch_error(OnBatchError::Bisect { max_calls: 3, when: |_| true }),
        |b| b.on_batch_error(OnBatchError::Fail),
    ];
    for describe in edges {
        assert_eq!(build("x", describe), Ok(()));
    }
}

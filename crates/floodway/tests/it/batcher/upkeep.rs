//! What a batcher keeps and what it costs: nothing that grows with what has passed through it.

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use floodway::{
    BatchSizing, Batcher, Clock, Instrumentation, Registry,
    batcher::{BatcherBuilder, Key},
};
use futures::future::join_all;

use super::kit::{Trouble, check_idle, settle};

type Builder = BatcherBuilder<u64, u64, Trouble>;
type Built = Batcher<u64, u64, Trouble>;

fn build<K: Key, D: Key>(builder: BatcherBuilder<u64, u64, Trouble, K, D>) -> Built {
    builder.build_atomic(async |items: Vec<u64>| Ok(items)).unwrap()
}

/// What four callers with so many calls each allocate.
fn allocates(calls: u64, describe: fn(Builder) -> Built) -> AllocationInfo {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.unwrap();
    let builder = Batcher::builder("test")
        .registry(&Registry::new())
        .clock(Clock::tokio())
        .sizing(BatchSizing::Fixed(4))
        .max_in_flight(1);
    let batcher = describe(builder);
    let info = measure(|| {
        runtime.block_on(async {
            let callers = [0, 1, 2, 3].map(|caller| {
                let batcher = &batcher;
                async move {
                    for n in 0..calls {
                        assert_eq!(batcher.call(4 * n + caller).await.unwrap(), 4 * n + caller);
                    }
                }
            });
            join_all(callers).await;
            settle().await;
        });
    });
    check_idle(&batcher);
    info
}

fn check(name: &str, describe: fn(Builder) -> Built) {
    // What is made once is made before.
    allocates(100, describe);
    let few = allocates(1_000, describe);
    let many = allocates(10_000, describe);
    let grown = many.bytes_current - few.bytes_current;
    // Turns that were left to others are cleared away at times.
    assert!(grown <= 4_096, "{name}: {} and {} bytes stay", few.bytes_current, many.bytes_current);
    let most = many.bytes_max.saturating_sub(few.bytes_max);
    assert!(most <= 4_096, "{name}: {} and {} bytes at most", few.bytes_max, many.bytes_max);
}

#[test]
fn memory_is_flat() {
    check("plain", build);
    check("counts", |b| build(b.instrumentation(Instrumentation::Counts)));
    check("aborting", |b| build(b.abort_abandoned()));
}

#[test]
fn memory_is_flat_with_weights_that_come_to_the_maximum() {
    // All four together weigh as much as may be.
    check("weights", |b| build(b.max_weight(40, |_| 10)));
}

#[test]
fn memory_is_flat_with_times() {
    check("times", |b| {
        build(b.max_wait(Duration::from_secs(60)).max_linger(Duration::from_millis(1)))
    });
}

#[test]
fn memory_is_flat_with_keys_that_are_always_new() {
    // Four lines at a time, which end and begin in the same places.
    check("partitions", |b| build(b.partition_by(|item| *item)));
    check("keys", |b| build(b.dedup_by(|item| *item)));
    check("both", |b| build(b.partition_by(|item| item / 2).dedup_by(|item| *item)));
}

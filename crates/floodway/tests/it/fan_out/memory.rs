//! Memory follows what runs, not how many items there are.

use std::{convert::Infallible, future::ready};

use allocation_counter::{AllocationInfo, measure};
use floodway::fan_out::{FanOutExt, Outcome};
use tokio::task::yield_now;

use super::kit::nz;

const CONCURRENCY: usize = 64;
const BUFFER: usize = 64;

type Item = u64;

async fn operation(n: Item) -> Result<Item, Infallible> {
    if n.is_multiple_of(64) {
        yield_now().await;
    }
    Ok(n)
}

/// What a run over so many items allocates, on the thread that runs it all.
fn allocates(items: u64, run: impl AsyncFnOnce(u64)) -> AllocationInfo {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut run = Some(run);
    measure(|| runtime.block_on(run.take().expect("called once")(items)))
}

fn bound(future: usize) -> u64 {
    let outcome = size_of::<Outcome<Item, Infallible>>();
    (64 * 1024 + (CONCURRENCY + BUFFER) * (future + outcome + 64)) as u64
}

fn check(name: &str, per_item: f64, future: usize, run: impl AsyncFnOnce(u64) + Copy) {
    // What is made once, such as a thread's own, is made before.
    allocates(1_000, run);
    let few = allocates(20_000, run);
    let many = allocates(200_000, run);
    let each = (many.count_total - few.count_total) as f64 / 180_000.0;
    assert!(each <= per_item, "{name}: {each} allocations for each item");
    assert!(many.bytes_max <= bound(future), "{name}: {} > {}", many.bytes_max, bound(future));
    let grown = many.bytes_max.saturating_sub(few.bytes_max);
    assert!(grown <= 1024, "{name}: {} and {} bytes", few.bytes_max, many.bytes_max);
    assert_eq!(many.count_current, 0, "{name}: everything is given back");
}

#[test]
fn in_task_memory_is_flat() {
    let future = size_of_val(&operation(0));
    check("in task", 0.001, future, async |items| {
        let fan_out = (0..items).fan_out(operation).concurrency(nz(CONCURRENCY)).buffer(BUFFER);
        let summary = fan_out.in_task().for_each(|_| ready(())).await;
        assert_eq!(summary.stats.counts.succeeded as u64, items);
    });
}

#[test]
fn spawned_memory_is_flat() {
    let future = size_of_val(&operation(0));
    check("spawned", 0.02, future, async |items| {
        let fan_out = (0..items).fan_out(operation).concurrency(nz(CONCURRENCY)).buffer(BUFFER);
        let summary = fan_out.for_each(|_| ready(())).await;
        assert_eq!(summary.stats.counts.succeeded as u64, items);
    });
}

//! What is exported.

use floodway::{Batcher, Clock, OnBatchError, Registry, batcher::QueueFull};
use floodway_metrics::catalogue::batcher as catalogue;
use tokio::time::sleep;

use super::kit::{
    Downstream, MS, Trouble, all_items, answers, builder, calls, check_idle, check_outcomes,
    doubled, ends, number, settle, waits,
};

#[tokio::test(start_paused = true)]
async fn every_call_has_one_outcome() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let builder = builder
        .max_weight(100, |item| u64::from(*item))
        .max_wait(10 * MS)
        .queue_capacity(4)
        .queue_full(QueueFull::Reject)
        .dedup_by(|item| *item);
    let batcher = downstream.judging(builder, |items| match items {
        [1, ..] => Ok(items.iter().map(|_| Err(Trouble::Poison)).collect()),
        [2, _, ..] => Err(Trouble::Down),
        items => doubled(items),
    });
    // Two item errors, one of them of a twin; two too many.
    let running = calls(&batcher, [0]).await;
    let queued = calls(&batcher, [1, 1, 3, 4, 5, 6]).await;
    downstream.let_through(2);
    answers(running).await;
    answers(queued).await;
    // Two of a batch that fails, one too heavy.
    let running = calls(&batcher, [0]).await;
    let queued = calls(&batcher, [2, 3, 101]).await;
    downstream.let_through(2);
    answers(running).await;
    answers(queued).await;
    settle().await;
    // One that expires, one who goes away in the queue, one in flight.
    let mut gone = [batcher.call(0), batcher.call(8)];
    gone.iter_mut().for_each(waits);
    settle().await;
    let queued = calls(&batcher, [9]).await;
    drop(gone);
    answers(queued).await;
    downstream.let_through(1);
    settle().await;
    check_idle(&batcher);
    batcher.close();
    answers(calls(&batcher, [1]).await).await;
    let items = [
        ("ok", 3),
        ("item_error", 3),
        ("batch_error", 2),
        ("cancelled", 1),
        ("rejected", 4),
        ("expired", 1),
        ("deduplicated", 1),
    ];
    check_outcomes(&registry, &items, &[("ok", 4), ("error", 1)]);
    assert_eq!(all_items(&registry), 15.0);
    let rejected =
        [("queue_full", 2.0), ("weight", 1.0), ("closed", 1.0), ("expired", 1.0), ("limiter", 0.0)];
    for (reason, count) in rejected {
        assert_eq!(number(&registry, &catalogue::REJECTED, reason), count, "{reason}");
    }
    assert_eq!(number(&registry, &catalogue::FLUSHES, ""), 5.0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_counts_once_for_each_call_it_takes() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let builder = builder.on_batch_error(OnBatchError::Bisect { max_calls: 99, when: |_| true });
    let batcher = downstream.judging(builder, |items| match items.contains(&7) {
        true => Err(Trouble::Poison),
        false => doubled(items),
    });
    let calls = calls(&batcher, 0..9).await;
    downstream.let_through(100);
    answers(calls).await;
    // 7 is among 1 to 8: 8, 4 and 4, 2 and 2, 1 and 1.
    check_outcomes(&registry, &[("ok", 8), ("item_error", 1)], &[("ok", 4), ("error", 4)]);
    assert_eq!(number(&registry, &catalogue::SPLITS, ""), 3.0);
    assert_eq!(number(&registry, &catalogue::FLUSHES, ""), 2.0);
    let snapshot = registry.snapshot();
    let items = snapshot.histogram(&catalogue::BATCH_ITEMS, &["test"]).unwrap();
    assert_eq!((items.count(), items.sum), (2, 9.0));
    let times = snapshot.histogram(&catalogue::EXECUTE_DURATION, &["test"]).unwrap();
    assert_eq!(times.count(), 8);
}

#[tokio::test(start_paused = true)]
async fn times_are_those_of_the_wait_and_of_the_call() {
    let (registry, builder) = builder();
    let batcher = builder
        .build(async |items: Vec<u32>| {
            sleep(40 * MS).await;
            doubled(&items)
        })
        .unwrap();
    let running = calls(&batcher, [0]).await;
    sleep(10 * MS).await;
    let queued = calls(&batcher, [1, 2]).await;
    answers(running).await;
    answers(queued).await;
    let snapshot = registry.snapshot();
    let wait = snapshot.histogram(&catalogue::WAIT_DURATION, &["test"]).unwrap();
    let execute = snapshot.histogram(&catalogue::EXECUTE_DURATION, &["test"]).unwrap();
    assert_eq!((wait.count(), execute.count()), (3, 2));
    assert!((wait.sum - 0.060).abs() < 0.003, "{}", wait.sum);
    assert!((execute.sum - 0.080).abs() < 0.003, "{}", execute.sum);
}

#[tokio::test(start_paused = true)]
async fn what_waits_and_runs_is_seen_while_it_does() {
    let downstream = Downstream::gated();
    let (registry, builder) = builder();
    let batcher = downstream.doubling(builder.queue_capacity(77).max_in_flight(1));
    let calls = calls(&batcher, 0..6).await;
    let seen = |metric| number(&registry, metric, "");
    assert_eq!(seen(&catalogue::QUEUED), 5.0);
    assert_eq!(seen(&catalogue::QUEUE_CAPACITY), 77.0);
    assert_eq!(seen(&catalogue::IN_FLIGHT), 1.0);
    assert_eq!(seen(&catalogue::IN_FLIGHT_LIMIT), 1.0);
    downstream.let_through(2);
    answers(calls).await;
    settle().await;
    assert_eq!((seen(&catalogue::QUEUED), seen(&catalogue::IN_FLIGHT)), (0.0, 0.0));
}

/// Every counter of the batcher, and how often each histogram was added to.
fn counters(registry: &Registry) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for family in &registry.snapshot().families {
        for series in &family.series {
            let name = format!("{} {:?}", family.metric.name, series.labels);
            match &series.value {
                floodway_metrics::Value::Number(number)
                    if family.metric.name.ends_with("_total") =>
                {
                    found.push((name, *number));
                }
                floodway_metrics::Value::Histogram(histogram) => {
                    found.push((name, histogram.count() as f64));
                }
                _ => {}
            }
        }
    }
    found
}

#[track_caller]
fn check_no_less(before: &[(String, f64)], after: &[(String, f64)]) {
    assert_eq!(before.len(), after.len());
    for ((name, before), (_, after)) in before.iter().zip(after) {
        assert!(after >= before, "{name} runs backwards: {before} to {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn batchers_of_one_description_add_up_and_what_they_counted_stays() {
    let registry = Registry::new();
    let prepared = Batcher::<u32, u64, Trouble>::builder("test")
        .registry(&registry)
        .clock(Clock::tokio())
        .queue_capacity(10)
        .max_in_flight(2)
        .prepare()
        .unwrap();
    let make = || {
        prepared.batcher(async |items: Vec<u32>| {
            sleep(MS * items.len() as u32).await;
            doubled(&items)
        })
    };
    let capacity = || number(&registry, &catalogue::QUEUE_CAPACITY, "");
    assert_eq!((capacity(), all_items(&registry)), (0.0, 0.0));
    let [a, b] = [make(), make()];
    assert_eq!((capacity(), number(&registry, &catalogue::IN_FLIGHT_LIMIT, "")), (20.0, 4.0));
    for n in 0..40 {
        for batcher in [&a, &b] {
            answers(calls(batcher, 0..n % 8).await).await;
        }
    }
    settle().await;
    let items = all_items(&registry);
    assert_eq!(items, 280.0);
    let both = counters(&registry);
    drop(a);
    settle().await;
    check_no_less(&both, &counters(&registry));
    assert_eq!(capacity(), 10.0);
    assert_eq!(ends(b.call(1)).await.unwrap(), 2);
    drop(b);
    settle().await;
    check_no_less(&both, &counters(&registry));
    assert_eq!((capacity(), all_items(&registry)), (0.0, 281.0));
    assert!(number(&registry, &catalogue::WORK, "") >= 0.0);
}

#[test]
fn counters_never_run_backwards_while_batchers_come_and_go() {
    let registry = Registry::new();
    let prepared = Batcher::<u32, u64, Trouble>::builder("test").registry(&registry).prepare();
    let prepared = prepared.unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let work = runtime.spawn(async move {
        for _ in 0..400 {
            let batcher = prepared.batcher(async |items: Vec<u32>| {
                tokio::task::yield_now().await;
                doubled(&items)
            });
            for n in 0..20 {
                futures::future::join_all((0..n % 5 + 1).map(|n| batcher.call(n))).await;
            }
        }
    });
    let mut before = counters(&registry);
    while !work.is_finished() {
        let now = counters(&registry);
        check_no_less(&before, &now);
        before = now;
    }
    runtime.block_on(work).unwrap();
}

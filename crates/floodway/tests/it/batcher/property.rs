//! Random batchers under paused time beside what must hold of every one of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodway::{
    BatchError, BatchSizing, Batcher, Clock, Instrumentation, Limiter, OnBatchError, Registry,
    batcher::{BatcherBuilder, Key, QueueFull},
};
use floodway_metrics::catalogue::batcher as catalogue;
use proptest::{prelude::*, test_runner::RngSeed};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::kit::{MS, Trouble, all_items, check_idle, number, settle};
use crate::support::ms;

/// What an item does to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Ok,
    Err,
    Poison,
    Down,
    TooMany,
    Panic,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    id: usize,
    how: How,
    takes: u64,
    key: u8,
    weight: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Call(Item),
    /// The call of that number, if it has not ended.
    Cancel(usize),
    Advance(u64),
    Limit(u32),
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Fail,
    Retry,
    Bisect,
}

#[derive(Clone, Debug)]
struct Case {
    steps: Vec<Step>,
    size: usize,
    adaptive: bool,
    at_once: usize,
    limit: Option<u32>,
    capacity: usize,
    reject: bool,
    linger: Option<u64>,
    max_wait: Option<u64>,
    max_weight: Option<u64>,
    partitioned: bool,
    dedup: bool,
    abort: bool,
    policy: Policy,
    /// More items than that are too large a batch.
    most: Option<usize>,
    counts: bool,
    drain: Option<u64>,
}

fn item() -> impl Strategy<Value = Item> {
    let how = prop_oneof![
        12 => Just(How::Ok),
        2 => Just(How::Err),
        1 => Just(How::Poison),
        1 => Just(How::Down),
        1 => Just(How::TooMany),
        1 => Just(How::Panic),
    ];
    let takes = prop_oneof![Just(0_u64), 0..20_u64];
    (how, takes, 0..4_u8, 0..12_u64).prop_map(|(how, takes, key, weight)| Item {
        id: 0,
        how,
        takes,
        key,
        weight,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let step = prop_oneof![
        24 => item().prop_map(Step::Call),
        6 => (0..60_usize).prop_map(Step::Cancel),
        9 => (0..12_u64).prop_map(Step::Advance),
        3 => (1..5_u32).prop_map(Step::Limit),
        1 => Just(Step::Close),
    ];
    let steps = proptest::collection::vec(step, 1..80);
    let sizes = (1..9_usize, proptest::bool::weighted(0.2), 1..4_usize);
    let option = |range: std::ops::Range<u64>| proptest::option::weighted(0.3, range);
    let queue = (proptest::option::weighted(0.4, 1..4_u32), 1..20_usize, any::<bool>());
    let times = (option(1..10), option(1..30), option(1..20), option(0..50));
    let most = proptest::option::weighted(0.2, 1..5_usize);
    let rest = (any::<bool>(), any::<bool>(), any::<bool>(), most, any::<bool>());
    let policy = prop_oneof![Just(Policy::Fail), Just(Policy::Retry), Just(Policy::Bisect)];
    (steps, sizes, queue, times, rest, policy).prop_map(
        |(mut steps, sizes, queue, times, rest, policy)| {
            let calls = steps.iter_mut().filter_map(|step| match step {
                Step::Call(item) => Some(item),
                _ => None,
            });
            calls.enumerate().for_each(|(id, item)| item.id = id);
            Case {
                steps,
                size: sizes.0,
                adaptive: sizes.1,
                at_once: sizes.2,
                limit: queue.0,
                capacity: queue.1,
                reject: queue.2,
                linger: times.0,
                max_wait: times.1,
                max_weight: times.2,
                drain: times.3,
                partitioned: rest.0,
                dedup: rest.1,
                abort: rest.2,
                most: rest.3,
                counts: rest.4,
                policy,
            }
        },
    )
}

/// The batches that were begun.
#[derive(Default)]
struct Seen {
    batches: Vec<Vec<Item>>,
    inside: usize,
    most_inside: usize,
}

type Shared = Arc<Mutex<Seen>>;

fn look(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Inside(Shared);

impl Drop for Inside {
    fn drop(&mut self) {
        look(&self.0).inside -= 1;
    }
}

type Answers = Result<Vec<Result<usize, Trouble>>, Trouble>;

async fn function(seen: Shared, items: Vec<Item>, most: Option<usize>) -> Answers {
    let _inside = {
        let mut seen_now = look(&seen);
        seen_now.batches.push(items.clone());
        seen_now.inside += 1;
        seen_now.most_inside = seen_now.most_inside.max(seen_now.inside);
        drop(seen_now);
        Inside(seen)
    };
    let takes = items.iter().map(|item| item.takes).max();
    sleep(ms(takes.unwrap_or(0))).await;
    if most.is_some_and(|most| items.len() > most) {
        return Err(Trouble::TooLarge);
    }
    let any = |how| items.iter().any(|item| item.how == how);
    if any(How::Panic) {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
    if any(How::Down) {
        return Err(Trouble::Down);
    }
    if any(How::Poison) {
        return Err(Trouble::Poison);
    }
    let answer = |item: &Item| match item.how {
        How::Err => Err(Trouble::Poison),
        _ => Ok(item.id),
    };
    let mut answers: Vec<_> = items.iter().map(answer).collect();
    if any(How::TooMany) {
        answers.push(Ok(0));
    }
    Ok(answers)
}

type Built = Batcher<Item, usize, Trouble>;

fn build<K: Key, D: Key>(
    builder: BatcherBuilder<Item, usize, Trouble, K, D>,
    seen: &Shared,
    most: Option<usize>,
) -> Built {
    let seen = Arc::clone(seen);
    let built = builder.build(move |items| function(Arc::clone(&seen), items, most));
    built.expect("a valid description")
}

fn describe(case: &Case, registry: &Registry, limiter: &Limiter, seen: &Shared) -> Built {
    let mut builder = Batcher::builder("test")
        .registry(registry)
        .clock(Clock::tokio())
        .sizing(BatchSizing::Fixed(case.size))
        .max_in_flight(case.at_once)
        .queue_capacity(case.capacity);
    if case.adaptive {
        builder = builder.sizing(BatchSizing::Adaptive { overhead: 0.05, max_size: case.size });
    }
    if case.reject {
        builder = builder.queue_full(QueueFull::Reject);
    }
    if case.limit.is_some() {
        builder = builder.limiter(limiter);
    }
    if let Some(linger) = case.linger {
        builder = builder.max_linger(ms(linger));
    }
    if let Some(max_wait) = case.max_wait {
        builder = builder.max_wait(ms(max_wait));
    }
    if let Some(max) = case.max_weight {
        builder = builder.max_weight(max, |item: &Item| item.weight);
    }
    if case.abort {
        builder = builder.abort_abandoned();
    }
    let when = |error: &Trouble| *error != Trouble::TooLarge;
    match case.policy {
        Policy::Fail => {}
        Policy::Retry => {
            let policy = OnBatchError::Retry { max_calls: 3, backoff: 4 * MS, when };
            builder = builder.on_batch_error(policy);
        }
        Policy::Bisect => {
            builder = builder.on_batch_error(OnBatchError::Bisect { max_calls: 6, when });
        }
    }
    if case.most.is_some() {
        builder = builder.too_large_when(|error| *error == Trouble::TooLarge);
    }
    if case.counts {
        builder = builder.instrumentation(Instrumentation::Counts);
    }
    let most = case.most;
    let partition = |item: &Item| item.key % 2;
    let key = |item: &Item| item.key;
    match (case.partitioned, case.dedup) {
        (false, false) => build(builder, seen, most),
        (true, false) => build(builder.partition_by(partition), seen, most),
        (false, true) => build(builder.dedup_by(key), seen, most),
        (true, true) => build(builder.partition_by(partition).dedup_by(key), seen, most),
    }
}

type Answer = Result<usize, BatchError<Trouble>>;

/// A call that was begun.
struct Begun {
    item: Item,
    task: JoinHandle<Answer>,
    /// It was cancelled before its item was sent, and nobody else had one like it.
    never: bool,
}

async fn run(case: &Case) {
    let registry = Registry::new();
    let limiter = Limiter::builder("test").registry(&Registry::new());
    let limiter = limiter.clock(Clock::tokio()).limit(case.limit.unwrap_or(1)).bounds(1..=9);
    let limiter = limiter.build().expect("a valid description");
    let seen = Shared::default();
    let batcher = describe(case, &registry, &limiter, &seen);
    let mut begun: Vec<Begun> = Vec::new();
    let mut highest = case.limit.unwrap_or(9);
    for step in &case.steps {
        match step {
            Step::Call(item) => {
                let task = tokio::spawn(batcher.call(*item));
                begun.push(Begun { item: *item, task, never: false });
            }
            Step::Cancel(n) => {
                // Who is aboard has been seen by the batch function from here on.
                settle().await;
                if let Some(call) = begun.get_mut(*n).filter(|call| !call.task.is_finished()) {
                    let id = call.item.id;
                    let sent = look(&seen).batches.iter().flatten().any(|item| item.id == id);
                    call.never = !sent && !case.dedup;
                    call.task.abort();
                }
                settle().await;
            }
            Step::Close => batcher.close(),
            Step::Advance(millis) => sleep(ms(*millis)).await,
            Step::Limit(limit) => {
                highest = highest.max(*limit);
                limiter.set_limit(*limit).expect("within bounds");
            }
        }
    }
    settle().await;
    if let Some(deadline) = case.drain {
        batcher.drain(Instant::now() + ms(deadline)).await;
    }
    sleep(ms(100_000)).await;
    assert!(begun.iter().all(|call| call.task.is_finished()), "somebody still waits");
    let polled = begun.len();
    check_answers(case, begun, &seen).await;
    check_batches(case, &look(&seen), highest);
    check_idle(&batcher);
    assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
    check_numbers(&registry, polled, &look(&seen));
}

async fn check_answers(case: &Case, begun: Vec<Begun>, seen: &Shared) {
    let sent: HashMap<usize, usize> = {
        let mut sent = HashMap::new();
        for item in look(seen).batches.iter().flatten() {
            *sent.entry(item.id).or_insert(0) += 1;
        }
        sent
    };
    let keys: HashMap<usize, u8> = begun.iter().map(|call| (call.item.id, call.item.key)).collect();
    for Begun { item, task, never } in begun {
        let times = sent.get(&item.id).copied().unwrap_or(0);
        assert!(!never || times == 0, "{item:?} had no caller and was sent");
        if case.policy == Policy::Fail && case.most.is_none() {
            assert!(times <= 1, "{item:?} was sent {times} times");
        }
        let answer = match task.await {
            Ok(answer) => answer,
            Err(error) => {
                assert!(error.is_cancelled(), "{error}");
                continue;
            }
        };
        match answer {
            // Its own, or that of one like it.
            Ok(id) if id == item.id => assert!(times > 0 && item.how == How::Ok),
            Ok(id) => assert!(case.dedup && keys[&id] == item.key && times == 0, "{item:?}: {id}"),
            Err(BatchError::Rejected(why)) => assert_eq!(times, 0, "{item:?}: {why}"),
            Err(BatchError::Item(_)) if !case.dedup => {
                assert!(times > 0 && !matches!(item.how, How::Ok | How::TooMany | How::Panic));
            }
            Err(_) => assert!(case.dedup || times > 0, "{item:?} was not sent"),
        }
    }
}

fn check_batches(case: &Case, seen: &Seen, highest: u32) {
    assert_eq!(seen.inside, 0);
    assert!(seen.most_inside <= case.at_once);
    if case.limit.is_some() {
        assert!(seen.most_inside <= highest as usize);
    }
    // Who shares a batch with whom at first: parts and further attempts are of the same.
    let mut first: HashMap<usize, usize> = HashMap::new();
    for (n, batch) in seen.batches.iter().enumerate() {
        assert!(!batch.is_empty() && batch.len() <= case.size);
        if let Some(max) = case.max_weight {
            assert!(batch.iter().map(|item| item.weight).sum::<u64>() <= max);
        }
        if case.partitioned {
            assert!(batch.iter().all(|item| item.key % 2 == batch[0].key % 2));
        }
        let of: Vec<_> = batch.iter().map(|item| *first.entry(item.id).or_insert(n)).collect();
        assert!(of.iter().all(|one| *one == of[0]), "mixed: {batch:?}");
        if case.policy == Policy::Retry && case.most.is_none() {
            assert_eq!(batch.len(), seen.batches[of[0]].len());
        }
        if case.dedup {
            let mut keys: Vec<_> = batch.iter().map(|item| item.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), batch.len(), "twins in one batch: {batch:?}");
        }
    }
}

fn check_numbers(registry: &Registry, polled: usize, seen: &Seen) {
    assert_eq!(all_items(registry), polled as f64, "each call has one outcome");
    let batches = number(registry, &catalogue::BATCHES, "");
    let aborted = number(registry, &catalogue::BATCHES, "aborted");
    let calls = seen.batches.len() as f64;
    assert!(batches >= calls && batches <= calls + aborted, "{batches} {calls} {aborted}");
    let again = number(registry, &catalogue::RETRIES, "");
    let split = number(registry, &catalogue::SPLITS, "");
    let flushes = number(registry, &catalogue::FLUSHES, "");
    // Those that were abandoned halfway were not called for every part.
    assert!(batches <= flushes + again + 2.0 * split && batches >= flushes);
    assert_eq!(number(registry, &catalogue::QUEUED, ""), 0.0);
}

proptest! {
    // The same cases in every run, so that what is red stays red.
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..ProptestConfig::with_cases(1_500)
    })]

    #[test]
    fn whatever_happens_each_item_is_answered_once(case in case()) {
        // Of the backoffs.
        fastrand::seed(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(run(&case));
    }
}

//! Callers on many threads who go away whenever they like.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use floodway::{
    BatchError, BatchSizing, Batcher, Limiter, Registry,
    batcher::{BatcherBuilder, Call, QueueFull},
};
use floodway_metrics::catalogue::batcher as catalogue;
use futures::future::join_all;
use tokio::{runtime::Runtime, task::yield_now, time::timeout};

use super::kit::{Trouble, all_items, number};

const SIZE: usize = 32;
const AT_ONCE: usize = 3;
const CAPACITY: usize = 300;
const TASKS: u32 = 100;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// A number that looks random, and is the same each time.
const fn mix(n: u32) -> u32 {
    let n = (n ^ (n >> 16)).wrapping_mul(0x7feb_352d);
    let n = (n ^ (n >> 15)).wrapping_mul(0x846c_a68b);
    n ^ (n >> 16)
}

/// What the batch function saw.
#[derive(Default)]
struct Seen {
    inside: AtomicUsize,
    most_inside: AtomicUsize,
    most_items: AtomicUsize,
    mixed: AtomicUsize,
    /// How often each item was sent.
    sent: Mutex<Vec<u64>>,
}

struct Inside<'a>(&'a Seen);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Seen {
    fn enter(&self, items: &[u32]) -> Inside<'_> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        self.most_items.fetch_max(items.len(), Ordering::SeqCst);
        if items.iter().any(|item| item % 3 != items[0] % 3) {
            self.mixed.fetch_add(1, Ordering::SeqCst);
        }
        let mut sent = self.sent.lock().unwrap();
        for item in items {
            let item = *item as usize;
            if sent.len() <= item {
                sent.resize(item + 1, 0);
            }
            sent[item] += 1;
        }
        Inside(self)
    }
}

type Described = BatcherBuilder<u32, u64, Trouble, u32>;

fn batcher(
    seen: &Arc<Seen>,
    describe: impl FnOnce(Described) -> Described,
) -> (Registry, Batcher<u32, u64, Trouble>) {
    let registry = Registry::new();
    let builder = Batcher::builder("test")
        .registry(&registry)
        .sizing(BatchSizing::Fixed(SIZE))
        .max_in_flight(AT_ONCE)
        .queue_capacity(CAPACITY)
        .partition_by(|item| item % 3);
    let seen = Arc::clone(seen);
    let batcher = describe(builder).build(move |items: Vec<u32>| {
        let seen = Arc::clone(&seen);
        async move {
            let _inside = seen.enter(&items);
            for _ in 0..mix(items[0]) % 4 {
                yield_now().await;
            }
            Ok(items.into_iter().map(|item| Ok(u64::from(item) * 2)).collect())
        }
    });
    (registry, batcher.unwrap())
}

/// What became of the calls that were polled.
#[derive(Default)]
struct Came {
    polled: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Came {
    /// Calls with `item` for as long as it looks.
    async fn one(&self, batcher: &Batcher<u32, u64, Trouble>, item: u32) {
        let mut call = batcher.call(item);
        let random = mix(item);
        let polls = match random % 4 {
            0 => u32::MAX,
            _ => random / 4 % 12,
        };
        for _ in 0..polls {
            let poll =
                std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut call).poll(context)));
            let poll = poll.await;
            self.polled.fetch_add(1, Ordering::Relaxed);
            match poll {
                Poll::Ready(Ok(answer)) => {
                    assert_eq!(answer, u64::from(item) * 2);
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Poll::Ready(Err(BatchError::Rejected(_))) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Poll::Ready(Err(error)) => panic!("{error}"),
                // One poll is enough to count, and then it waits as a caller would.
                Poll::Pending if polls == u32::MAX => {
                    assert_eq!(call.await.ok(), Some(u64::from(item) * 2));
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Poll::Pending => yield_now().await,
            }
            self.polled.fetch_sub(1, Ordering::Relaxed);
        }
        if polls > 0 {
            self.polled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// All who call, `each` by each task.
async fn storm(batcher: &Batcher<u32, u64, Trouble>, each: u32) -> Arc<Came> {
    let came = Arc::new(Came::default());
    let tasks = (0..TASKS).map(|task| {
        let (batcher, came) = (batcher.clone(), Arc::clone(&came));
        tokio::spawn(async move {
            for n in 0..each {
                came.one(&batcher, task * each + n).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("no panic");
    }
    came
}

async fn comes_to_rest(batcher: &Batcher<u32, u64, Trouble>) {
    let rest = async {
        loop {
            let snapshot = batcher.snapshot();
            if snapshot.queued + snapshot.in_flight == 0 {
                return;
            }
            yield_now().await;
        }
    };
    let rest = timeout(Duration::from_secs(60), rest).await;
    assert!(rest.is_ok(), "{:?}", batcher.snapshot());
}

/// How many calls find a place in the queue while nothing can be sent.
fn places(batcher: &Batcher<u32, u64, Trouble>) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut calls: Vec<Call<u32, u64, Trouble>> = Vec::new();
    loop {
        let mut call = batcher.call(0);
        let refused = Pin::new(&mut call).poll(&mut context).is_ready();
        if refused || format!("{call:?}").contains("room") {
            return calls.len();
        }
        calls.push(call);
    }
}

fn check(describe: impl FnOnce(Described) -> Described, each: u32) {
    let seen = Arc::new(Seen::default());
    let limiter = Limiter::builder("storm").registry(&Registry::new()).limit(AT_ONCE as u32);
    let limiter = limiter.build().unwrap();
    let (registry, batcher) = batcher(&seen, |b| describe(b.limiter(&limiter)));
    runtime().block_on(async {
        let came = storm(&batcher, each).await;
        comes_to_rest(&batcher).await;
        assert_eq!(all_items(&registry), came.polled.load(Ordering::SeqCst) as f64);
        let answered = came.answered.load(Ordering::SeqCst);
        assert!(answered > u64::from(each * TASKS) / 8, "{answered}");
        let refused = came.refused.load(Ordering::SeqCst) as f64;
        assert_eq!(number(&registry, &catalogue::REJECTED, ""), refused);
        let sent = seen.sent.lock().unwrap().iter().sum::<u64>();
        let ok = number(&registry, &catalogue::ITEMS, "ok");
        let aborted = number(&registry, &catalogue::ITEMS, "batch_error");
        assert!(sent as f64 >= ok && sent as f64 <= ok + aborted, "{sent} {ok} {aborted}");
        // The permits are all there, and so are the places.
        let held: Vec<_> = (0..AT_ONCE).map(|_| limiter.try_acquire().unwrap()).collect();
        assert_eq!(places(&batcher), CAPACITY);
        drop(held);
        comes_to_rest(&batcher).await;
    });
    assert!(seen.sent.lock().unwrap().iter().all(|times| *times <= 1), "nothing is sent twice");
    assert_eq!(seen.inside.load(Ordering::SeqCst), 0);
    assert!(seen.most_inside.load(Ordering::SeqCst) <= AT_ONCE);
    assert!(seen.most_items.load(Ordering::SeqCst) <= SIZE);
    assert_eq!(seen.mixed.load(Ordering::SeqCst), 0);
    assert_eq!((limiter.in_flight(), limiter.queued()), (0, 0));
}

#[test]
fn of_a_hundred_thousand_calls_leaves_nothing_behind() {
    check(|builder| builder, 1_000);
}

#[test]
fn whose_batches_are_aborted_leaves_nothing_behind() {
    check(BatcherBuilder::abort_abandoned, 300);
}

#[test]
fn that_lingers_leaves_nothing_behind() {
    check(|builder| builder.max_linger(Duration::from_millis(1)), 100);
}

#[test]
fn that_finds_the_queue_full_leaves_nothing_behind() {
    check(|builder| builder.queue_capacity(CAPACITY).queue_full(QueueFull::Reject), 100);
}

#[test]
fn from_runtimes_that_go_away_leaves_nothing_behind() {
    let seen = Arc::new(Seen::default());
    let (registry, batcher) = batcher(&seen, |b| b.max_wait(Duration::from_secs(30)));
    let stays = runtime();
    let steady = stays.spawn({
        let batcher = batcher.clone();
        async move {
            let mut aborted = 0_u32;
            for item in 0..1_000_u32 {
                let calls = join_all([item; 4].map(|item| batcher.call(item)));
                let calls = timeout(Duration::from_secs(60), calls).await;
                for answer in calls.expect("no caller is forgotten") {
                    match answer {
                        Ok(answer) => assert_eq!(answer, u64::from(item) * 2),
                        // It was on a runtime that has gone.
                        Err(BatchError::Aborted) => aborted += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            aborted
        }
    });
    while !steady.is_finished() {
        let goes = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        for item in 0..20 {
            let batcher = batcher.clone();
            drop(goes.spawn(async move { while batcher.call(item).await.is_ok() {} }));
        }
        goes.block_on(async {
            for _ in 0..50 {
                yield_now().await;
            }
        });
        goes.shutdown_background();
    }
    stays.block_on(async {
        steady.await.expect("no panic");
        let drained = batcher.drain(tokio::time::Instant::now() + Duration::from_secs(60)).await;
        assert!(drained.is_complete(), "{drained:?}");
    });
    assert_eq!(seen.inside.load(Ordering::SeqCst), 0);
    assert!(all_items(&registry) >= 4_000.0);
}

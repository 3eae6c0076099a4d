//! A storm of callers on many threads.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use floodway::{PoolLimiter, Queue, Weight};
use floodway_metrics::catalogue::pool as metrics;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::{JoinSet, yield_now};

use super::kit::*;
use crate::support::ms;

const MAX: u32 = 8;
const RESERVED: u32 = 2;
const CALLERS: u64 = 8_000;

/// One caller of some kind, who may be dropped at any await.
async fn caller(limiter: PoolLimiter<FakePool>, mut rng: StdRng) {
    let most = rng.random_range(1..=5);
    let weight = if rng.random() { Weight::Exact(most) } else { Weight::UpTo(most) };
    if rng.random() {
        let _held = limiter.connection(far()).await;
        return yields(&mut rng).await;
    }
    let Ok(claim) = limiter.claim(weight, far()).await else {
        return;
    };
    let mut held = Vec::new();
    for _ in 0..rng.random_range(0..=most) {
        held.extend(claim.connection(far()).await);
        yields(&mut rng).await;
    }
    drop(claim);
    drop(held);
}

async fn yields(rng: &mut StdRng) {
    for _ in 0..rng.random_range(0..4) {
        yield_now().await;
    }
}

/// Polls `future` at most `polls` times.
async fn cut_short(future: impl Future<Output = ()>, polls: u32) {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        if futures::poll!(&mut future).is_ready() {
            return;
        }
        yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_else_is_seen_where_nobody_else_is() {
    let bench = Bench::with(FakePool::new(MAX), |builder| {
        builder.reserved(RESERVED).queue(Queue::fifo().max_wait(ms(60_000)))
    });
    bench.pool.change(|n| n.suspends = true);
    let over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (limiter, over) = (bench.limiter.clone(), Arc::clone(&over));
        let pool = bench.pool.clone();
        tokio::spawn(async move {
            let mut lowest = u32::MAX;
            while !over.load(Ordering::Relaxed) {
                lowest = lowest.min(limiter.limiter().limit());
                assert!(pool.numbers().used <= MAX - RESERVED);
                yield_now().await;
            }
            lowest
        })
    };
    let mut seeds = StdRng::seed_from_u64(11);
    let mut tasks = JoinSet::new();
    for _ in 0..CALLERS {
        let rng = StdRng::seed_from_u64(seeds.random());
        let polls = if seeds.random_ratio(1, 3) { seeds.random_range(1..20) } else { u32::MAX };
        tasks.spawn(cut_short(caller(bench.limiter.clone(), rng), polls));
        if tasks.len() >= 24 {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    over.store(true, Ordering::Relaxed);
    assert_eq!(watching.await.expect("no panic"), MAX - RESERVED, "the lowest limit");
    // What goes on in the background ends by itself.
    for _ in 0..1_000_000 {
        if bench.limiter.limiter().in_flight() == 0 {
            break;
        }
        yield_now().await;
    }
    bench.check_at_rest();
    assert_eq!(bench.number(&metrics::CONNECTIONS_FOREIGN, &[]), 0.0);
    let n = bench.pool.numbers();
    assert_eq!((n.interrupted, n.most_used), (0, MAX - RESERVED));
}

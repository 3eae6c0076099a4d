//! Connections, limiters and runtimes that end in another order than usual.

use floodway::{PoolCause, PoolLimiter, Registry, Weight};
use floodway_metrics::catalogue::pool as metrics;
use tokio::{runtime::Builder, time::sleep};

use super::kit::*;
use crate::support::ms;

#[tokio::test(start_paused = true)]
async fn a_connection_may_be_dropped_on_a_thread_without_a_runtime() {
    let bench = Bench::new(2, 0);
    let held = bench.connection().await.unwrap();
    let claim = bench.claim(Weight::Exact(1)).await.unwrap();
    let other = claim.connection(soon()).await.unwrap();
    let elsewhere = std::thread::spawn(move || drop((held, claim, other)));
    elsewhere.join().unwrap();
    settle().await;
    bench.check_at_rest();
}

#[test]
fn a_connection_may_outlive_its_runtime() {
    let runtime =
        || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let pool = FakePool::new(2);
    let (limiter, held, registry) = runtime().block_on(async {
        let bench = Bench::with(pool.clone(), |builder| builder);
        let held = bench.connection().await.unwrap();
        (bench.limiter, held, bench.registry)
    });
    drop(held);
    // Nobody is there to take it back, but the permit is not lost with it.
    assert_eq!(limiter.limiter().in_flight(), 0);
    pool.change(|n| n.used = 0);
    runtime().block_on(async {
        let bench = Bench { pool, limiter, registry };
        let held = bench.connection().await.unwrap();
        assert_eq!((bench.limiter.limiter().in_flight(), bench.pool.numbers().used), (1, 1));
        drop(held);
    });
}

#[tokio::test(start_paused = true)]
async fn a_limiter_may_go_while_connections_are_out() {
    let Bench { pool, limiter, registry } = Bench::new(2, 0);
    let held = limiter.connection(soon()).await.unwrap();
    let claim = limiter.claim(Weight::UpTo(1), soon()).await.unwrap();
    let other = claim.connection(soon()).await.unwrap();
    drop((limiter, claim));
    sleep(ms(1_000)).await;
    // It is there as long as its connections are.
    assert_eq!(registry.snapshot().number(&metrics::CONNECTIONS_MAX, &["db"]), Some(2.0));
    drop((held, other));
    settle().await;
    assert_eq!(pool.numbers().used, 0);
    assert_eq!(registry.snapshot().number(&metrics::CONNECTIONS_MAX, &["db"]), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_watches_once_the_limiter_is_gone() {
    let Bench { pool, limiter, registry } = Bench::new(2, 0);
    drop(limiter.connection(soon()).await.unwrap());
    settle().await;
    assert!(pool.holders() > 2, "the limiter and its watch");
    drop(limiter);
    sleep(ms(300)).await;
    assert_eq!(pool.holders(), 1, "this test alone");
    let again = PoolLimiter::builder("db", pool.clone()).registry(&registry).build();
    assert!(again.is_ok(), "the name is free");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_goes_on_though_its_limiter_is_gone() {
    let Bench { pool, limiter, .. } = Bench::new(2, 0);
    pool.change(|n| n.connects = 0);
    assert!(limiter.connection(soon()).await.is_err());
    drop(limiter);
    pool.change(|n| n.connects = 1);
    settle().await;
    let (acquired, used, interrupted) = {
        let n = pool.numbers();
        (n.acquired, n.used, n.interrupted)
    };
    assert_eq!((acquired, used, interrupted), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn limiters_that_share_a_pool_see_each_other() {
    let pool = FakePool::new(10);
    let (one, other) = (Bench::with(pool.clone(), |b| b), Bench::with(pool, |b| b));
    let _held = [one.connection().await.unwrap(), one.connection().await.unwrap()];
    sleep(ms(300)).await;
    other.check(8, 0, 2);
    one.check(10, 2, 2);
    let _: Registry = other.registry;
}

async fn is_told_of_others(bench: &Bench) {
    bench.pool.change(|n| n.foreign = 2);
    sleep(ms(60_000)).await;
    let refused = cause(bench.connection().await);
    assert_eq!(refused, PoolCause::Foreign { connections: 2 });
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_leaves_nothing_behind() {
    let bench = Bench::new(2, 0);
    bench.pool.change(|n| n.connects = 0);
    let limiter = bench.limiter.clone();
    let asking = tokio::spawn(async move { limiter.connection(far()).await.map(drop) });
    settle().await;
    bench.pool.change(|n| n.fails = Some(Failure::Panics));
    settle().await;
    assert!(asking.await.unwrap_err().is_panic());
    settle().await;
    bench.pool.change(|n| (n.fails, n.connects) = (None, 100));
    bench.check_at_rest();
    is_told_of_others(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn a_return_that_panics_leaves_nothing_behind() {
    let bench = Bench::new(2, 0);
    let held = bench.connection().await.unwrap();
    bench.pool.change(|n| n.return_panics = true);
    drop(held);
    settle().await;
    bench.pool.change(|n| (n.return_panics, n.used) = (false, 0));
    bench.check_at_rest();
    is_told_of_others(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_in_the_background_leaves_nothing_behind() {
    let bench = Bench::new(2, 0);
    bench.pool.change(|n| n.connects = 0);
    assert!(bench.connection().await.is_err());
    bench.pool.change(|n| n.fails = Some(Failure::Panics));
    settle().await;
    bench.pool.change(|n| (n.fails, n.connects) = (None, 100));
    bench.check_at_rest();
    is_told_of_others(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_after_its_runtime_is_not_held_for_ever() {
    let pool = FakePool::new(2);
    let (limiter, held, registry) = std::thread::spawn({
        let pool = pool.clone();
        move || {
            let runtime =
                Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let bench = Bench::with(pool, |b| b);
                let held = bench.connection().await.unwrap();
                (bench.limiter, held, bench.registry)
            })
        }
    })
    .join()
    .unwrap();
    drop(held);
    pool.change(|n| n.used = 0);
    let bench = Bench { pool, limiter, registry };
    bench.check_at_rest();
    // Nobody watches any more: who comes first finds out.
    bench.pool.change(|n| n.foreign = 2);
    sleep(ms(60_000)).await;
    drop(bench.connection().await);
    is_told_of_others(&bench).await;
}

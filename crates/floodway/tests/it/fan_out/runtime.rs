//! Runtimes of many threads, and ones that go away.

use std::{
    future::ready,
    task::{Context, Waker},
    time::Duration,
};

use floodway::{
    Chunking,
    fan_out::{FanOutExt, StopReason},
};
use futures::stream;

use super::kit::{R, ends, limiter, nz, waits};

#[test]
fn that_goes_away_while_a_worker_yields() {
    let build = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let a = build();
    let mut collect =
        (0..1000_u32).fan_out(|n| async move { R::Ok(n) }).concurrency(nz(1)).collect();
    a.block_on(async {
        assert!(waits(&mut collect).await);
        tokio::task::yield_now().await;
    });
    drop(a);
    let report = build().block_on(ends(collect));
    assert_eq!(report.stop, StopReason::RuntimeGone);
    assert_eq!(report.outcomes.len(), 1000);
}

#[test]
fn that_goes_away_before_a_worker_was_polled() {
    let build = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let a = build();
    let mut collect =
        (0..1000_u32).fan_out(|n| async move { R::Ok(n) }).concurrency(nz(1)).collect();
    {
        let _g = a.enter();
        let mut context = Context::from_waker(Waker::noop());
        assert!(std::pin::Pin::new(&mut collect).poll(&mut context).is_pending());
    }
    drop(a);
    let report = build().block_on(ends(collect));
    assert_eq!(report.stop, StopReason::RuntimeGone);
    assert_eq!(report.outcomes.len(), 1000);
}

#[test]
fn with_many_threads_loses_nothing() {
    let rt =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    rt.block_on(async {
        for round in 0..300_u32 {
            let l = limiter(|b| b.limit(3));
            let f = (0..200_u32)
                .fan_out(move |n| async move {
                    for _ in 0..n % 3 {
                        tokio::task::yield_now().await;
                    }
                    if n == 150 && round % 2 == 0 { Err(n) } else { Ok(n) }
                })
                .concurrency(nz(6))
                .buffer(2);
            let go = async {
                match round % 6 {
                    0 => f.try_collect().await.map_or(0, |_| 1),
                    1 => f
                        .limit_per_key(|n| n % 3, nz(1))
                        .lookahead(2)
                        .collect()
                        .await
                        .outcomes
                        .len(),
                    2 => f.limiter(&l).collect().await.outcomes.len(),
                    3 => f
                        .ordered()
                        .for_each(|_| tokio::task::yield_now())
                        .await
                        .stats
                        .counts
                        .total(),
                    4 => {
                        f.spawn_each().chunks(Chunking::Fixed(nz(7))).collect().await.outcomes.len()
                    }
                    _ => {
                        let s = stream::iter(0..200_u32)
                            .fan_out(|n| async move { R::Ok(n) })
                            .for_each(|_| ready(()))
                            .await;
                        s.stats.counts.total()
                    }
                }
            };
            let n = tokio::time::timeout(Duration::from_secs(5), go)
                .await
                .unwrap_or_else(|_| panic!("hangs in round {round}"));
            if round % 6 != 0 {
                assert_eq!(n, 200, "round {round}");
            }
        }
    });
}

#[test]
fn blocking_operations_may_block_on_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let report = runtime.block_on(ends(
        (0..8_u32)
            .fan_out(move |n| {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                handle.spawn(async move { sender.send(n) });
                let received: u32 = receiver.blocking_recv().map_err(|_| n)?;
                handle.block_on(async { Ok::<_, u32>(received) })
            })
            .blocking()
            .concurrency(nz(4))
            .collect(),
    ));
    assert_eq!(report.stats.counts.succeeded, 8);
}

/// Each item computes until the other one does: a colleague that nobody can take would never begin.
#[test]
fn items_that_compute_at_once_use_all_threads() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..20 {
        let inside = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let report = runtime.block_on(ends(
            (0..2_u32)
                .fan_out(move |n| {
                    let inside = std::sync::Arc::clone(&inside);
                    async move {
                        use std::sync::atomic::Ordering::SeqCst;
                        inside.fetch_add(1, SeqCst);
                        // Far longer than a thread takes to wake, so as to fail instead of hanging.
                        for _ in 0..2_000_000 {
                            if inside.load(SeqCst) == 2 {
                                return Ok(n);
                            }
                            std::thread::yield_now();
                        }
                        Err(n)
                    }
                })
                .collect(),
        ));
        assert_eq!(report.stats.counts.succeeded, 2);
    }
}

//! Watching, steering and pushing.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use floodway::fan_out::{Backlog, FanOutExt, Handle};
use tokio::time::{Instant, sleep};

use super::kit::{Gauge, R, ends, nz};
use crate::support::ms;

/// Pushes once woken.
struct PushOnWake(Backlog<u32>, Mutex<Option<u32>>);
impl std::task::Wake for PushOnWake {
    fn wake(self: Arc<Self>) {
        if let Some(n) = self.1.lock().unwrap().take() {
            let _ = self.0.push(n);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn join_does_not_wait_for_what_could_have_cancelled() {
    let running =
        std::iter::empty::<u32>().fan_out(|n| async move { R::Ok(n) }).cancel_on(pending()).start();
    running.push(1).unwrap();
    sleep(ms(10)).await;
    let began = Instant::now();
    let report = ends(running.join()).await;
    assert_eq!(report.outcomes.len(), 1);
    assert_eq!(began.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_push_after_the_stop_is_given_back() {
    let running = std::iter::empty::<u32>().fan_out(|n| async move { R::Ok(n) }).start();
    running.handle().stop();
    assert_eq!(running.push(1), Err(1));
    let report = ends(running.join()).await;
    assert!(report.outcomes.is_empty());
}

#[test]
fn a_lower_concurrency_leaves_a_worker() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    // Two workers that finish at the same time both see one too many and both go home.
    let rt =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for round in 0..100 {
        let here = Arc::new(AtomicUsize::new(0));
        let b = here.clone();
        let slot: Arc<Mutex<Option<Handle>>> = Arc::default();
        let s = slot.clone();
        let done = rt.block_on(async move {
            let running = (0..40_u32)
                .fan_out(move |n| {
                    if n < 2 {
                        b.fetch_add(1, SeqCst);
                        while b.load(SeqCst) < 2 {
                            std::hint::spin_loop()
                        }
                        if n == 0 {
                            while s.lock().unwrap().is_none() {
                                std::hint::spin_loop()
                            }
                            s.lock().unwrap().as_ref().unwrap().set_concurrency(nz(1));
                        }
                        b.fetch_add(1, SeqCst);
                        while b.load(SeqCst) < 4 {
                            std::hint::spin_loop()
                        }
                    }
                    R::Ok(n)
                })
                .blocking()
                .concurrency(nz(2));
            let mut outcomes = running.buffer(100).stream();
            *slot.lock().unwrap() = Some(outcomes.handle());
            let mut n = 0;
            while let Ok(Some(_)) = tokio::time::timeout(ms(2000), outcomes.next()).await {
                n += 1;
            }
            n
        });
        assert_eq!(done, 40, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_while_the_last_worker_leaves_is_run() {
    let backlog = Backlog::new();
    let mut outcomes =
        [0_u32].fan_out(|n| async move { R::Ok(n) }).backlog(&backlog).concurrency(nz(1)).stream();
    let waker = Waker::from(Arc::new(PushOnWake(backlog.clone(), Mutex::new(Some(1)))));
    let polled = futures::Stream::poll_next(
        std::pin::Pin::new(&mut outcomes),
        &mut Context::from_waker(&waker),
    );
    assert!(polled.is_pending());
    sleep(ms(10)).await;
    let mut n = 0;
    while let Some(o) = ends(outcomes.next()).await {
        assert!(o.result.is_ok(), "{o:?}");
        n += 1;
    }
    assert_eq!(n, 2);
}

#[tokio::test(start_paused = true)]
async fn concurrency_goes_up_and_down() {
    let gauge = Gauge::default();
    let g = gauge.clone();
    let mut outcomes = (0..100_u32)
        .fan_out(move |n| {
            let g = g.enter();
            async move {
                let _g = g;
                sleep(ms(10)).await;
                R::Ok(n)
            }
        })
        .concurrency(nz(2))
        .stream();
    let handle = outcomes.handle();
    for (want, time) in [(2, 35), (6, 35), (1, 35), (3, 35)] {
        handle.set_concurrency(nz(want));
        let until = Instant::now() + ms(time);
        while let Ok(Some(_)) = tokio::time::timeout_at(until, outcomes.next()).await {}
        assert_eq!(gauge.now(), want);
        assert_eq!(handle.progress().running, want);
    }
    let mut n = 0;
    while ends(outcomes.next()).await.is_some() {
        n += 1;
    }
    assert!(n > 0);
    assert_eq!(gauge.now(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_total_stays_the_same_while_items_are_parked() {
    let mut outcomes = (0..40_u32)
        .fan_out(|n| async move {
            sleep(ms(1)).await;
            R::Ok(n)
        })
        .limit_per_key(|n| n % 2, nz(1))
        .concurrency(nz(8))
        .stream();
    let handle = outcomes.handle();
    while outcomes.next().await.is_some() {
        assert_eq!(handle.progress().total(), Some(40));
    }
}

#[tokio::test(start_paused = true)]
async fn progress_is_known_after_a_drop() {
    let mut outcomes = (0..100_u32)
        .fan_out(|n| async move {
            sleep(ms(1)).await;
            R::Ok(n)
        })
        .concurrency(nz(1))
        .stream();
    let handle = outcomes.handle();
    for _ in 0..5 {
        assert!(outcomes.next().await.is_some());
    }
    drop(outcomes);
    sleep(ms(50)).await;
    assert!(handle.progress().done() >= 5, "{handle:?}");
}

/// Looking at the progress takes the lock that a push wants.
#[test]
fn pushes_beside_looks_are_all_run() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..50 {
            let running = std::iter::empty::<u32>().fan_out(|n| async move { R::Ok(n) }).start();
            let (handle, backlog) = (running.handle().clone(), running.backlog().clone());
            let looks = tokio::task::spawn_blocking(move || {
                (0..2_000).for_each(|_| assert!(handle.progress().done() <= 200));
            });
            let pushes = tokio::task::spawn_blocking(move || {
                (0..200).for_each(|n| backlog.push(n).expect("it takes items until it is joined"));
            });
            looks.await.unwrap();
            pushes.await.unwrap();
            assert_eq!(ends(running.join()).await.stats.counts.succeeded, 200);
        }
    });
}

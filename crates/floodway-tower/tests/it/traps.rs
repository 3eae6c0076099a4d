//! What went wrong with other limits in tower stacks, each with the public report of it.

use std::{convert::Infallible, pin::pin};

use floodway::{Outcome, Queue, RejectReason, Rejected};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_tower::LimiterLayer;
use futures::{FutureExt, future::join_all, poll};
use tokio::{
    sync::Semaphore,
    task::{coop, yield_now},
    time::{Instant, sleep},
};
use tower::{Layer, Service, ServiceExt, load_shed::LoadShed, service_fn};
use tower_test::mock;

use crate::support::{Bench, ms, next_request, served};

/// vectordotdev/vector#26457: `ConcurrencyLimit` reserves in `poll_ready`, which hyper asks before
/// a request exists. Idle connections hold permits, and one clone that never calls starves the
/// others for ever.
#[tokio::test(start_paused = true)]
async fn a_ready_clone_that_never_calls_holds_nothing() {
    let bench = Bench::new(|b| b.limit(1));
    let mut idle = LimiterLayer::new(bench.limiter.clone()).layer(service_fn(served));
    let mut busy = idle.clone();
    idle.ready().await.unwrap();
    bench.check(0, 0);
    assert_eq!(busy.ready().await.unwrap().call(()).await.unwrap(), "served");
}

/// vectordotdev/vector#26457: after `LoadShed<ConcurrencyLimit>` has shed, a waiter that nobody
/// polls stays behind, takes the permit that comes back, and the next call is shed with nothing in
/// flight.
#[tokio::test(start_paused = true)]
async fn after_a_rejection_the_next_free_permit_is_to_be_had() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let (service, mut handle) = mock::pair::<(), ()>();
    let mut limited = LimiterLayer::new(bench.limiter.clone()).layer(service);
    handle.allow(10);
    let mut held = Box::pin(limited.ready().await.unwrap().call(()));
    assert!(poll!(&mut held).is_pending());

    let mut other = limited.clone();
    let error = other.ready().await.unwrap().call(()).await.unwrap_err();
    let rejected = error.downcast_ref::<Rejected>().expect("the leaf is downcastable");
    assert_eq!(rejected.reason, RejectReason::NoPermit);

    drop(held);
    let mut third = pin!(limited.clone().oneshot(()));
    assert!(poll!(&mut third).is_pending());
    bench.check(1, 0);
}

/// The same stack as in vectordotdev/vector#26457 with this layer in the place of the limit:
/// readiness is the inner service's, so `LoadShed` has nothing to shed and nothing to leave behind.
#[tokio::test(start_paused = true)]
async fn load_shed_around_it_takes_no_permit_away() {
    let bench = Bench::new(|b| b.limit(1));
    let limited = LimiterLayer::new(bench.limiter.clone()).layer(service_fn(served));
    let shed = LoadShed::new(limited);
    let held = bench.take();
    let mut waiting = pin!(shed.clone().oneshot(()));
    assert!(poll!(&mut waiting).is_pending(), "queued, not shed");
    drop(held);
    assert_eq!(waiting.await.unwrap(), "served");
    assert_eq!(shed.oneshot(()).await.unwrap(), "served");
    bench.check_completed([2, 0, 1]);
}

/// MaterializeInc/materialize#38509: permits that come back pass straight to waiters, so
/// `forget_permits` finds none, and a smaller limit never takes effect while anybody waits.
#[tokio::test(start_paused = true)]
async fn a_smaller_limit_holds_while_calls_wait() {
    async fn settle() {
        for _ in 0..10 {
            yield_now().await;
        }
    }
    const WAITING: u32 = 100;
    let queue = Queue::fifo().max_wait(ms(3_600_000));
    let bench = Bench::new(|b| b.limit(20).queue(queue));
    let (service, mut handle) = mock::pair::<(), ()>();
    let limited = LimiterLayer::new(bench.limiter.clone()).layer(service);
    handle.allow(1_000);
    let calls: Vec<_> =
        (0..20 + WAITING).map(|_| tokio::spawn(limited.clone().oneshot(()))).collect();
    let mut running = Vec::new();
    for _ in 0..20 {
        running.push(next_request(&mut handle).await.1);
    }
    settle().await;
    bench.check(20, WAITING as usize);

    bench.limiter.set_limit(2).unwrap();
    for left in (2..20).rev() {
        running.pop().unwrap().send_response(());
        settle().await;
        assert!(poll!(pin!(handle.next_request())).is_pending(), "{left} run under a limit of 2");
        bench.check(left, WAITING as usize);
    }
    for left in (0..WAITING).rev() {
        running.pop().unwrap().send_response(());
        running.push(next_request(&mut handle).await.1);
        settle().await;
        assert!(poll!(pin!(handle.next_request())).is_pending(), "a third one runs");
        bench.check(2, left as usize);
    }
    running.into_iter().for_each(|respond| respond.send_response(()));
    assert!(join_all(calls).await.into_iter().all(|call| call.unwrap().is_ok()));
    bench.check_completed([20 + WAITING, 0, 0]);
}

/// apollographql/router#9034: tokio's cooperative budget makes queues and semaphores pending that
/// have room, and a load shedder turns that into refusals.
#[tokio::test(start_paused = true)]
async fn an_exhausted_budget_refuses_nobody() {
    async fn exhaust_budget() {
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
    }
    let bench = Bench::new(|b| b.limit(2).queue(Queue::none()));
    let layer = LimiterLayer::new(bench.limiter.clone());
    let mut at_call = LoadShed::new(layer.clone().layer(service_fn(served)));
    let mut at_ready = LoadShed::new(layer.backpressure().layer(service_fn(served)));

    exhaust_budget().await;
    let semaphore = Semaphore::new(1);
    assert!(poll!(pin!(semaphore.acquire())).is_pending(), "with a free permit");
    assert_eq!(at_call.ready().await.unwrap().call(()).await.unwrap(), "served");
    assert_eq!(at_ready.ready().await.unwrap().call(()).await.unwrap(), "served");
    assert!(!coop::has_budget_remaining(), "still");
    bench.check_completed([2, 0, 0]);
}

/// apollographql/router#9034, while waiting: a permit that was granted is seen in whatever state
/// the budget is.
#[tokio::test(start_paused = true)]
async fn a_granted_permit_is_seen_with_an_exhausted_budget() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone());
    let mut reserved = layer.clone().backpressure().layer(service_fn(served));
    let held = bench.take();
    assert!(poll!(pin!(reserved.ready())).is_pending());
    drop(held);
    while coop::has_budget_remaining() {
        coop::consume_budget().await;
    }
    let ready = reserved.ready().now_or_never().expect("ready").unwrap();
    let mut waiting = pin!(layer.layer(service_fn(served)).oneshot(()));
    assert!(poll!(&mut waiting).is_pending());
    assert_eq!(ready.call(()).await.unwrap(), "served");
    assert_eq!(waiting.now_or_never().expect("ready").unwrap(), "served");
}

/// megaeth-labs/stateless-validator#188: what runs was taken for `limit - available`, which after
/// a shrink is the new limit, whatever runs. Permits of clones that are merely ready belong to
/// nobody either.
#[tokio::test(start_paused = true)]
async fn in_flight_is_what_runs_even_above_the_limit() {
    let bench = Bench::new(|b| b.limit(4));
    let (service, mut handle) = mock::pair::<(), ()>();
    let mut limited = LimiterLayer::new(bench.limiter.clone()).layer(service);
    handle.allow(10);
    let mut calls: Vec<_> = (0..4).map(|_| Box::pin(limited.clone().oneshot(()))).collect();
    for call in &mut calls {
        assert!(poll!(call).is_pending());
    }
    limited.ready().await.unwrap();
    bench.limiter.set_limit(1).unwrap();
    assert_eq!(bench.number(&metrics::LIMIT, &[]), 1.0);
    assert_eq!(bench.number(&metrics::IN_FLIGHT, &[]), 4.0);
    drop(calls);
    assert_eq!(bench.number(&metrics::IN_FLIGHT, &[]), 0.0);
}

/// iotaledger/iota#12137: `LoadShed` fails with a boxed error, which routers do not take whose
/// services cannot fail.
#[tokio::test(start_paused = true)]
async fn a_refusing_service_can_be_infallible() {
    fn demands_infallible<S: Service<(), Error = Infallible>>(service: S) -> S {
        service
    }
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let layer = LimiterLayer::new(bench.limiter.clone()).respond(|_: &Rejected| "refused");
    let _held = bench.take();
    let at_call = demands_infallible(layer.clone().layer(service_fn(served)));
    assert_eq!(at_call.oneshot(()).await, Ok("refused"));
    let at_ready = demands_infallible(layer.backpressure().layer(service_fn(served)));
    assert_eq!(at_ready.oneshot(()).await, Ok("refused"));
}

/// tower-rs/tower#793: `LoadShed` sheds for whatever reason the inner service is not ready.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_is_waited_for() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let (service, mut handle) = mock::pair::<(), ()>();
    let limited = LimiterLayer::new(bench.limiter.clone()).layer(service);
    handle.allow(0);
    let mut call = pin!(limited.oneshot(()));
    assert!(poll!(&mut call).is_pending());
    bench.check(0, 0);
    handle.allow(1);
    assert!(poll!(&mut call).is_pending());
    next_request(&mut handle).await.1.send_response(());
    call.await.unwrap();
    bench.check_only(Outcome::Success);
    assert_eq!(bench.number(&metrics::REJECTED, &["no_permit"]), 0.0);
}

/// linkerd/linkerd2-proxy#751: permits that live as long as the future are held by whoever does
/// not drop a future that is ready.
#[tokio::test(start_paused = true)]
async fn the_permit_comes_back_at_the_response_not_at_the_drop_of_the_future() {
    let bench = Bench::new(|b| b.limit(1));
    let limited = LimiterLayer::new(bench.limiter.clone()).layer(service_fn(served));
    let mut future = Box::pin(limited.oneshot(()));
    future.as_mut().await.unwrap();
    bench.check(0, 0);
    drop(future);
    bench.check_only(Outcome::Success);
}

/// joshrotenberg/tower-resilience#365: a future that is dropped or panics leaves its permit
/// counted.
#[tokio::test(start_paused = true)]
async fn a_dropped_or_panicking_call_gives_its_permit_back() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone());
    let never = layer.layer(service_fn(async |(): ()| {
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(())
    }));
    assert!(never.oneshot(()).now_or_never().is_none());
    bench.check(0, 0);
    let panics = layer.layer(service_fn(async |panic: bool| {
        assert!(!panic, "on purpose");
        Ok::<_, Infallible>(())
    }));
    assert!(tokio::spawn(panics.clone().oneshot(true)).await.unwrap_err().is_panic());
    panics.oneshot(false).await.unwrap();
    bench.check_completed([1, 0, 2]);
}

/// joshrotenberg/tower-resilience#365: clones that compare a count with the limit in `poll_ready`
/// all find room and call together.
#[tokio::test(start_paused = true)]
async fn clones_that_are_ready_together_do_not_exceed_the_limit() {
    let bench = Bench::new(|b| b.limit(3));
    let (service, mut handle) = mock::pair::<(), ()>();
    let limited = LimiterLayer::new(bench.limiter.clone()).layer(service);
    handle.allow(100);
    let mut clones = vec![limited; 10];
    for clone in &mut clones {
        clone.ready().await.unwrap();
    }
    let mut calls: Vec<_> = clones.iter_mut().map(|clone| Box::pin(clone.call(()))).collect();
    for call in &mut calls {
        assert!(poll!(call).is_pending());
    }
    bench.check(3, 7);
}

/// benwis/tower-governor#50: what reads the standard library's clock cannot be tested under paused
/// time.
#[tokio::test(start_paused = true)]
async fn waits_and_holds_follow_paused_time() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(5_000))));
    let limited = LimiterLayer::new(bench.limiter.clone()).layer(service_fn(async |(): ()| {
        sleep(ms(3_000)).await;
        Ok::<_, Infallible>(())
    }));
    let started = Instant::now();
    let calls = join_all((0..3).map(|_| limited.clone().oneshot(()))).await;
    assert_eq!(calls.iter().filter(|call| call.is_ok()).count(), 2);
    assert_eq!(started.elapsed(), ms(6_000), "3 s each, one after the other");
    let hold = bench.histogram(&metrics::HOLD_DURATION);
    assert_eq!(hold.sum, 6.0);
    let wait = bench.histogram(&metrics::WAIT_DURATION);
    assert_eq!(wait.sum, 3.0);
    assert_eq!(bench.number(&metrics::REJECTED, &["deadline"]), 1.0);
}

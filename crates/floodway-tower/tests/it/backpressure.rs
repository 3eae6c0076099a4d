//! Permits that are reserved in `poll_ready`.

use std::{convert::Infallible, pin::pin};

use floodway::{Outcome, Queue, RejectReason, Rejected};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_tower::LimiterLayer;
use futures::{FutureExt, poll};
use tokio::time::Instant;
use tower::{
    Layer, Service, ServiceExt,
    balance::p2c::Balance,
    discover::ServiceList,
    load::{CompleteOnResponse, PendingRequests},
    service_fn,
};
use tower_test::mock;

use crate::support::{Bench, is_pending, ms, served};

#[tokio::test(start_paused = true)]
async fn a_ready_service_holds_a_permit_until_it_is_called_or_dropped() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone()).backpressure();
    let mut reserved = layer.layer(service_fn(served));
    reserved.ready().await.unwrap();
    bench.check(1, 0);
    // Ready stays ready, with one permit.
    reserved.ready().await.unwrap();
    bench.check(1, 0);
    let response = reserved.call(());
    bench.check(1, 0);
    assert_eq!(response.await.unwrap(), "served");
    bench.check_only(Outcome::Success);

    reserved.ready().await.unwrap();
    drop(reserved);
    bench.check_completed([1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_clone_has_reserved_nothing() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone()).backpressure();
    let mut reserved = layer.layer(service_fn(served));
    reserved.ready().await.unwrap();
    let mut clone = reserved.clone();
    let mut ready = Box::pin(clone.ready());
    assert!(is_pending(&mut ready).await);
    bench.check(1, 1);
    drop(reserved);
    ready.await.unwrap().call(()).await.unwrap();
    bench.check_completed([1, 0, 1]);
    // Nor does it reserve by being made.
    drop(clone.clone());
    bench.check_completed([1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_keeps_the_place_and_a_dropped_service_gives_it_up() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone()).backpressure();
    let (mut first, mut second) =
        (layer.layer(service_fn(served)), layer.layer(service_fn(served)));
    let held = bench.take();
    assert!(first.ready().now_or_never().is_none());
    assert!(second.ready().now_or_never().is_none());
    bench.check(1, 2);
    drop(held);
    // It is granted to the first in line, which nobody polls.
    bench.check(1, 1);
    assert!(second.ready().now_or_never().is_none());
    drop(first);
    second.ready().now_or_never().expect("ready").unwrap();
    drop(second);
    bench.check(0, 0);
}

#[tokio::test(start_paused = true)]
async fn no_permit_is_held_while_the_service_is_not_ready() {
    let bench = Bench::new(|b| b.limit(1));
    let (service, mut handle) = mock::pair::<(), ()>();
    let mut reserved = LimiterLayer::new(bench.limiter.clone()).backpressure().layer(service);
    handle.allow(0);
    assert!(poll!(pin!(reserved.ready())).is_pending());
    bench.check(0, 0);
    handle.allow(1);
    reserved.ready().await.unwrap();
    bench.check(1, 0);
    // What befalls the inner service is seen through the reservation.
    handle.send_error("gone");
    assert_eq!(reserved.ready().await.map(drop).unwrap_err().to_string(), "gone");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_answered_by_the_call_and_the_service_lives_on() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(10))));
    let layer = LimiterLayer::new(bench.limiter.clone()).backpressure();
    let mut reserved = layer.layer(service_fn(served));
    let held = bench.take();
    let started = Instant::now();
    let ready = reserved.ready().await.unwrap();
    assert_eq!(started.elapsed(), ms(10));
    let error = ready.call(()).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().reason, RejectReason::Deadline);
    bench.check(1, 0);
    drop(held);
    assert_eq!(reserved.ready().await.unwrap().call(()).await.unwrap(), "served");
    assert_eq!(bench.number(&metrics::REJECTED, &["deadline"]), 1.0);
}

/// With nothing in flight nobody is refused, even if somebody was before.
#[tokio::test(start_paused = true)]
async fn an_old_rejection_gives_way_to_a_free_permit() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::none()));
    let layer = LimiterLayer::new(bench.limiter.clone()).backpressure();
    let mut reserved = layer.layer(service_fn(served));
    let held = bench.take();
    reserved.ready().now_or_never().expect("refused at once").unwrap();
    reserved.ready().now_or_never().expect("ready stays ready").unwrap();
    assert_eq!(bench.number(&metrics::REJECTED, &["no_permit"]), 1.0);
    drop(held);
    assert_eq!(reserved.ready().await.unwrap().call(()).await.unwrap(), "served");
}

#[tokio::test(start_paused = true)]
async fn a_closed_limiter_is_answered_by_the_call() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone())
        .respond(|rejected: &Rejected| rejected.reason.as_str())
        .backpressure();
    let mut reserved = layer.layer(service_fn(served));
    bench.limiter.close();
    assert_eq!(reserved.ready().await.unwrap().call(()).await.unwrap(), "closed");
    assert_eq!(reserved.limiter().limit(), 1);
    assert_eq!(reserved.inner().oneshot(()).await, Ok("served"));
}

#[tokio::test]
#[should_panic = "`poll_ready` must return ready before `call`"]
async fn a_call_without_readiness_panics() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter).backpressure();
    drop(layer.layer(service_fn(served)).call(()));
}

#[tokio::test(start_paused = true)]
async fn a_balancer_passes_by_an_endpoint_without_permits() {
    let (full, free) = (Bench::new(|b| b.limit(1)), Bench::new(|b| b.limit(1)));
    let endpoint = |name: &'static str, bench: &Bench| {
        let service = service_fn(move |(): ()| async move { Ok::<_, Infallible>(name) });
        let service = LimiterLayer::new(bench.limiter.clone()).backpressure().layer(service);
        PendingRequests::new(service, CompleteOnResponse::default())
    };
    let held = full.take();
    let endpoints = vec![endpoint("full", &full), endpoint("free", &free)];
    let mut balance = Balance::new(ServiceList::new::<()>(endpoints));
    for _ in 0..20 {
        assert_eq!(balance.ready().await.unwrap().call(()).await.unwrap(), "free");
    }
    let other = free.take();
    // When both are full the balancer itself is not ready.
    let mut ready = Box::pin(balance.ready());
    assert!(is_pending(&mut ready).await);
    drop(held);
    assert_eq!(ready.await.unwrap().call(()).await.unwrap(), "full");
    drop(other);
}

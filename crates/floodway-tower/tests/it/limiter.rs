//! The limiter in front of mock services, polled by hand.

use std::{convert::Infallible, pin::pin, time::Duration};

use floodway::{Limiter, LimiterBuilder, Outcome, Queue, Registry, RejectReason, Rejected};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_tower::{BoxError, LimiterLayer};
use futures::{FutureExt, poll};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

fn limiter(
    registry: &Registry,
    describe: impl FnOnce(LimiterBuilder) -> LimiterBuilder,
) -> Limiter {
    describe(Limiter::builder("test").registry(registry)).build().expect("a valid description")
}

fn completed(registry: &Registry, outcome: &str) -> f64 {
    registry.snapshot().number(&metrics::COMPLETED, &["test", outcome]).expect("there from birth")
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_reach_the_service_when_a_call_completes() {
    let registry = Registry::new();
    let limiter = limiter(&registry, |b| b.limit(1));
    let (service, mut handle) = mock::pair::<&str, &str>();
    let mut limited = LimiterLayer::new(limiter.clone()).layer(service);
    handle.allow(10);

    let mut first = pin!(limited.ready().await.unwrap().call("first"));
    let mut second = pin!(limited.ready().await.unwrap().call("second"));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(request, "first");
    assert_eq!((limiter.in_flight(), limiter.queued()), (1, 1));
    assert!(poll!(pin!(handle.next_request())).is_pending(), "the second waits in front");

    respond.send_response("done");
    assert_eq!(first.await.unwrap(), "done");
    assert!(poll!(&mut second).is_pending());
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(request, "second");
    respond.send_error("broken");
    assert_eq!(second.await.unwrap_err().to_string(), "broken");
    assert_eq!(limiter.in_flight(), 0);
    assert_eq!((completed(&registry, "success"), completed(&registry, "overload")), (1.0, 1.0));
}

/// `tower::limit::ConcurrencyLimit` reserves in `poll_ready`: a clone that is ready and never
/// calls starves the others for ever.
#[tokio::test(start_paused = true)]
async fn a_ready_clone_that_never_calls_holds_nothing() {
    let registry = Registry::new();
    let limiter = limiter(&registry, |b| b.limit(1));
    let service = service_fn(async |(): ()| Ok::<_, Infallible>("served"));
    let mut idle = LimiterLayer::new(limiter.clone()).layer(service);
    let mut busy = idle.clone();
    let _ready = ServiceExt::<()>::ready(&mut idle).await.unwrap();
    assert_eq!(limiter.in_flight(), 0);
    assert_eq!(busy.ready().await.unwrap().call(()).await.unwrap(), "served");
}

/// With `LoadShed<ConcurrencyLimit>`, a parked waiter swallows the permit that comes back and the
/// next call is shed with nothing in flight.
#[tokio::test(start_paused = true)]
async fn after_a_rejection_the_next_free_permit_is_to_be_had() {
    let registry = Registry::new();
    let limiter = limiter(&registry, |b| b.limit(1).queue(Queue::none()));
    let (service, mut handle) = mock::pair::<(), ()>();
    let mut limited = LimiterLayer::new(limiter.clone()).layer(service);
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
    assert_eq!(limiter.in_flight(), 1, "admitted");
}

/// linkerd2-proxy#751: permits that live as long as the future are held by whoever does not drop
/// a future that is ready.
#[tokio::test(start_paused = true)]
async fn the_permit_comes_back_at_the_response_not_at_the_drop_of_the_future() {
    let registry = Registry::new();
    let limiter = limiter(&registry, |b| b.limit(1));
    let service = service_fn(async |(): ()| Ok::<_, Infallible>(()));
    let mut future = Box::pin(LimiterLayer::new(limiter.clone()).layer(service).oneshot(()));
    future.as_mut().await.unwrap();
    assert_eq!(limiter.in_flight(), 0);
    drop(future);
    assert_eq!(completed(&registry, "success"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_or_panicking_call_gives_its_permit_back() {
    let registry = Registry::new();
    let limiter = limiter(&registry, |b| b.limit(1));
    let layer = LimiterLayer::new(limiter.clone());
    let never = layer.layer(service_fn(async |(): ()| {
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(())
    }));
    assert!(never.oneshot(()).now_or_never().is_none());
    assert_eq!(limiter.in_flight(), 0);
    let panics = layer.layer(service_fn(async |panic: bool| {
        assert!(!panic, "on purpose");
        Ok::<_, Infallible>(())
    }));
    assert!(tokio::spawn(panics.clone().oneshot(true)).await.unwrap_err().is_panic());
    panics.oneshot(false).await.unwrap();
    assert_eq!((completed(&registry, "ignore"), completed(&registry, "success")), (2.0, 1.0));
}

/// A waiting call keeps the service that was ready for it; the clone that stays behind is polled
/// ready again before it is called.
#[tokio::test(start_paused = true)]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    #[derive(Debug)]
    struct NeedsReady(bool);
    impl Clone for NeedsReady {
        fn clone(&self) -> Self {
            Self(false)
        }
    }
    impl Service<()> for NeedsReady {
        type Response = ();
        type Error = BoxError;
        type Future = std::future::Ready<Result<(), BoxError>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            self.0 = true;
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, (): ()) -> Self::Future {
            assert!(self.0, "called without having been ready");
            std::future::ready(Ok(()))
        }
    }
    let registry = Registry::new();
    let limiter = limiter(&registry, |b| b.limit(1));
    let mut limited = LimiterLayer::new(limiter.clone()).layer(NeedsReady(false));
    let held = limiter.try_acquire().unwrap();
    let mut waiting = pin!(limited.ready().await.unwrap().call(()));
    assert!(poll!(&mut waiting).is_pending());
    drop(held);
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rejections_become_responses_and_closures_classify() {
    let registry = Registry::new();
    let limiter =
        limiter(&registry, |b| b.limit(1).queue(Queue::fifo().max_wait(Duration::from_millis(10))));
    let layer = LimiterLayer::new(limiter.clone())
        .classify(|_: &Result<String, Infallible>| Outcome::Overload)
        .respond(|rejected: &Rejected| rejected.reason.as_str().to_owned());
    let service = layer.layer(service_fn(async |(): ()| Ok::<_, Infallible>("served".to_owned())));
    let held = limiter.try_acquire().unwrap();
    // Infallible stays Infallible.
    let response: Result<String, Infallible> = service.clone().oneshot(()).await;
    assert_eq!(response.unwrap(), "deadline");
    drop(held);
    assert_eq!(service.oneshot(()).await.unwrap(), "served");
    assert_eq!(completed(&registry, "overload"), 1.0);
}

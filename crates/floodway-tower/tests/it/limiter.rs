//! The limiter in front of mock services, polled by hand.

use std::{convert::Infallible, pin::pin};

use floodway::{Acquire, Outcome, Queue, RejectReason, Rejected};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_tower::{BoxError, LimiterLayer};
use futures::poll;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

use crate::support::{Bench, ms, next_request, served};

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_reach_the_service_when_a_call_completes() {
    let bench = Bench::new(|b| b.limit(1));
    let (service, mut handle) = mock::pair::<&str, &str>();
    let mut limited = LimiterLayer::new(bench.limiter.clone()).layer(service);
    handle.allow(10);

    let mut first = pin!(limited.ready().await.unwrap().call("first"));
    let mut second = pin!(limited.ready().await.unwrap().call("second"));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    let (request, respond) = next_request(&mut handle).await;
    assert_eq!(request, "first");
    bench.check(1, 1);
    assert!(poll!(pin!(handle.next_request())).is_pending(), "the second waits in front");

    respond.send_response("done");
    assert_eq!(first.await.unwrap(), "done");
    assert!(poll!(&mut second).is_pending());
    let (request, respond) = next_request(&mut handle).await;
    assert_eq!(request, "second");
    respond.send_error("broken");
    assert_eq!(second.await.unwrap_err().to_string(), "broken");
    bench.check_completed([1, 1, 0]);
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
    let bench = Bench::new(|b| b.limit(1));
    let mut limited = LimiterLayer::new(bench.limiter.clone()).layer(NeedsReady(false));
    let held = bench.take();
    let mut waiting = pin!(limited.ready().await.unwrap().call(()));
    assert!(poll!(&mut waiting).is_pending());
    drop(held);
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rejections_become_responses_and_closures_classify() {
    let bench = Bench::new(|b| b.limit(1).queue(Queue::fifo().max_wait(ms(10))));
    let layer = LimiterLayer::new(bench.limiter.clone())
        .classify(|_: &Result<String, Infallible>| Outcome::Overload)
        .respond(|rejected: &Rejected| rejected.reason.as_str().to_owned());
    let service = layer.layer(service_fn(async |(): ()| Ok::<_, Infallible>("served".to_owned())));
    let held = bench.take();
    // Infallible stays Infallible.
    let response: Result<String, Infallible> = service.clone().oneshot(()).await;
    assert_eq!(response.unwrap(), "deadline");
    drop(held);
    assert_eq!(service.oneshot(()).await.unwrap(), "served");
    bench.check_completed([0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_brings_its_own_deadline() {
    let bench = Bench::new(|b| b.limit(1));
    let layer = LimiterLayer::new(bench.limiter.clone());
    let at = Instant::now() + ms(20);
    let by_request = layer.clone().acquire_from(|deadline: &Option<Instant>| {
        deadline.map_or(Acquire::new(), |deadline| Acquire::new().deadline(deadline))
    });
    let echo = service_fn(async |deadline: Option<Instant>| Ok::<_, Infallible>(deadline));
    let held = bench.take();
    let error = by_request.layer(echo).oneshot(Some(at)).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().reason, RejectReason::Deadline);
    assert_eq!(Instant::now(), at);

    // Said twice, the later one counts.
    let later = by_request.acquire_from(|_: &Option<Instant>| Acquire::new());
    let mut waiting = pin!(later.layer(echo).oneshot(Some(at)));
    assert!(poll!(&mut waiting).is_pending());
    drop(held);
    assert_eq!(waiting.await.unwrap(), Some(at));
}

#[tokio::test(start_paused = true)]
async fn a_request_chooses_its_limiter() {
    let (reads, writes) = (Bench::new(|b| b.limit(1)), Bench::new(|b| b.limit(1)));
    let choices = [reads.limiter.clone(), writes.limiter.clone()];
    let layer = LimiterLayer::select(move |write: &bool| choices[usize::from(*write)].clone());
    let service = layer.layer(service_fn(async |write: bool| Ok::<_, Infallible>(write)));
    let _held = reads.take();
    assert!(service.clone().oneshot(true).await.unwrap());
    let mut waiting = pin!(service.oneshot(false));
    assert!(poll!(&mut waiting).is_pending());
    reads.check(1, 1);
    writes.check_only(Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn a_service_gives_back_what_it_is_made_of() {
    let bench = Bench::new(|b| b.limit(3));
    let mut limited = LimiterLayer::new(bench.limiter.clone()).layer(service_fn(served));
    assert_eq!(limited.limiter().limit(), 3);
    let _: (&_, &mut _) = (&limited.inner().clone(), limited.inner_mut());
    assert_eq!(limited.into_inner().oneshot(()).await, Ok("served"));
    assert_eq!(bench.number(&metrics::ACQUIRED, &["immediate"]), 0.0);
}

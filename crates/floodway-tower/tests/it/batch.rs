//! One request in, many at once below.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use floodway::{BatchError, BatchSizing, Batcher, Registry};
use floodway_metrics::catalogue::batcher as catalogue;
use floodway_tower::{BatchLayer, Batched};
use futures::future::{BoxFuture, join_all};
use tower::{Layer, Service, ServiceExt};

type Answers = Vec<Result<u64, io::Error>>;

/// Doubles numbers; ready when it was let in.
#[derive(Clone, Default)]
struct Doubling {
    batches: Arc<Mutex<Vec<usize>>>,
    closed: bool,
    /// Times `poll_ready` is asked before it is.
    unready: Arc<AtomicUsize>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Service<Vec<u64>> for Doubling {
    type Response = Answers;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Answers, io::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        if self.unready.load(Ordering::Relaxed) > 0 {
            self.unready.fetch_sub(1, Ordering::Relaxed);
            context.waker().wake_by_ref();
            *self.waker.lock().unwrap() = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, numbers: Vec<u64>) -> Self::Future {
        assert_eq!(self.unready.load(Ordering::Relaxed), 0, "called before it was ready");
        self.batches.lock().unwrap().push(numbers.len());
        let double = |n| if n == 13 { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(n * 2) };
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(numbers.into_iter().map(double).collect())
        })
    }
}

fn layer(registry: &Registry) -> BatchLayer<u64, u64, io::Error> {
    let builder = Batcher::builder("doubles").registry(registry).max_in_flight(1);
    BatchLayer::new(builder.sizing(BatchSizing::Fixed(64)).prepare().unwrap())
}

#[tokio::test]
async fn requests_of_clones_go_together_and_each_has_its_own_result() {
    let inner = Doubling::default();
    let service = layer(&Registry::new()).layer(inner.clone());
    let calls = (0..20).map(|n| service.clone().oneshot(n));
    for (n, answer) in join_all(calls).await.into_iter().enumerate() {
        match answer {
            Ok(double) => assert_eq!(double, n as u64 * 2),
            Err(BatchError::Item(error)) => {
                assert_eq!((n, error.kind()), (13, io::ErrorKind::InvalidInput));
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(*inner.batches.lock().unwrap(), [1, 19]);
}

#[tokio::test]
async fn the_inner_service_is_driven_to_readiness_for_each_batch() {
    let inner = Doubling { unready: Arc::new(AtomicUsize::new(3)), ..Doubling::default() };
    let service = layer(&Registry::new()).layer(inner.clone());
    assert_eq!(service.oneshot(4).await.unwrap(), 8);
    assert_eq!(inner.unready.load(Ordering::Relaxed), 0);
    assert!(inner.waker.lock().unwrap().is_some());
}

#[tokio::test]
async fn an_error_of_readiness_is_that_of_its_batch_alone() {
    let mut service =
        layer(&Registry::new()).layer(Doubling { closed: true, ..Doubling::default() });
    for _ in 0..2 {
        let service = service.ready().await.unwrap();
        let error = service.call(1).await.unwrap_err();
        let BatchError::Item(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn services_of_one_layer_count_under_one_name() {
    let registry = Registry::new();
    let layer = layer(&registry);
    let (one, other) = (layer.layer(Doubling::default()), layer.layer(Doubling::default()));
    one.oneshot(1).await.unwrap();
    let other: Batched<_, _, _> = other.clone();
    other.clone().oneshot(2).await.unwrap();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.number(&catalogue::ITEMS, &["doubles", "ok"]), Some(2.0));
    assert_eq!(snapshot.number(&catalogue::QUEUE_CAPACITY, &["doubles"]), Some(10_000.0));
    assert_eq!(other.batcher().snapshot().queued, 0);
}

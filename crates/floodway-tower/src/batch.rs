//! Batching in front of a service that takes many requests at once.

use std::{
    fmt,
    future::poll_fn,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use floodway::{
    BatchError, Batcher,
    batcher::{Call, PreparedBatcher},
};
use tower_layer::Layer;
use tower_service::Service;

/// Makes a service for one request out of a service for many.
///
/// The inner service is a `Service<Vec<T>, Response = Vec<Result<U, E>>, Error = E>`: one result for
/// each request, in the same order, or an error for all of them. It is cloned for each batch, and the
/// clone is driven to readiness in the batch's task.
///
/// ```
/// use floodway::Batcher;
/// use floodway_tower::BatchLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let mut squares = ServiceBuilder::new()
///     .layer(BatchLayer::new(Batcher::builder("tower-squares").prepare()?))
///     .service(service_fn(async |numbers: Vec<u64>| {
///         Ok::<Vec<Result<u64, std::io::Error>>, _>(numbers.into_iter().map(|n| Ok(n * n)).collect())
///     }));
/// assert_eq!(squares.ready().await?.call(3).await?, 9);
/// # Ok(())
/// # }
/// ```
///
/// A boxed error ([`BoxError`](crate::BoxError)) is not an error itself, and so [`BatchError`] of it is
/// none: where the inner stack has one, `map_err` it into a type of your own below this layer.
///
/// Services made by one layer have queues of their own and count under one name. Clones of a service
/// share its queue: their requests go together.
pub struct BatchLayer<T, U, E> {
    prepared: PreparedBatcher<T, U, E>,
}

impl<T, U, E> BatchLayer<T, U, E> {
    /// Batches as `prepared` says; see [`floodway::batcher::BatcherBuilder::prepare`].
    #[must_use]
    pub const fn new(prepared: PreparedBatcher<T, U, E>) -> Self {
        Self { prepared }
    }
}

impl<S, T, U, E> Layer<S> for BatchLayer<T, U, E>
where
    S: Service<Vec<T>, Response = Vec<Result<U, E>>, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + Sync + 'static,
{
    type Service = Batched<T, U, E>;

    fn layer(&self, inner: S) -> Self::Service {
        // In a lock, because a service need not be `Sync`.
        let inner = Mutex::new(inner);
        let batcher = self.prepared.batcher(move |requests| {
            let mut service = inner.lock().unwrap_or_else(PoisonError::into_inner).clone();
            async move {
                poll_fn(|context| service.poll_ready(context)).await?;
                service.call(requests).await
            }
        });
        Batched { batcher }
    }
}

// Not derived, because that would ask for clones of requests.
impl<T, U, E> Clone for BatchLayer<T, U, E> {
    fn clone(&self) -> Self {
        Self { prepared: self.prepared.clone() }
    }
}

impl<T, U, E> fmt::Debug for BatchLayer<T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchLayer").finish_non_exhaustive()
    }
}

/// A [`Batcher`] as a service. Made by [`BatchLayer`], or of any batcher.
///
/// It is always ready: what is bounded is the batcher's queue, and a call waits for room in it or is
/// refused, as the batcher was told. Its future is that of [`Batcher::call`], which says what happens
/// when it is dropped, or polled outside a runtime.
pub struct Batched<T, U, E> {
    batcher: Batcher<T, U, E>,
}

impl<T, U, E> Batched<T, U, E> {
    /// The batcher behind it, to [drain](Batcher::drain) it or look at it.
    #[must_use]
    pub const fn batcher(&self) -> &Batcher<T, U, E> {
        &self.batcher
    }
}

impl<T, U, E> From<Batcher<T, U, E>> for Batched<T, U, E> {
    fn from(batcher: Batcher<T, U, E>) -> Self {
        Self { batcher }
    }
}

impl<T, U, E> Service<T> for Batched<T, U, E> {
    type Response = U;
    type Error = BatchError<E>;
    type Future = Call<T, U, E>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: T) -> Self::Future {
        self.batcher.call(request)
    }
}

// Not derived, because that would ask for clones of requests.
impl<T, U, E> Clone for Batched<T, U, E> {
    fn clone(&self) -> Self {
        Self { batcher: self.batcher.clone() }
    }
}

impl<T, U, E> fmt::Debug for Batched<T, U, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batched").field("batcher", &self.batcher).finish()
    }
}

//! The service whose requests hold claims.

use std::{
    fmt, mem,
    task::{Context, Poll},
};

use floodway::{ConnectionError, Pool, PoolLimiter};
use tower_service::Service;

use super::{PoolLimitLayer, future::ResponseFuture};
use crate::{Fail, OnRejection};

/// A service whose calls run inside claims to connections of a pool. Made by [`PoolLimitLayer`].
///
/// `poll_ready` asks the inner service alone, so a service that is ready and never called holds
/// nothing. `call` waits for a claim; the inner service sees the request only then. The claim ends
/// as soon as the inner future completes, even if the response future is kept, or when it is
/// dropped before.
///
/// A connection that lives on in the response, in the stream of its body for example, keeps what the
/// claim has set aside until it is dropped. A body that takes its connection only when it is polled
/// is outside the claim and waits like everybody else: take it before the response.
///
/// `S: Clone`, because a request that waits keeps the service that was ready for it.
#[derive(Clone)]
pub struct PoolLimited<S, P: Pool, R = Fail> {
    inner: S,
    layer: PoolLimitLayer<P, R>,
}

impl<S, P: Pool, R> PoolLimited<S, P, R> {
    pub(super) const fn new(inner: S, layer: PoolLimitLayer<P, R>) -> Self {
        Self { inner, layer }
    }

    /// The limiter.
    #[must_use]
    pub const fn pool(&self) -> &PoolLimiter<P> {
        &self.layer.pool
    }

    /// The service behind it.
    #[must_use]
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service behind it, to change it.
    #[must_use]
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service without the limiter.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Request, P, R> Service<Request> for PoolLimited<S, P, R>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Future: Send,
    Request: Send + 'static,
    P: Pool,
    R: OnRejection<S::Response, S::Error, ConnectionError<P::Error>> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = ResponseFuture<S::Response, R::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that `poll_ready` found ready is the one to call; its clone need not be.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        let claim = self.layer.pool.claim(self.layer.weight, self.layer.deadline());
        ResponseFuture::new(claim, ready, request, self.layer.on_rejection.clone())
    }
}

impl<S: fmt::Debug, P: Pool, R> fmt::Debug for PoolLimited<S, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolLimited")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}

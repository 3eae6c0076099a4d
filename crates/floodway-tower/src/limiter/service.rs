//! The limited service.

use std::{
    mem,
    task::{Context, Poll},
};

use floodway::Limiter;
use tower_service::Service;

use super::{LimiterLayer, future::ResponseFuture};
use crate::{Admit, AtResponse, EveryError, Fail, OnRejection, Release};

/// A service whose calls run under permits. Made by [`LimiterLayer`].
///
/// `poll_ready` asks the inner service alone. `call` takes a permit or waits for one; the inner
/// service sees the request only then. The permit comes back as soon as the inner future
/// completes, even if the response future is kept, or when it is dropped before; the body of a
/// response may outlive it, unless the layer says `until_body_end` (feature `http`).
///
/// `S: Clone`, because a request that waits keeps the service that was ready for it.
#[derive(Clone, Debug)]
pub struct Limited<S, C = EveryError, R = Fail, A = Limiter, T = AtResponse> {
    inner: S,
    layer: LimiterLayer<C, R, A, T>,
}

impl<S, C, R, A, T> Limited<S, C, R, A, T> {
    pub(super) const fn new(inner: S, layer: LimiterLayer<C, R, A, T>) -> Self {
        Self { inner, layer }
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

impl<S, C, R, T> Limited<S, C, R, Limiter, T> {
    /// The limiter.
    #[must_use]
    pub const fn limiter(&self) -> &Limiter {
        &self.layer.admission
    }
}

impl<S, Request, C, R, A, T> Service<Request> for Limited<S, C, R, A, T>
where
    S: Service<Request> + Clone,
    C: Clone,
    R: OnRejection<S::Response, S::Error> + Clone,
    A: Admit<Request>,
    T: Release<C, S::Response, S::Error> + Clone,
{
    type Response = T::Response;
    type Error = R::Error;
    type Future = ResponseFuture<S, Request, C, R, T>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that `poll_ready` found ready is the one to call; its clone need not be.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        let acquiring = self.layer.admission.admit(&request);
        ResponseFuture::waiting(acquiring, ready, request, &self.layer)
    }
}

//! The limited service.

use std::{
    mem,
    task::{Context, Poll},
};

use floodway::Limiter;
use tower_service::Service;

use super::future::ResponseFuture;
use crate::{Classifier, EveryError, Fail, OnRejection};

/// A service whose calls run under permits. Made by [`LimiterLayer`](crate::LimiterLayer).
///
/// `poll_ready` asks the inner service alone. `call` takes a permit or waits for one; the inner
/// service sees the request only then. The permit comes back as soon as the inner future
/// completes, even if the response future is kept, or when it is dropped before; the body of a
/// response may outlive it.
///
/// `S: Clone`, because a request that waits keeps the service that was ready for it.
#[derive(Clone, Debug)]
pub struct Limited<S, C = EveryError, R = Fail> {
    inner: S,
    limiter: Limiter,
    classifier: C,
    on_rejection: R,
}

impl<S, C, R> Limited<S, C, R> {
    pub(super) const fn new(inner: S, limiter: Limiter, classifier: C, on_rejection: R) -> Self {
        Self { inner, limiter, classifier, on_rejection }
    }

    /// The limiter.
    #[must_use]
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
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

impl<S, Request, C, R> Service<Request> for Limited<S, C, R>
where
    S: Service<Request> + Clone,
    C: Classifier<S::Response, S::Error> + Clone,
    R: OnRejection<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = ResponseFuture<S, Request, C, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that `poll_ready` found ready is the one to call; its clone need not be.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        ResponseFuture::new(
            self.limiter.acquire(),
            ready,
            request,
            self.classifier.clone(),
            self.on_rejection.clone(),
        )
    }
}

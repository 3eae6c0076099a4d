//! The future of a call with a claim.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use floodway::{Claim, ConnectionError, Pool};
use tower_service::Service;

use crate::OnRejection;

/// Waits for a claim, then for the inner service.
///
/// # Cancel safety
///
/// Dropping it leaves the queue, or drops the inner future and then ends the claim.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<Response, Error> {
    // In a box, because neither the wait for a claim nor its scope has a type with a name. What
    // obtains a connection allocates as well.
    inner: Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>,
}

impl<Response, Error> ResponseFuture<Response, Error> {
    pub(super) fn new<S, Request, P, R>(
        claim: impl Future<Output = Result<Claim<P>, ConnectionError<P::Error>>> + Send + 'static,
        mut service: S,
        request: Request,
        on_rejection: R,
    ) -> Self
    where
        S: Service<Request, Response = Response> + Send + 'static,
        S::Future: Send,
        Request: Send + 'static,
        P: Pool,
        R: OnRejection<Response, S::Error, ConnectionError<P::Error>, Error = Error>,
        R: Send + 'static,
        Error: From<S::Error>,
    {
        let inner = Box::pin(async move {
            let claim = match claim.await {
                Ok(claim) => claim,
                Err(error) => return on_rejection.reject(error),
            };
            let answered = claim.scope(async move {
                let future = service.call(request);
                drop(service);
                future.await
            });
            answered.await.map_err(Into::into)
        });
        Self { inner }
    }
}

impl<Response, Error> Future for ResponseFuture<Response, Error> {
    type Output = Result<Response, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(context)
    }
}

impl<Response, Error> fmt::Debug for ResponseFuture<Response, Error> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

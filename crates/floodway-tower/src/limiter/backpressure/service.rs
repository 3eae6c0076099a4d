//! The service whose readiness is a permit.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use floodway::{Acquiring, Limiter, Permit, Rejected};
use tower_service::Service;

use crate::{
    AtResponse, EveryError, Fail, LimiterLayer, OnRejection, Release, future::ResponseFuture,
};

/// A service that is ready when it holds a permit for the next call. Made by
/// [`LimiterLayer::backpressure`].
///
/// - **A ready service holds a permit** until it is called or dropped, and one that waits will
///   hold the one it is given, whether or not it is polled again. Under a server that asks for
///   readiness before it has a request, idle connections hold all permits; use [`LimiterLayer`]
///   there.
/// - A clone shares the limiter, not the reservation.
/// - The inner service is asked first, so no permit is held while it is not ready.
/// - A rejection while waiting does not fail `poll_ready`, because an error there is the end of a
///   service. The service becomes ready, and its `call` answers the rejection without having run.
///   Asked again before that, it takes a permit if one has become free meanwhile.
/// - `LoadShed` around it takes waiting for refusing and leaves a waiter behind that takes the
///   next permit. Refuse by [`Queue::none`](floodway::Queue::none) and [`LimiterLayer`] instead.
///
/// # Panics
///
/// `call` panics if `poll_ready` has not returned ready, as that of tower's own limits does.
///
/// # Cancel safety
///
/// Dropping the future of `ServiceExt::ready` keeps the place in the queue, which is the
/// service's; dropping the service gives it up and a reserved permit back, with
/// [`Outcome::Ignore`](floodway::Outcome).
#[derive(Debug)]
pub struct Reserved<S, C = EveryError, R = Fail, T = AtResponse> {
    inner: S,
    layer: LimiterLayer<C, R, Limiter, T>,
    reservation: Reservation,
}

/// ```text
///          poll_ready           permit         call
/// Nothing ----------> Waiting ---------> Held ------> Nothing
///                        | rejected        ^            ^
///                        +-----> Refused --+ poll_ready |
///                                   |                   |
///                                   +-------------------+ call
/// ```
#[derive(Debug)]
enum Reservation {
    Nothing,
    Waiting(Acquiring),
    Held(Permit),
    Refused(Rejected),
}

impl<S, C, R, T> Reserved<S, C, R, T> {
    pub(super) const fn new(inner: S, layer: LimiterLayer<C, R, Limiter, T>) -> Self {
        Self { inner, layer, reservation: Reservation::Nothing }
    }

    /// The limiter.
    #[must_use]
    pub const fn limiter(&self) -> &Limiter {
        &self.layer.admission
    }

    /// The service behind it.
    #[must_use]
    pub const fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S, Request, C, R, T> Service<Request> for Reserved<S, C, R, T>
where
    S: Service<Request>,
    C: Clone,
    R: OnRejection<S::Response, S::Error> + Clone,
    T: Release<C, S::Response, S::Error> + Clone,
{
    type Response = T::Response;
    type Error = R::Error;
    type Future = ResponseFuture<S, Request, C, R, T>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.inner.poll_ready(context))?;
        self.reservation.poll(&self.layer.admission, context).map(Ok)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match mem::replace(&mut self.reservation, Reservation::Nothing) {
            Reservation::Held(permit) => {
                ResponseFuture::running(self.inner.call(request), permit, &self.layer)
            }
            Reservation::Refused(rejected) => ResponseFuture::refused(rejected, &self.layer),
            Reservation::Nothing | Reservation::Waiting(_) => {
                panic!("`poll_ready` must return ready before `call`")
            }
        }
    }
}

impl Reservation {
    fn poll(&mut self, limiter: &Limiter, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Nothing = self {
            *self = Self::Waiting(limiter.acquire());
        }
        if let Self::Waiting(acquiring) = self {
            *self = match ready!(Pin::new(acquiring).poll(context)) {
                Ok(permit) => Self::Held(permit),
                Err(rejected) => Self::Refused(rejected),
            };
        } else if let Self::Refused(_) = self {
            // Once ready, a service stays ready; so it cannot wait a second time, but it need not
            // stand by an old rejection either. The look spares most of the refusals that
            // `try_acquire` would count.
            if limiter.in_flight() < limiter.limit()
                && let Ok(permit) = limiter.try_acquire()
            {
                *self = Self::Held(permit);
            }
        }
        Poll::Ready(())
    }
}

/// A clone has reserved nothing: one permit is for one call.
impl<S: Clone, C: Clone, R: Clone, T: Clone> Clone for Reserved<S, C, R, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.layer.clone())
    }
}

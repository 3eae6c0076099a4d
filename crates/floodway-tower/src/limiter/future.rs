//! The future of a limited call.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use floodway::{Acquiring, Permit, Rejected};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::LimiterLayer;
use crate::{AtResponse, OnRejection, Release};

pin_project! {
    /// Waits for a permit, then for the inner service.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the queue, or drops the inner future and gives the permit back with
    /// [`Outcome::Ignore`](floodway::Outcome).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, C, R, T = AtResponse>
    where
        S: Service<Request>,
    {
        #[pin]
        stage: Stage<S, Request, S::Future>,
        classifier: C,
        on_rejection: R,
        release: T,
    }
}

pin_project! {
    /// ```text
    /// Waiting --permit--> Running --ready--> Done
    ///    +----rejected-----------------------^
    /// Refused -------------------------------+
    /// ```
    ///
    /// A service that reserves begins with Running or Refused, the others with Waiting.
    #[project = StageProjection]
    enum Stage<S, Request, F> {
        Waiting {
            acquiring: Acquiring,
            // Taken when the permit comes.
            call: Option<(S, Request)>,
        },
        Running {
            #[pin]
            future: F,
            permit: Option<Permit>,
        },
        Refused {
            rejected: Rejected,
        },
        Done,
    }
}

impl<S: Service<Request>, Request, C: Clone, R: Clone, T: Clone>
    ResponseFuture<S, Request, C, R, T>
{
    pub(super) fn waiting<A>(
        acquiring: Acquiring,
        service: S,
        request: Request,
        layer: &LimiterLayer<C, R, A, T>,
    ) -> Self {
        Self::new(Stage::Waiting { acquiring, call: Some((service, request)) }, layer)
    }

    pub(super) fn running<A>(
        future: S::Future,
        permit: Permit,
        layer: &LimiterLayer<C, R, A, T>,
    ) -> Self {
        Self::new(Stage::Running { future, permit: Some(permit) }, layer)
    }

    pub(super) fn refused<A>(rejected: Rejected, layer: &LimiterLayer<C, R, A, T>) -> Self {
        Self::new(Stage::Refused { rejected }, layer)
    }

    fn new<A>(stage: Stage<S, Request, S::Future>, layer: &LimiterLayer<C, R, A, T>) -> Self {
        Self {
            stage,
            classifier: layer.classifier.clone(),
            on_rejection: layer.on_rejection.clone(),
            release: layer.release.clone(),
        }
    }
}

impl<S, Request, C, R, T> Future for ResponseFuture<S, Request, C, R, T>
where
    S: Service<Request>,
    R: OnRejection<S::Response, S::Error>,
    T: Release<C, S::Response, S::Error>,
{
    type Output = Result<T::Response, R::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let rejected = loop {
            match this.stage.as_mut().project() {
                StageProjection::Waiting { acquiring, call } => {
                    match ready!(Pin::new(acquiring).poll(context)) {
                        Ok(mut permit) => {
                            let (mut service, request) = call.take().expect("one permit per call");
                            let future = {
                                let _entered = permit.enter();
                                service.call(request)
                            };
                            this.stage.set(Stage::Running { future, permit: Some(permit) });
                        }
                        Err(rejected) => break rejected,
                    }
                }
                StageProjection::Running { future, permit } => {
                    let result = {
                        // A call nested in this one is lent the permit.
                        let _entered = permit.as_mut().map(Permit::enter);
                        ready!(future.poll(context))
                    };
                    let permit = permit.take().expect("kept until the future is over");
                    let result = this.release.release(permit, this.classifier, result);
                    // The inner future is over; what it still holds goes with it.
                    this.stage.set(Stage::Done);
                    return Poll::Ready(result.map_err(Into::into));
                }
                StageProjection::Refused { rejected } => break *rejected,
                StageProjection::Done => panic!("polled after completion"),
            }
        };
        this.stage.set(Stage::Done);
        let response = this.on_rejection.reject(rejected);
        Poll::Ready(response.map(|response| this.release.unpermitted(response)))
    }
}

impl<S: Service<Request>, Request, C, R, T> fmt::Debug for ResponseFuture<S, Request, C, R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

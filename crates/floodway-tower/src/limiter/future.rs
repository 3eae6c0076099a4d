//! The future of a limited call.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use floodway::{Acquiring, Permit};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{Classifier, OnRejection};

pin_project! {
    /// Waits for a permit, then for the inner service.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the queue, or drops the inner future and gives the permit back with
    /// [`Outcome::Ignore`](floodway::Outcome).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, C, R>
    where
        S: Service<Request>,
    {
        #[pin]
        stage: Stage<S, Request, S::Future>,
        classifier: C,
        on_rejection: R,
    }
}

pin_project! {
    /// ```text
    /// Waiting --permit--> Running --ready--> Done
    ///    +----rejected-----------------------^
    /// ```
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
        Done,
    }
}

impl<S: Service<Request>, Request, C, R> ResponseFuture<S, Request, C, R> {
    pub(super) const fn new(
        acquiring: Acquiring,
        service: S,
        request: Request,
        classifier: C,
        on_rejection: R,
    ) -> Self {
        let stage = Stage::Waiting { acquiring, call: Some((service, request)) };
        Self { stage, classifier, on_rejection }
    }
}

impl<S, Request, C, R> Future for ResponseFuture<S, Request, C, R>
where
    S: Service<Request>,
    C: Classifier<S::Response, S::Error>,
    R: OnRejection<S::Response, S::Error>,
{
    type Output = Result<S::Response, R::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage.as_mut().project() {
                StageProjection::Waiting { acquiring, call } => {
                    match ready!(Pin::new(acquiring).poll(context)) {
                        Ok(permit) => {
                            let (mut service, request) = call.take().expect("one permit per call");
                            let future = service.call(request);
                            this.stage.set(Stage::Running { future, permit: Some(permit) });
                        }
                        Err(rejected) => {
                            this.stage.set(Stage::Done);
                            return Poll::Ready(this.on_rejection.reject(rejected));
                        }
                    }
                }
                StageProjection::Running { future, permit } => {
                    let result = ready!(future.poll(context));
                    if let Some(permit) = permit.take() {
                        permit.complete(this.classifier.classify(&result));
                    }
                    // The inner future is over; what it still holds goes with it.
                    this.stage.set(Stage::Done);
                    return Poll::Ready(result.map_err(Into::into));
                }
                StageProjection::Done => panic!("polled after completion"),
            }
        }
    }
}

impl<S: Service<Request>, Request, C, R> fmt::Debug for ResponseFuture<S, Request, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

//! The futures and the stream at the end of a fan-out.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{
    FanOutError, Handle, Outcome, Report, Stats, StopReason, Summary, engine::Drive, spawned::Steer,
};

/// Resolves to a [`Report`]. Made by [`FanOut::collect`](super::FanOut::collect).
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Collect<D>(pub(super) D);

impl<D: Drive> Future for Collect<D> {
    type Output = Report<D::Value, D::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_report(context)
    }
}

/// Resolves to the values, or to a [`FanOutError`]. Made by
/// [`FanOut::try_collect`](super::FanOut::try_collect) and
/// [`FanOut::quorum`](super::FanOut::quorum).
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct TryCollect<D>(pub(super) D);

impl<D: Drive> Future for TryCollect<D> {
    type Output = Result<Vec<D::Value>, FanOutError<D::Value, D::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_values(context).map_err(failed)
    }
}

/// Resolves to one value, or to a [`FanOutError`]. Made by
/// [`FanOut::first_ok`](super::FanOut::first_ok).
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct FirstOk<D>(pub(super) D);

impl<D: Drive> Future for FirstOk<D> {
    type Output = Result<D::Value, FanOutError<D::Value, D::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let values = ready!(self.0.poll_values(context)).map_err(failed);
        let first = |values: Vec<_>| values.into_iter().next();
        Poll::Ready(values.map(|values| first(values).expect("a quorum of one has a value")))
    }
}

fn failed<T, E>(report: Report<T, E>) -> FanOutError<T, E> {
    FanOutError { first: report.stats.first_failure, report: Box::new(report) }
}

/// Resolves to a [`Summary`] once every outcome was consumed. Made by
/// [`FanOut::for_each`](super::FanOut::for_each).
#[must_use = "futures do nothing unless polled"]
pub struct ForEach<D, B, Fut> {
    drive: D,
    body: B,
    /// What the body does with the last outcome; allocated once.
    consuming: Consuming<Fut>,
}

type Consuming<Fut> = Option<Pin<Box<Option<Fut>>>>;

impl<D, B, Fut> ForEach<D, B, Fut> {
    pub(super) const fn new(drive: D, body: B) -> Self {
        Self { drive, body, consuming: None }
    }
}

impl<D: Unpin, B, Fut> Unpin for ForEach<D, B, Fut> {}

impl<D, B, Fut> Future for ForEach<D, B, Fut>
where
    D: Drive,
    B: FnMut(Outcome<D::Value, D::Error>) -> Fut,
    Fut: Future<Output = ()>,
{
    type Output = Summary;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Summary> {
        let Self { drive, body, consuming } = &mut *self;
        loop {
            if poll_place(consuming, context).is_some_and(|poll| poll.is_pending()) {
                // The items go on while the body waits.
                drive.poll_progress(context);
                return Poll::Pending;
            }
            match ready!(drive.poll_next(context)) {
                Some(outcome) => set_place(consuming, body(outcome)),
                None => return Poll::Ready(summary(drive)),
            }
        }
    }
}

/// Polls what the place holds, if it holds something, and empties it when that is done.
#[inline]
fn poll_place<Fut: Future>(
    place: &mut Consuming<Fut>,
    context: &mut Context<'_>,
) -> Option<Poll<Fut::Output>> {
    let place = place.as_mut()?;
    let poll = place.as_mut().as_pin_mut()?.poll(context);
    if poll.is_ready() {
        place.as_mut().set(None);
    }
    Some(poll)
}

#[inline]
fn set_place<Fut>(place: &mut Consuming<Fut>, future: Fut) {
    match place {
        Some(place) => place.as_mut().set(Some(future)),
        None => *place = Some(Box::pin(Some(future))),
    }
}

fn summary<D: Drive>(drive: &D) -> Summary {
    let (stop, stats) = drive.ending().unwrap_or((StopReason::Completed, Stats::default()));
    Summary { stop, stats }
}

impl<D: fmt::Debug, B, Fut> fmt::Debug for ForEach<D, B, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEach").field("drive", &self.drive).finish_non_exhaustive()
    }
}

/// Resolves to what the outcomes were folded into, and a [`Summary`]. Made by
/// [`FanOut::fold`](super::FanOut::fold).
#[must_use = "futures do nothing unless polled"]
pub struct Fold<D, X, B, Fut> {
    drive: D,
    body: B,
    folded: Option<X>,
    consuming: Consuming<Fut>,
}

impl<D, X, B, Fut> Fold<D, X, B, Fut> {
    pub(super) const fn new(drive: D, initial: X, body: B) -> Self {
        Self { drive, body, folded: Some(initial), consuming: None }
    }
}

impl<D: Unpin, X, B, Fut> Unpin for Fold<D, X, B, Fut> {}

impl<D, X, B, Fut> Future for Fold<D, X, B, Fut>
where
    D: Drive,
    B: FnMut(X, Outcome<D::Value, D::Error>) -> Fut,
    Fut: Future<Output = X>,
{
    type Output = (X, Summary);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<(X, Summary)> {
        let Self { drive, body, folded, consuming } = &mut *self;
        loop {
            match poll_place(consuming, context) {
                Some(Poll::Pending) => {
                    drive.poll_progress(context);
                    return Poll::Pending;
                }
                Some(Poll::Ready(next)) => *folded = Some(next),
                None => {}
            }
            let outcome = ready!(drive.poll_next(context));
            let value = folded.take().expect("there unless the body has it");
            match outcome {
                Some(outcome) => set_place(consuming, body(value, outcome)),
                None => return Poll::Ready((value, summary(drive))),
            }
        }
    }
}

impl<D: fmt::Debug, X, B, Fut> fmt::Debug for Fold<D, X, B, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").field("drive", &self.drive).finish_non_exhaustive()
    }
}

/// The outcomes as they come, or by index with [`ordered`](super::FanOut::ordered). Made by
/// [`FanOut::stream`](super::FanOut::stream).
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Outcomes<D>(pub(super) D);

impl<D: Drive> Outcomes<D> {
    /// The next outcome; `None` once there are no more.
    ///
    /// # Cancel safety
    ///
    /// No outcome is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Outcome<D::Value, D::Error>> {
        std::future::poll_fn(|context| self.0.poll_next(context)).await
    }

    /// Why it ended and how it went; `None` before the last outcome was taken.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        self.0.ending().map(|(stop, stats)| Summary { stop, stats })
    }
}

impl<D: Steer> Outcomes<D> {
    /// Starts the fan-out, if it has not been, and gives what watches and steers it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn handle(&mut self) -> Handle {
        let (control, last) = self.0.steer();
        Handle::new(control, last)
    }
}

impl<D: Drive> Stream for Outcomes<D> {
    type Item = Outcome<D::Value, D::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(context)
    }
}

//! A response body that holds the permit of the call.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::http::{Response, header::CONTENT_LENGTH};
use bytes::Buf;
use floodway::{Entered, Outcome, Permit};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{AtEnd, BodyClassifier, BodyEnd};
use crate::Release;

/// The permit comes back at the end of the response's body. Set by
/// [`LimiterLayer::until_body_end`](crate::LimiterLayer::until_body_end).
///
/// Without a response there is no body: an error gives the permit back at once.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AtBodyEnd;

impl<C, B, Error> Release<C, Response<B>, Error> for AtBodyEnd
where
    B: Body,
    C: BodyClassifier<B, Error>,
{
    type Response = Response<ResponseBody<B, C::AtEnd>>;

    fn release(
        &self,
        permit: Permit,
        classifier: &C,
        result: Result<Response<B>, Error>,
    ) -> Result<Self::Response, Error> {
        let held = if result.is_ok() {
            let at_end = classifier.at_end(&result);
            Some(Held { permit: Some(permit), outcome: Outcome::Ignore, at_end })
        } else {
            permit.complete(classifier.classify(&result));
            None
        };
        result.map(|response| hold(response, held))
    }

    fn unpermitted(&self, response: Response<B>) -> Self::Response {
        hold(response, None)
    }
}

fn hold<B, E>(response: Response<B>, held: Option<Held<E>>) -> Response<ResponseBody<B, E>>
where
    B: Body,
    E: AtEnd<B::Error>,
{
    let length = response.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    response.map(|inner| {
        let mut body = ResponseBody { inner, held, length };
        // Nobody polls a body that is empty.
        if body.inner.is_end_stream()
            && let Some(held) = body.held.take()
        {
            held.finish(BodyEnd::Complete { trailers: None });
        } else if let (Some(0), Some(held)) = (body.length, &mut body.held) {
            held.complete_if_dropped::<B::Error>();
        }
        body
    })
}

pin_project! {
    /// A response body that holds the permit of its call until its end.
    ///
    /// The permit comes back, with what the classifier says of the end, once the last frame has
    /// been handed over (even if the body is kept), or once the body has failed. A body that is
    /// dropped before gives it back with [`Outcome::Ignore`]: the client went away or asked for
    /// the head alone, which says nothing about load. Size hints, trailers and errors pass
    /// unchanged.
    ///
    /// A body of which `Content-Length` bytes were handed over is complete if it is dropped then,
    /// because servers do not ask for more.
    ///
    /// A connection that was upgraded (WebSocket) outlives its response, whose body is empty.
    #[derive(Debug)]
    #[must_use = "a body that is dropped at once gives its permit back"]
    pub struct ResponseBody<B, E> {
        #[pin]
        inner: B,
        // Taken at the end.
        held: Option<Held<E>>,
        // Bytes that are still to come, where the response says how many.
        length: Option<u64>,
    }
}

#[derive(Debug)]
struct Held<E> {
    /// Always there; taken by the drop.
    permit: Option<Permit>,
    /// What the permit comes back with.
    outcome: Outcome,
    at_end: E,
}

/// The one place where the permit comes back, however the body ends.
impl<E> Drop for Held<E> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.complete(self.outcome);
        }
    }
}

impl<E> Held<E> {
    fn enter(&mut self) -> Option<Entered<'_>> {
        self.permit.as_mut().map(Permit::enter)
    }

    /// Gives the permit back with what `end` says.
    fn finish<Error>(mut self, end: BodyEnd<'_, Error>)
    where
        E: AtEnd<Error>,
    {
        self.outcome = self.at_end.classify(end);
    }

    /// All bytes are out. Trailers may follow, so the permit stays; but nobody has to ask.
    fn complete_if_dropped<Error>(&mut self)
    where
        E: AtEnd<Error>,
    {
        self.outcome = self.at_end.classify(BodyEnd::Complete { trailers: None });
    }
}

impl<B, E> Body for ResponseBody<B, E>
where
    B: Body,
    E: AtEnd<B::Error>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = {
            // A call nested in this one is lent the permit.
            let _entered = this.held.as_mut().and_then(Held::enter);
            ready!(this.inner.as_mut().poll_frame(context))
        };
        let end = match &frame {
            None => Some(BodyEnd::Complete { trailers: None }),
            Some(Err(error)) => Some(BodyEnd::Failed(error)),
            Some(Ok(frame)) => match (frame.trailers_ref(), frame.data_ref()) {
                (trailers @ Some(_), _) => Some(BodyEnd::Complete { trailers }),
                _ if this.inner.is_end_stream() => Some(BodyEnd::Complete { trailers: None }),
                (None, Some(data)) => {
                    if let (Some(length), Some(held)) = (this.length, this.held.as_mut()) {
                        *length = length.saturating_sub(data.remaining() as u64);
                        if *length == 0 {
                            held.complete_if_dropped::<B::Error>();
                        }
                    }
                    None
                }
                (None, None) => None,
            },
        };
        if let Some(end) = end
            && let Some(held) = this.held.take()
        {
            held.finish(end);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

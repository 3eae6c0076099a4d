//! When the permit of a call comes back.

use floodway::Permit;

use crate::Classifier;

/// Gives the permit of a call back, at once or later, with what the result says about load.
pub trait Release<C, Response, Error> {
    /// What the limited service answers: the response, or the response with the permit in it.
    type Response;

    /// Takes the permit of a call whose inner future is over.
    ///
    /// # Errors
    ///
    /// That of the inner service, unchanged.
    fn release(
        &self,
        permit: Permit,
        classifier: &C,
        result: Result<Response, Error>,
    ) -> Result<Self::Response, Error>;

    /// Turns a response that ran under no permit into one of the same type: a rejection.
    fn unpermitted(&self, response: Response) -> Self::Response;
}

/// The permit comes back when the response is there, and what follows in its body is not counted.
///
/// The default: right wherever the work is done when the response is. Responses that stream while
/// they work are bounded by [`LimiterLayer::until_body_end`](crate::LimiterLayer), with the
/// feature `http`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AtResponse;

impl<C, Response, Error> Release<C, Response, Error> for AtResponse
where
    C: Classifier<Response, Error>,
{
    type Response = Response;

    #[inline]
    fn release(
        &self,
        permit: Permit,
        classifier: &C,
        result: Result<Response, Error>,
    ) -> Result<Response, Error> {
        permit.complete(classifier.classify(&result));
        result
    }

    #[inline]
    fn unpermitted(&self, response: Response) -> Response {
        response
    }
}

//! What a caller gets instead of being served.

use floodway::Rejected;

/// The error of services that can fail in more ways than one.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Turns a rejection into the service's response or error.
pub trait OnRejection<Response, Error> {
    /// The error of the limited service.
    type Error: From<Error>;

    /// What the caller gets for `rejected`.
    ///
    /// # Errors
    ///
    /// Where a rejection is an error.
    fn reject(&self, rejected: Rejected) -> Result<Response, Self::Error>;
}

/// A rejection is an error: [`Rejected`] in a [`BoxError`], from which it can be downcast.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Fail;

impl<Response, Error> OnRejection<Response, Error> for Fail
where
    BoxError: From<Error>,
{
    type Error = BoxError;

    fn reject(&self, rejected: Rejected) -> Result<Response, BoxError> {
        Err(rejected.into())
    }
}

/// A rejection is a response, made by `F: Fn(&Rejected) -> Response`. The error type stays that of
/// the inner service, so routers that demand [`Infallible`](std::convert::Infallible) take it.
#[derive(Clone, Copy, Debug)]
pub struct Respond<F>(pub(crate) F);

impl<F, Response, Error> OnRejection<Response, Error> for Respond<F>
where
    F: Fn(&Rejected) -> Response,
{
    type Error = Error;

    fn reject(&self, rejected: Rejected) -> Result<Response, Error> {
        Ok((self.0)(&rejected))
    }
}

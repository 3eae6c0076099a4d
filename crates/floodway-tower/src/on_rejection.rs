//! What a caller gets instead of being served.

use floodway::{ConnectionError, Rejected};

/// The error of services that can fail in more ways than one.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Turns a rejection into the service's response or error: [`Rejected`] by a limiter,
/// [`ConnectionError`] by a pool limiter.
pub trait OnRejection<Response, Error, Rejection = Rejected> {
    /// The error of the limited service.
    type Error: From<Error>;

    /// What the caller gets for `rejection`.
    ///
    /// # Errors
    ///
    /// Where a rejection is an error.
    fn reject(&self, rejection: Rejection) -> Result<Response, Self::Error>;
}

/// A rejection is an error in a [`BoxError`], from which it can be downcast: [`Rejected`] by a
/// limiter; by a pool limiter [`PoolRejected`](floodway::PoolRejected) or
/// [`NestedAcquire`](floodway::NestedAcquire).
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

/// What is inside the error, because its type does not depend on the pool.
impl<Response, Error, E> OnRejection<Response, Error, ConnectionError<E>> for Fail
where
    BoxError: From<Error>,
    E: std::error::Error + Send + Sync + 'static,
{
    type Error = BoxError;

    fn reject(&self, error: ConnectionError<E>) -> Result<Response, BoxError> {
        Err(match error {
            ConnectionError::Rejected(rejected) => rejected.into(),
            ConnectionError::NestedAcquire(nested) => nested.into(),
            error => error.into(),
        })
    }
}

/// A rejection is a response, made by `F: Fn(&Rejection) -> Response`. The error type stays that of
/// the inner service, so routers that demand [`Infallible`](std::convert::Infallible) take it.
#[derive(Clone, Copy, Debug)]
pub struct Respond<F>(pub(crate) F);

impl<F, Response, Error, Rejection> OnRejection<Response, Error, Rejection> for Respond<F>
where
    F: Fn(&Rejection) -> Response,
{
    type Error = Error;

    fn reject(&self, rejection: Rejection) -> Result<Response, Error> {
        Ok((self.0)(&rejection))
    }
}

//! What the end of a call says about load.

use floodway::Outcome;

/// Tells [`Outcome`]s from results.
///
/// Closures `Fn(&Result<Response, Error>) -> Outcome` are classifiers.
pub trait Classifier<Response, Error> {
    /// What `result` says about load.
    fn classify(&self, result: &Result<Response, Error>) -> Outcome;
}

impl<F, Response, Error> Classifier<Response, Error> for F
where
    F: Fn(&Result<Response, Error>) -> Outcome,
{
    fn classify(&self, result: &Result<Response, Error>) -> Outcome {
        self(result)
    }
}

/// Every error is overload, every response a success.
///
/// Right for services whose errors are timeouts and refusals. Where errors also mean bad input,
/// use a closure, or `HttpStatus` with the feature `http`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EveryError;

impl<Response, Error> Classifier<Response, Error> for EveryError {
    fn classify(&self, result: &Result<Response, Error>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Overload }
    }
}

//! What the end of a response's body says about load.

use ::http::{HeaderMap, Response};
use floodway::Outcome;
use http_body::Body;

use super::HttpStatus;
use crate::{Classifier, EveryError};

/// How the body of a response ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyEnd<'a, Error> {
    /// Everything was sent.
    Complete {
        /// The trailers, where there were any.
        trailers: Option<&'a HeaderMap>,
    },
    /// The body failed on the way.
    Failed(&'a Error),
}

/// A [`Classifier`] that waits for the end of the body.
///
/// Closures that are classifiers are body classifiers: what they say of the response stands,
/// unless the body fails, which is overload like an error in place of the response.
pub trait BodyClassifier<B: Body, Error>: Classifier<Response<B>, Error> {
    /// What is kept from the response until its body ends.
    type AtEnd: AtEnd<B::Error>;

    /// Looks at a response whose body is still to come. Not asked about errors, which have none.
    fn at_end(&self, result: &Result<Response<B>, Error>) -> Self::AtEnd;
}

impl<F, B, Error> BodyClassifier<B, Error> for F
where
    F: Fn(&Result<Response<B>, Error>) -> Outcome,
    B: Body,
{
    type AtEnd = Said;

    fn at_end(&self, result: &Result<Response<B>, Error>) -> Said {
        Said(self(result))
    }
}

impl<B: Body, Error> BodyClassifier<B, Error> for EveryError {
    type AtEnd = Said;

    fn at_end(&self, result: &Result<Response<B>, Error>) -> Said {
        Said(self.classify(result))
    }
}

impl<B: Body, Error> BodyClassifier<B, Error> for HttpStatus {
    type AtEnd = Said;

    fn at_end(&self, result: &Result<Response<B>, Error>) -> Said {
        Said(self.classify(result))
    }
}

/// Tells the [`Outcome`] of a call at the end of its body.
///
/// Closures `Fn(BodyEnd<'_, Error>) -> Outcome` do.
pub trait AtEnd<Error> {
    /// What the end says about load. May be asked more than once; the last answer counts.
    fn classify(&self, end: BodyEnd<'_, Error>) -> Outcome;
}

impl<F, Error> AtEnd<Error> for F
where
    F: Fn(BodyEnd<'_, Error>) -> Outcome,
{
    fn classify(&self, end: BodyEnd<'_, Error>) -> Outcome {
        self(end)
    }
}

/// The response said it, unless its body fails, which is overload.
#[derive(Clone, Copy, Debug)]
pub struct Said(pub Outcome);

impl<Error> AtEnd<Error> for Said {
    fn classify(&self, end: BodyEnd<'_, Error>) -> Outcome {
        match end {
            BodyEnd::Complete { .. } => self.0,
            BodyEnd::Failed(_) => Outcome::Overload,
        }
    }
}

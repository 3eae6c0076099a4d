//! Applies a limiter to services.

use floodway::Limiter;
use tower_layer::Layer;

use super::Limited;
use crate::{EveryError, Fail, Respond};

/// Puts a [`Limiter`] in front of a service. All services made by one layer, and all their clones,
/// share the limiter.
///
/// By default every error counts as overload, and a rejection is a
/// [`BoxError`](crate::BoxError). Set [`classify`](Self::classify) and
/// [`respond`](Self::respond) for HTTP.
#[derive(Clone, Debug)]
#[must_use]
pub struct LimiterLayer<C = EveryError, R = Fail> {
    limiter: Limiter,
    classifier: C,
    on_rejection: R,
}

impl LimiterLayer {
    /// Requests pass under a permit of `limiter`.
    pub const fn new(limiter: Limiter) -> Self {
        Self { limiter, classifier: EveryError, on_rejection: Fail }
    }
}

impl<C, R> LimiterLayer<C, R> {
    /// Tells outcomes from results by `classifier`, a
    /// [`Classifier`](crate::Classifier) or closure.
    pub fn classify<D>(self, classifier: D) -> LimiterLayer<D, R> {
        LimiterLayer { limiter: self.limiter, classifier, on_rejection: self.on_rejection }
    }

    /// Answers rejections with the response that `response` makes of them.
    pub fn respond<F>(self, response: F) -> LimiterLayer<C, Respond<F>> {
        LimiterLayer {
            limiter: self.limiter,
            classifier: self.classifier,
            on_rejection: Respond(response),
        }
    }
}

impl<S, C: Clone, R: Clone> Layer<S> for LimiterLayer<C, R> {
    type Service = Limited<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Limited::new(
            inner,
            self.limiter.clone(),
            self.classifier.clone(),
            self.on_rejection.clone(),
        )
    }
}

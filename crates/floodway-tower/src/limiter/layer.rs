//! Applies a limiter to services.

use floodway::{Limiter, LimiterMap};
use tower_layer::Layer;

use super::{BackpressureLayer, Limited};
use crate::{AcquireFrom, AtResponse, EveryError, Fail, Keyed, Respond, Select};

/// Puts a [`Limiter`] in front of a service. All services made by one layer, and all their clones,
/// share the limiter.
///
/// By default every error counts as overload, a rejection is a [`BoxError`](crate::BoxError), and
/// the permit comes back with the response. Set [`classify`](Self::classify) and
/// [`respond`](Self::respond) for HTTP.
///
/// The parameters, in the order in which they are usually changed: `C` tells outcomes from
/// results, `R` answers rejections, `A` finds the limiter, `T` says when the permit comes back.
#[derive(Clone, Debug)]
#[must_use]
pub struct LimiterLayer<C = EveryError, R = Fail, A = Limiter, T = AtResponse> {
    pub(super) classifier: C,
    pub(super) on_rejection: R,
    pub(super) admission: A,
    pub(super) release: T,
}

impl LimiterLayer {
    /// Requests pass under a permit of `limiter`.
    pub const fn new(limiter: Limiter) -> Self {
        Self { classifier: EveryError, on_rejection: Fail, admission: limiter, release: AtResponse }
    }

    /// Each request passes under a permit of the limiter that `limiter`, a
    /// `Fn(&Request) -> Limiter`, gives for it: one per route, per host, per tenant.
    ///
    /// It is asked once per request and should be cheap: clone a limiter that was built before.
    ///
    /// ```
    /// use axum::http::{Method, Request};
    /// use floodway::Limiter;
    /// use floodway_tower::LimiterLayer;
    ///
    /// # fn main() -> Result<(), floodway::BuildError> {
    /// let reads = Limiter::builder("reads").limit(64).build()?;
    /// let writes = Limiter::builder("writes").limit(8).build()?;
    /// let layer = LimiterLayer::select(move |request: &Request<axum::body::Body>| {
    ///     if request.method() == Method::GET { reads.clone() } else { writes.clone() }
    /// });
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn select<F>(limiter: F) -> LimiterLayer<EveryError, Fail, Select<F>> {
        LimiterLayer {
            classifier: EveryError,
            on_rejection: Fail,
            admission: Select(limiter),
            release: AtResponse,
        }
    }
}

/// A [`LimiterLayer`] with a limiter per key. Made by [`LimiterLayer::keyed`].
pub type KeyedLimiterLayer<K, F, C = EveryError, R = Fail, T = AtResponse> =
    LimiterLayer<C, R, Keyed<K, F>, T>;

impl LimiterLayer {
    /// Each request passes under a permit of its key's limiter in `limiters`; `key`, a
    /// `Fn(&Request) -> K`, says which that is.
    ///
    /// ```
    /// use axum::http::Request;
    /// use floodway::LimiterMap;
    /// use floodway_tower::LimiterLayer;
    ///
    /// fn tenant<B>(request: &Request<B>) -> String {
    ///     let tenant = request.headers().get("x-tenant");
    ///     tenant.and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned()
    /// }
    ///
    /// # fn main() -> Result<(), floodway::BuildError> {
    /// let tenants =
    ///     LimiterMap::<String>::builder("tenants", |_, limiter| limiter.limit(8)).build()?;
    /// let layer = LimiterLayer::keyed(tenants, tenant::<axum::body::Body>);
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn keyed<K, F>(limiters: LimiterMap<K>, key: F) -> KeyedLimiterLayer<K, F> {
        LimiterLayer {
            classifier: EveryError,
            on_rejection: Fail,
            admission: Keyed { limiters, key },
            release: AtResponse,
        }
    }
}

impl<C, R, A, T> LimiterLayer<C, R, A, T> {
    /// Tells outcomes from results by `classifier`, a
    /// [`Classifier`](crate::Classifier) or closure.
    pub fn classify<D>(self, classifier: D) -> LimiterLayer<D, R, A, T> {
        let Self { on_rejection, admission, release, .. } = self;
        LimiterLayer { classifier, on_rejection, admission, release }
    }

    /// Answers rejections with the response that `response` makes of them.
    pub fn respond<F>(self, response: F) -> LimiterLayer<C, Respond<F>, A, T> {
        let Self { classifier, admission, release, .. } = self;
        LimiterLayer { classifier, on_rejection: Respond(response), admission, release }
    }

    /// Lets each request say how it asks: `acquire`, a `Fn(&Request) -> Acquire`, sees it first.
    ///
    /// For a deadline, a weight or a priority that the request brings. Called again, the later one counts.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use axum::http::Request;
    /// use floodway::{Acquire, Limiter};
    /// use floodway_tower::LimiterLayer;
    /// use tokio::time::Instant;
    ///
    /// fn acquire<B>(request: &Request<B>) -> Acquire {
    ///     let wait = request.headers().get("x-wait-ms");
    ///     let wait = wait.and_then(|value| value.to_str().ok()?.parse().ok());
    ///     wait.map(Duration::from_millis)
    ///         .and_then(|wait| Instant::now().checked_add(wait))
    ///         .map_or(Acquire::new(), |deadline| Acquire::new().deadline(deadline))
    /// }
    ///
    /// # fn main() -> Result<(), floodway::BuildError> {
    /// let limiter = Limiter::builder("api").limit(16).build()?;
    /// let layer = LimiterLayer::new(limiter).acquire_from(acquire::<axum::body::Body>);
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire_from<F>(self, acquire: F) -> LimiterLayer<C, R, AcquireFrom<A, F>, T> {
        let Self { classifier, on_rejection, admission, release } = self;
        let admission = AcquireFrom { admission, acquire };
        LimiterLayer { classifier, on_rejection, admission, release }
    }

    /// Lets the permit come back at the end of the response's body instead of at the response.
    ///
    /// For responses that stream while they work, and for gRPC, whose status comes after the
    /// body. The body becomes a [`ResponseBody`](crate::http::ResponseBody), which says when the
    /// end is; the classifier must be a [`BodyClassifier`](crate::http::BodyClassifier), as all
    /// in this crate and all closures are.
    #[cfg(feature = "http")]
    pub fn until_body_end(self) -> LimiterLayer<C, R, A, crate::http::AtBodyEnd> {
        let Self { classifier, on_rejection, admission, .. } = self;
        LimiterLayer { classifier, on_rejection, admission, release: crate::http::AtBodyEnd }
    }
}

impl<C, R, T> LimiterLayer<C, R, Limiter, T> {
    /// Waits for the permit in `poll_ready` instead of in `call`, so that a load balancer sees a
    /// service without a free permit as not ready and asks another one.
    ///
    /// For balancers alone, because a service that is ready then holds a permit: see
    /// [`Reserved`](crate::Reserved). No request is there in `poll_ready`, so neither
    /// [`select`](LimiterLayer::select) nor [`acquire_from`](LimiterLayer::acquire_from) goes with
    /// it.
    pub const fn backpressure(self) -> BackpressureLayer<C, R, T> {
        BackpressureLayer(self)
    }
}

impl<S, C: Clone, R: Clone, A: Clone, T: Clone> Layer<S> for LimiterLayer<C, R, A, T> {
    type Service = Limited<S, C, R, A, T>;

    fn layer(&self, inner: S) -> Self::Service {
        Limited::new(inner, self.clone())
    }
}

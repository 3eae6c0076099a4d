//! A limiter that reserves in `poll_ready`, for load balancers.

mod service;

use tower_layer::Layer;

pub use self::service::Reserved;
use super::LimiterLayer;
use crate::{AtResponse, EveryError, Fail};

/// Puts a limiter in front of a service and lets `poll_ready` wait for its permits. Made by
/// [`LimiterLayer::backpressure`].
///
/// Two endpoints, each with a limiter of its own, under tower's balancer: the one whose permits
/// are out is not ready, so the other one is asked.
///
/// ```
/// use std::convert::Infallible;
///
/// use floodway::Limiter;
/// use floodway_tower::LimiterLayer;
/// use tower::{
///     Layer, Service, ServiceExt,
///     balance::p2c::Balance,
///     discover::ServiceList,
///     load::{CompleteOnResponse, PendingRequests},
///     service_fn,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let mut endpoints = Vec::new();
/// for name in ["a", "b"] {
///     let limiter = Limiter::builder(name).limit(16).build()?;
///     let endpoint = service_fn(move |(): ()| async move { Ok::<_, Infallible>(name) });
///     let endpoint = LimiterLayer::new(limiter).backpressure().layer(endpoint);
///     endpoints.push(PendingRequests::new(endpoint, CompleteOnResponse::default()));
/// }
/// let mut balance = Balance::new(ServiceList::new::<()>(endpoints));
/// let answer = balance.ready().await?.call(()).await?;
/// assert!(["a", "b"].contains(&answer));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct BackpressureLayer<C = EveryError, R = Fail, T = AtResponse>(
    pub(super) LimiterLayer<C, R, floodway::Limiter, T>,
);

impl<S, C: Clone, R: Clone, T: Clone> Layer<S> for BackpressureLayer<C, R, T> {
    type Service = Reserved<S, C, R, T>;

    fn layer(&self, inner: S) -> Self::Service {
        Reserved::new(inner, self.0.clone())
    }
}

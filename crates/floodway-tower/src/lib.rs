//! Tower middleware over Floodway: a limiter in front of any service, batching in front of those
//! that take many requests at once.
//!
//! [`LimiterLayer`] admits in `call`, not in `poll_ready`: a ready service that is never called
//! holds nothing, so idle keep-alive connections and cloned services starve nobody.
//!
//! ```
//! use floodway::Limiter;
//! use floodway_tower::LimiterLayer;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let limiter = Limiter::builder("lookup").limit(16).build()?;
//! let mut service = ServiceBuilder::new()
//!     .layer(LimiterLayer::new(limiter))
//!     .service(service_fn(async |key: u32| Ok::<_, std::io::Error>(key * 2)));
//! assert_eq!(service.ready().await?.call(21).await?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! What a stack may need beyond that, all of it on [`LimiterLayer`]:
//!
//! - `classify` and `respond` say what results mean for the limit and what a refused caller gets.
//! - `select` and `keyed` take the limiter from the request, `acquire_from` the deadline, the
//!   weight and the priority.
//! - `backpressure` reserves in `poll_ready` after all, for load balancers.
//! - `until_body_end` (feature `http`) holds the permit while the response streams.
//!
//! [`PoolLimitLayer`] lets requests in as the connections of a pool allow.
//!
//! [`BatchLayer`] makes a service for one request out of a service for many.
//!
//! With the feature `http`, the module `http` has examples for axum and reqwest, and the module
//! `grpc` for tonic. The crate depends on none of them.

mod admit;
mod batch;
mod classify;
#[cfg(feature = "http")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
mod limiter;
mod on_rejection;
pub mod pool;
mod release;

pub use admit::{AcquireFrom, Admit, Keyed, Select};
pub use batch::{BatchLayer, Batched};
pub use classify::{Classifier, EveryError};
pub use limiter::{BackpressureLayer, KeyedLimiterLayer, Limited, LimiterLayer, Reserved, future};
pub use on_rejection::{BoxError, Fail, OnRejection, Respond};
pub use pool::{PoolLimitLayer, PoolLimited};
pub use release::{AtResponse, Release};

/// Compiles and runs the examples of the guide. A doctest alone: the guide is not in the package.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../../../docs/guides/limiter.md")]
struct Guide;

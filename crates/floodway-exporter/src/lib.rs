//! Exposition of Floodway's metrics, together with the application's own: for Prometheus, for
//! OpenTelemetry, and as a page for people.
//!
//! [`Exporter`] reads a [`Registry`] whenever it is asked. Joined
//! with the `metrics` facade, one page carries both Floodway's metrics and those that the
//! application records with `metrics::counter!` and its siblings.
//!
//! - `GET /metrics`: Prometheus text, or OpenMetrics with exemplars.
//! - `GET /floodway`: the status page, with nothing to install. It changes limiters only if the
//!   application has [enabled](Exporter::with_controls) it.
//! - [`Publisher`]: the same numbers for any other recorder of the `metrics` facade.
//! - feature `otel`: the same numbers, and traces, for an OpenTelemetry collector (module `otel`).
//!
//! ```
//! use floodway::Limiter;
//! use floodway_metrics::Registry;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _limiter = Limiter::builder("orders").limit(8).build()?;
//! let exporter = floodway_exporter::Exporter::new(Registry::global()).with_facade()?;
//! metrics::counter!("orders_total").increment(3);
//!
//! let app: axum::Router = axum::Router::new().merge(exporter.routes());
//! let page = exporter.render();
//! assert!(page.contains("orders_total 3"));
//! assert!(page.contains("floodway_limiter_limit{limiter=\"orders\"} 8"));
//! # Ok(())
//! # }
//! ```

mod about;
mod answer;
mod encode;
mod exporter;
mod facade;
#[cfg(feature = "otel")]
pub mod otel;
mod pace;
mod server;
mod status;
mod token;
mod unix_time;

pub use encode::Format;
pub use exporter::{Exporter, FacadeError, routes};
pub use facade::{PublishError, Publisher, Publishing};
pub use floodway_metrics::{Buckets, BucketsError, Registry};
/// The facade whose recorder [`Exporter::with_facade`] installs: with another major version of it,
/// macros count into nothing and nobody says so.
pub use metrics;
pub use metrics_exporter_prometheus;
pub use server::{ServeError, Server};
pub use status::{Controls, ControlsError};
pub use token::{Token, TokenError};

/// Compiles and runs the examples of the guide. A doctest alone: the guide is not in the package.
#[cfg(all(doctest, feature = "otel"))]
#[doc = include_str!("../../../docs/guides/observability.md")]
struct ObservabilityGuide;

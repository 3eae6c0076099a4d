//! Prometheus exposition of Floodway's metrics, together with the application's own.
//!
//! [`Exporter`] reads a [`Registry`](floodway_metrics::Registry) whenever it is scraped. Joined
//! with the `metrics` facade, one page carries both Floodway's metrics and those that the
//! application records with `metrics::counter!` and its siblings.
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

mod encode;
mod exporter;
mod server;

pub use exporter::{CONTENT_TYPE, Exporter, FacadeError, routes};
pub use server::{ServeError, Server};

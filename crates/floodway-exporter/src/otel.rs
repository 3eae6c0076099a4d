//! The same numbers, and traces, for an OpenTelemetry collector, over OTLP (HTTP, protobuf).
//!
//! ```no_run
//! use floodway_exporter::{Exporter, Registry, otel::Otlp};
//! use tracing_subscriber::prelude::*;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let otlp = Otlp::builder("orders").build()?; // to http://127.0.0.1:4318 unless told otherwise
//! tracing_subscriber::registry().with(otlp.layer()).init();
//! let exporting = otlp.export(&Exporter::new(Registry::global()));
//! // … serve …
//! exporting.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Metrics are built from the snapshot itself and keep its names, except where the semantic
//! conventions have one: pools are `db.client.connection.*`. Histograms keep their buckets, and their
//! exemplars the trace of an observation, once there is a [layer](Otlp::layer). Applications with a
//! meter of their own can have counters and gauges as observable instruments, with [`observe`].

mod describe;
mod message;
mod observe;
mod push;
mod quiet;
mod traces;

use std::time::Duration;

use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use url::Url;

pub use observe::observe;
pub use push::Exporting;

/// Where collectors listen on the same machine.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4318";

/// As long as between two scrapes of Prometheus by default.
const DEFAULT_PERIOD: Duration = Duration::from_secs(15);

/// Longest time for one export.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A collector, and who sends to it.
#[derive(Debug)]
pub struct Otlp {
    resource: Resource,
    endpoint: Url,
    period: Duration,
    tracer_provider: SdkTracerProvider,
}

impl Otlp {
    /// For a service of this name, the attribute `service.name`.
    pub fn builder(service: impl Into<String>) -> OtlpBuilder {
        OtlpBuilder {
            service: service.into(),
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            period: DEFAULT_PERIOD,
        }
    }
}

/// Describes an [`Otlp`].
#[derive(Clone, Debug)]
#[must_use]
pub struct OtlpBuilder {
    service: String,
    endpoint: String,
    period: Duration,
}

impl OtlpBuilder {
    /// Where the collector is, without `/v1/…`; `http://127.0.0.1:4318` by default. Plain HTTP only:
    /// a collector beside the service carries it further.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// How often metrics are sent; 15 s by default.
    pub const fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Connects to nothing yet: a collector that is away is tried again later.
    ///
    /// # Errors
    ///
    /// If the name of the service is empty, the endpoint is no `http` URL with a host, the period is
    /// less than a second, or the exporter of traces cannot be set up.
    pub fn build(self) -> Result<Otlp, OtlpError> {
        let Self { service, endpoint, period } = self;
        if service.is_empty() {
            return Err(OtlpError::Service);
        }
        let url = Url::parse(&endpoint)
            .map_err(|source| OtlpError::NoUrl { endpoint: endpoint.clone(), source })?;
        if url.scheme() != "http" || url.host().is_none() {
            return Err(OtlpError::Scheme { endpoint });
        }
        if period < Duration::from_secs(1) {
            return Err(OtlpError::Period { period });
        }
        let resource = Resource::builder().with_service_name(service).build();
        let tracer_provider = traces::provider(&url, resource.clone())?;
        Ok(Otlp { resource, endpoint: url, period, tracer_provider })
    }
}

/// The address of one kind of signal.
fn signal(endpoint: &Url, path: &str) -> String {
    format!("{}/{path}", endpoint.as_str().trim_end_matches('/'))
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// Nobody would know whose numbers these are.
    #[error("service: the name is empty")]
    Service,
    /// The endpoint cannot be read.
    #[error("endpoint: {endpoint:?} is no URL")]
    NoUrl {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The endpoint is something else.
    #[error("endpoint: {endpoint:?} is not of the form http://host:port")]
    Scheme {
        /// What was given.
        endpoint: String,
    },
    /// Too often.
    #[error("period: {period:?} is out of range, expected 1 s or more")]
    Period {
        /// What was given.
        period: Duration,
    },
    /// The exporter of traces could not be built.
    #[error("cannot set up the export of traces")]
    Traces(#[source] opentelemetry_otlp::ExporterBuildError),
}

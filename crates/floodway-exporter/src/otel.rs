//! The same numbers, and traces, for an OpenTelemetry collector, over OTLP (HTTP, protobuf).
//!
//! ```no_run
//! use floodway_exporter::{Registry, otel::Otlp};
//! use tracing_subscriber::prelude::*;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let otlp = Otlp::builder("orders").build()?; // http://127.0.0.1:4318 unless told otherwise
//! tracing_subscriber::registry().with(otlp.layer()).init();
//! let exporting = otlp.export(Registry::global());
//! // … serve …
//! exporting.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Metrics are built from the snapshot itself and keep its names, except where the semantic
//! conventions have one: pools are `db.client.connection.*`. Histograms keep their buckets, and their
//! exemplars the trace of an observation, once there is a [layer](Otlp::layer). What the application
//! records with the `metrics` facade is not among them. Applications with a meter of their own can have
//! counters and gauges as observable instruments, with [`observe`].

mod describe;
mod message;
mod observe;
mod push;
mod quiet;
mod traces;

use std::{fmt, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use url::Url;

pub use observe::observe;
pub use push::Exporting;

/// What tells programs in any language where the collector is
/// (<https://opentelemetry.io/docs/languages/sdk-configuration/otlp-exporter/>).
const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

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
    headers: HeaderMap,
    client: reqwest::Client,
    tracer_provider: SdkTracerProvider,
}

impl Otlp {
    /// For a service of this name, the attribute `service.name`.
    pub fn builder(service: impl Into<String>) -> OtlpBuilder {
        OtlpBuilder {
            service: service.into(),
            endpoint: None,
            period: DEFAULT_PERIOD,
            headers: Vec::new(),
        }
    }
}

/// Describes an [`Otlp`].
#[derive(Clone)]
#[must_use]
pub struct OtlpBuilder {
    service: String,
    endpoint: Option<String>,
    period: Duration,
    headers: Vec<(String, String)>,
}

impl OtlpBuilder {
    /// Where the collector is, without `/v1/…`. By default what the environment variable
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` says, and without it `http://127.0.0.1:4318`. Plain HTTP only: a
    /// collector beside the service carries it further.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// A header that all exports carry, such as a key of the collector. May be called several times; the
    /// last value of a name counts.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
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
    /// If the name of the service is empty, the endpoint is more or less than an `http` URL with a host,
    /// the period is less than a second, a header is not one, or the exporter of traces cannot be set up.
    pub fn build(self) -> Result<Otlp, OtlpError> {
        let Self { service, endpoint, period, headers } = self;
        // Empty is as if it were not set, says the specification.
        let variable = || std::env::var(ENDPOINT_VARIABLE).ok().filter(|text| !text.is_empty());
        let endpoint = endpoint.or_else(variable);
        let endpoint = endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        if service.is_empty() {
            return Err(OtlpError::Service);
        }
        let url = Url::parse(&endpoint)
            .map_err(|source| OtlpError::NoUrl { endpoint: endpoint.clone(), source })?;
        if url.scheme() != "http" || url.host().is_none() {
            return Err(OtlpError::Scheme { endpoint });
        }
        let bare = url.username().is_empty() && url.password().is_none();
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(OtlpError::MoreThanAnAddress);
        }
        if period < Duration::from_secs(1) {
            return Err(OtlpError::Period { period });
        }
        let headers = header_map(headers)?;
        let resource = Resource::builder().with_service_name(service).build();
        let tracer_provider = traces::provider(&url, &headers, resource.clone())?;
        let client = direct!(reqwest::Client::builder()).build().map_err(OtlpError::Client)?;
        Ok(Otlp { resource, endpoint: url, period, headers, client, tracer_provider })
    }
}

/// By hand, because headers have secrets.
impl fmt::Debug for OtlpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, endpoint, period, .. } = self;
        f.debug_struct("OtlpBuilder")
            .field("service", service)
            .field("endpoint", endpoint)
            .field("period", period)
            .finish_non_exhaustive()
    }
}

fn header_map(headers: Vec<(String, String)>) -> Result<HeaderMap, OtlpError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(&value).ok());
        let (parsed, mut value) = parsed.ok_or(OtlpError::Header { name })?;
        // Not shown in logs.
        value.set_sensitive(true);
        map.insert(parsed, value);
    }
    Ok(map)
}

/// Sends nothing to anybody but the collector: no proxy of the environment gets to see what goes to
/// this machine, and no answer sends headers elsewhere.
macro_rules! direct {
    ($builder:expr) => {
        $builder.no_proxy().redirect(reqwest::redirect::Policy::none())
    };
}
use direct;

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
    /// It has a user, a password, a query or a fragment. Does not repeat them.
    #[error("endpoint: expected no user, password, query or fragment; use header for a secret")]
    MoreThanAnAddress,
    /// Too often.
    #[error("period: {period:?} is out of range, expected 1 s or more")]
    Period {
        /// What was given.
        period: Duration,
    },
    /// A name or a value has characters that a header cannot have. The value may be a secret.
    #[error("header: {name:?} or its value is not possible in HTTP")]
    Header {
        /// The name that was given.
        name: String,
    },
    /// The exporter of traces could not be built.
    #[error("cannot set up the export of traces")]
    Traces(#[source] opentelemetry_otlp::ExporterBuildError),
    /// The clients for HTTP could not be built.
    #[error("cannot set up the client for HTTP")]
    Client(#[source] reqwest::Error),
}

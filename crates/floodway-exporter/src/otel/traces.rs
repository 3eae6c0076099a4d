//! Traces: from `tracing` to the collector, and from there into exemplars.

use std::{panic::resume_unwind, sync::Arc, thread, time::Duration};

use axum::http::{HeaderMap, HeaderValue};
use floodway_metrics::{TraceContext, set_trace_source};
use opentelemetry::{
    Context,
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracer, SdkTracerProvider, SpanData},
};
use tracing_core::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::{
    Otlp, OtlpError, TIMEOUT, direct,
    quiet::{Quiet, with_causes},
    signal,
};

impl Otlp {
    /// Sends the spans of `tracing`, batches with links to the spans of their items. From now on
    /// histograms keep the trace of an observation for each bucket.
    ///
    /// Put a filter before it, such as `EnvFilter`: what it sees, it sends.
    #[must_use]
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(
        &self,
    ) -> OpenTelemetryLayer<S, SdkTracer> {
        // Whoever set another source before keeps it.
        let _ = set_trace_source(current_trace);
        tracing_opentelemetry::layer().with_tracer(self.tracer_provider.tracer("floodway"))
    }
}

/// The trace in which the calling thread is, if it is recorded.
fn current_trace() -> Option<TraceContext> {
    Context::map_current(|context| {
        let span = context.span().span_context().clone();
        (span.is_valid() && span.is_sampled()).then(|| TraceContext {
            trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(span.span_id().to_bytes()),
        })
    })
}

pub(super) fn provider(
    endpoint: &Url,
    headers: &HeaderMap,
    resource: Resource,
) -> Result<SdkTracerProvider, OtlpError> {
    let url = signal(endpoint, "v1/traces");
    // Values came from texts.
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    // Built on a thread of its own, because it must not be inside of a runtime.
    let build = || direct!(reqwest::blocking::Client::builder()).timeout(TIMEOUT).build();
    let built = thread::spawn(build).join();
    // It does not panic; if it did, this thread would not know better.
    let client = built.unwrap_or_else(|panic| resume_unwind(panic)).map_err(OtlpError::Client)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(&url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .with_headers(headers.collect())
        .with_http_client(client)
        .build()
        .map_err(OtlpError::Traces)?;
    let exporter = Spans { exporter, quiet: Arc::new(Quiet::new("traces", url)) };
    // On a thread of its own, with a queue that drops what is too much.
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The exporter of the SDK, which says of each failure that it failed.
#[derive(Debug)]
struct Spans {
    exporter: SpanExporter,
    quiet: Arc<Quiet>,
}

impl opentelemetry_sdk::trace::SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        self.quiet.note(&match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(with_causes(error)),
        });
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

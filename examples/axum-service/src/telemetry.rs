//! Logs, metrics, the status page and traces.

use std::env;

use anyhow::Result;
use axum::{extract::Request, middleware::Next, response::Response};
use floodway::{LimiterHandle, Registry};
use floodway_exporter::otel::{Exporting, Otlp};
use floodway_exporter::{Controls, Exporter, Server, Token};
use tracing::{Instrument, info_span, level_filters::LevelFilter};
use tracing_subscriber::{fmt, prelude::*};

/// The server of the pages, and what sends to a collector, if there is one. The status page may
/// change `door`, for those who have `CONTROL_TOKEN`.
pub(crate) async fn start(door: LimiterHandle) -> Result<(Server, Option<Exporting>)> {
    let collector = env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok();
    let otlp = collector.map(|url| Otlp::builder("orders").endpoint(url).build()).transpose()?;
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(fmt::layer().with_writer(std::io::stderr))
        .with(otlp.as_ref().map(Otlp::layer))
        .init();

    let mut exporter = Exporter::new(Registry::global()).with_facade()?;
    if let Ok(secret) = env::var("METRICS_TOKEN") {
        exporter = exporter.with_token(Token::new(secret)?);
    }
    if let Ok(secret) = env::var("CONTROL_TOKEN") {
        exporter = exporter.with_controls(Controls::new(Token::new(secret)?).limiter(door))?;
    }
    // A port of its own, which callers do not reach and which is there until the last answer is out.
    let address = env::var("METRICS_ADDRESS").unwrap_or("127.0.0.1:9464".into());
    let pages = exporter.serve(address.parse()?).await?;
    Ok((pages, otlp.map(|otlp| otlp.export(Registry::global()))))
}

/// A span for each request.
pub(crate) async fn trace(request: Request, next: Next) -> Response {
    let span = info_span!("request", method = %request.method(), path = request.uri().path());
    next.run(request).instrument(span).await
}

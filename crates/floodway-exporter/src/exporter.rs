//! The page of metrics, and the route that serves it.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use floodway_metrics::{
    Buckets, Collector, ComponentKind, Histogram, Registry, Source,
    catalogue::exporter as catalogue,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::encode::encode;

/// The content type of the page: version 0.0.4 of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often the facade's recorder sorts the samples of histograms into buckets. Between two
/// scrapes it keeps every sample, so without this its memory grows while nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A page with the numbers of a registry and, if asked to, those of the `metrics` facade.
///
/// Cloning is cheap and gives the same exporter.
#[derive(Clone, Debug)]
pub struct Exporter {
    registry: Registry,
    facade: Option<PrometheusHandle>,
    about: Arc<About>,
}

/// What the exporter measures of itself.
#[derive(Debug)]
struct About {
    render: Histogram,
}

impl Source for About {
    fn collect(&self, out: &mut Collector) {
        out.histogram(&catalogue::RENDER_DURATION, self.render.value());
    }
}

impl Exporter {
    /// Exports `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let about = Arc::new(About { render: Histogram::new(Buckets::DURATIONS) });
        let source: Arc<dyn Source> = Arc::clone(&about) as _;
        // Exporters have no name that could be refused.
        let registered = registry.register(ComponentKind::Exporter, "", &source);
        debug_assert!(registered.is_ok(), "{registered:?}");
        Self { registry: registry.clone(), facade: None, about }
    }

    /// Installs a recorder for the `metrics` facade and appends its metrics to the page.
    ///
    /// Its histograms get the buckets of Floodway's durations, 100 µs to 10 s. To configure the
    /// recorder yourself, use [`with_handle`](Self::with_handle).
    ///
    /// # Errors
    ///
    /// If the process has a recorder already, this is not called inside a tokio runtime, or the
    /// recorder refuses the buckets.
    pub fn with_facade(self) -> Result<Self, FacadeError> {
        let runtime = Handle::try_current().map_err(|_| FacadeError::NoRuntime)?;
        let buckets: Vec<f64> = Buckets::DURATIONS.upper_bounds().collect();
        let recorder = PrometheusBuilder::new()
            .set_buckets(&buckets)
            .map_err(FacadeError::Buckets)?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| FacadeError::Installed)?;
        let upkeep = handle.clone();
        // For the life of the process, as the recorder itself.
        runtime.spawn(async move {
            let mut ticks = interval(UPKEEP_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                upkeep.run_upkeep();
            }
        });
        Ok(self.with_handle(handle))
    }

    /// Appends the metrics of a recorder that was installed elsewhere. Whoever installed it also
    /// runs its upkeep.
    #[must_use]
    pub fn with_handle(mut self, handle: PrometheusHandle) -> Self {
        self.facade = Some(handle);
        self
    }

    /// The page now. Takes milliseconds with hundreds of series: keep it off the threads that
    /// serve requests, as [`routes`](Self::routes) does.
    #[must_use]
    pub fn render(&self) -> String {
        let started = Instant::now();
        let mut page = self.facade.as_ref().map(PrometheusHandle::render).unwrap_or_default();
        encode(&self.registry.snapshot(), &mut page);
        let nanos = started.elapsed().as_nanos();
        self.about.render.record(u64::try_from(nanos).unwrap_or(u64::MAX));
        page
    }

    /// A router with `GET /metrics`, to merge into the application's. Do not put it behind the
    /// limiter that it reports on: an overloaded service must still be measurable.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let exporter = self.clone();
        let page = async move || {
            match spawn_blocking(move || exporter.render()).await {
                Ok(page) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response(),
                // A component panicked. An empty page would look like a healthy scrape.
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        };
        Router::new().route("/metrics", get(page))
    }
}

/// A router with `GET /metrics` for `registry` alone: short for
/// `Exporter::new(registry).routes()`.
pub fn routes<S: Clone + Send + Sync + 'static>(registry: &Registry) -> Router<S> {
    Exporter::new(registry).routes()
}

/// Why the `metrics` facade could not be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FacadeError {
    /// Another recorder is installed.
    #[error("the metrics facade has a recorder already; pass its handle to with_handle")]
    Installed,
    /// The recorder needs a task for its upkeep.
    #[error("with_facade must be called inside a tokio runtime")]
    NoRuntime,
    /// The recorder did not take the buckets.
    #[error("the recorder refused the bucket bounds")]
    Buckets(#[source] metrics_exporter_prometheus::BuildError),
}

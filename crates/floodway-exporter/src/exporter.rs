//! What is exported, to whom, and the page of metrics.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use floodway_metrics::{Buckets, Registry};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    runtime::Handle,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Controls, ControlsError, Format, Token,
    about::{About, Delivered, Refusal},
    answer, encode,
    pace::{NoPage, Pace},
    status::{self, History},
};

/// How often the facade's recorder sorts the samples of histograms into buckets. Between two
/// scrapes it keeps every sample, so without this its memory grows while nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Shows the numbers of a registry and, if asked to, those of the `metrics` facade.
///
/// Cloning is cheap and gives the same exporter, as it is configured so far: configure it first, and
/// then take its routes or clone it.
#[derive(Clone, Debug)]
pub struct Exporter {
    registry: Registry,
    facade: Option<PrometheusHandle>,
    token: Option<Token>,
    pub(crate) allow_remote: bool,
    pub(crate) controls: Option<Arc<Controls>>,
    pub(crate) about: Arc<About>,
    pub(crate) history: Arc<History>,
    metrics_pace: Pace,
    pub(crate) status_pace: Pace,
}

impl Exporter {
    /// Exports `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            facade: None,
            token: None,
            allow_remote: false,
            controls: None,
            about: About::of(registry),
            history: Arc::new(History::new(registry)),
            metrics_pace: Pace::new(),
            status_pace: Pace::new(),
        }
    }

    /// Installs a recorder for the `metrics` facade and appends its metrics to the page.
    ///
    /// Its histograms get the buckets of Floodway's durations, 100 µs to 10 s. For other buckets or
    /// labels, use [`with_recorder`](Self::with_recorder).
    ///
    /// # Errors
    ///
    /// If the process has a recorder already, this is not called inside a tokio runtime, or the
    /// recorder refuses the buckets.
    pub fn with_facade(self) -> Result<Self, FacadeError> {
        let buckets: Vec<f64> = Buckets::durations().upper_bounds().collect();
        let builder = PrometheusBuilder::new().set_buckets(&buckets);
        self.with_recorder(builder.map_err(FacadeError::Buckets)?)
    }

    /// As [`with_facade`](Self::with_facade), with a recorder as `builder` describes it. Give its
    /// histograms buckets: without, they are summaries. Do not give it an `idle_timeout`: what somebody
    /// has a handle of would go on counting into a metric that is gone.
    ///
    /// # Errors
    ///
    /// If the process has a recorder already, or this is not called inside a tokio runtime.
    pub fn with_recorder(self, builder: PrometheusBuilder) -> Result<Self, FacadeError> {
        let runtime = Handle::try_current().map_err(|_| FacadeError::NoRuntime)?;
        let recorder = builder.build_recorder();
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

    /// Shows numbers only to those who bring `token`: `authorization: { credentials: … }` in the
    /// scrape configuration of Prometheus. The status page asks for it.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Lets the status page change limiters. Without this it changes nothing.
    ///
    /// # Errors
    ///
    /// If a limiter is named twice, has limits that are none, or the token is the one that
    /// [`with_token`](Self::with_token) was given before: who may look may not change.
    pub fn with_controls(mut self, controls: Controls) -> Result<Self, ControlsError> {
        controls.check(self.token.as_ref())?;
        self.controls = Some(Arc::new(controls));
        Ok(self)
    }

    /// Lets [`serve`](Self::serve) listen on other addresses than loopback without a
    /// [token](Self::with_token): the names of your components and how they fare can then be read by
    /// whoever reaches the port.
    #[must_use]
    pub const fn allow_remote(mut self) -> Self {
        self.allow_remote = true;
        self
    }

    /// The page now, in the text format. Takes milliseconds with hundreds of series: keep it off the
    /// threads that serve requests, as [`routes`](Self::routes) does.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_as(Format::Text)
    }

    /// As [`render`](Self::render), in another format.
    #[must_use]
    pub fn render_as(&self, format: Format) -> String {
        let started = Instant::now();
        let facade = self.facade.as_ref().map(PrometheusHandle::render).unwrap_or_default();
        let page = encode::page(facade, &self.registry.snapshot(), format);
        self.about.rendered(started.elapsed());
        page
    }

    /// A router with `GET /metrics` and the status page at `GET /floodway`, to merge into the
    /// application's. Do not put it behind the limiter that it reports on: an overloaded service must
    /// still be measurable. Who reaches the application reaches it: unlike [`serve`](Self::serve), it
    /// does not look at the address, so set a [token](Self::with_token) where strangers come by.
    ///
    /// However often pages are asked for, making them takes a fifth of one core at most: a tenth for
    /// metrics, a tenth for the status page, as long as a page takes less than a second. A page of metrics is begun after it was asked for; the
    /// status page shows samples that are taken every two seconds, from the call of this method on if
    /// it is inside a tokio runtime.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.bare_routes().with_state(())
    }

    pub(crate) fn bare_routes(&self) -> Router {
        let metrics = Router::new().route("/metrics", get(metrics)).with_state(self.clone());
        metrics.merge(status::routes(self))
    }

    /// What those get who do not bring the token.
    pub(crate) fn refuse(&self, headers: &HeaderMap) -> Option<Response> {
        let allowed = self.token.as_ref().is_none_or(|token| token.is_in(headers));
        (!allowed).then(|| {
            self.about.refused(Refusal::Unauthorized);
            let text = "the token that allows to look is missing or wrong";
            answer::error(StatusCode::UNAUTHORIZED, text)
        })
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(crate) fn deliver(
        &self,
        page: Result<Bytes, NoPage>,
        kind: &'static str,
        what: Delivered,
    ) -> Response {
        match page {
            Ok(page) => {
                self.about.delivered(what);
                let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
                (headers, page).into_response()
            }
            Err(NoPage::Busy) => {
                self.about.refused(Refusal::Busy);
                let text = "too many wait for this page already";
                answer::error(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            // A component panicked. An empty page would look like a healthy scrape.
            Err(NoPage::Failed) => {
                answer::error(StatusCode::INTERNAL_SERVER_ERROR, "a component panicked")
            }
        }
    }
}

/// `GET metrics`.
async fn metrics(State(exporter): State<Exporter>, headers: HeaderMap) -> Response {
    if let Some(refusal) = exporter.refuse(&headers) {
        return refusal;
    }
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let format = Format::accepted(accept);
    let made = exporter.clone();
    let page =
        exporter.metrics_pace.page(format as u64, move || made.render_as(format).into()).await;
    exporter.deliver(page, format.content_type(), format.into())
}

/// A router with `GET /metrics` and `GET /floodway` for `registry` alone: short for
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
    #[error("the metrics facade must be joined inside a tokio runtime")]
    NoRuntime,
    /// The recorder did not take the buckets.
    #[error("the recorder refused the bucket bounds")]
    Buckets(#[source] metrics_exporter_prometheus::BuildError),
}

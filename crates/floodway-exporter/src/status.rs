//! The status page: what the components do, for a browser, with nothing to install.

mod change;
mod charted;
mod control;
mod data;
mod findings;
mod history;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::{
    Exporter,
    about::{Delivered, Refusal},
    answer,
};

pub use control::{Controls, ControlsError};
pub(crate) use history::History;

/// Of a change; more is refused unread.
const MAX_BODY: usize = 64 * 1024;

/// The page loads what is beside it and nothing else, whatever finds its way into it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($file:literal, $kind:expr) => {
        (concat!("/floodway/", $file), $kind, include_str!(concat!("../assets/", $file)))
    };
}

/// What a browser loads: path, content type, content. None of it has numbers.
const ASSETS: &[(&str, &str, &str)] = &[
    ("/floodway", HTML, include_str!("../assets/index.html")),
    asset!("base.css", CSS),
    asset!("card.css", CSS),
    asset!("chart.css", CSS),
    asset!("controls.css", CSS),
    asset!("page.css", CSS),
    asset!("theme.css", CSS),
    asset!("uPlot.min.css", CSS),
    asset!("announcer.js", JAVASCRIPT),
    asset!("breakdown.js", JAVASCRIPT),
    asset!("card.js", JAVASCRIPT),
    asset!("chart.js", JAVASCRIPT),
    asset!("connection.js", JAVASCRIPT),
    asset!("controls.js", JAVASCRIPT),
    asset!("dialog.js", JAVASCRIPT),
    asset!("dom.js", JAVASCRIPT),
    asset!("findings.js", JAVASCRIPT),
    asset!("format.js", JAVASCRIPT),
    asset!("history.js", JAVASCRIPT),
    asset!("kinds.js", JAVASCRIPT),
    asset!("liveness.js", JAVASCRIPT),
    asset!("meter.js", JAVASCRIPT),
    asset!("page.js", JAVASCRIPT),
    asset!("plot.js", JAVASCRIPT),
    asset!("section.js", JAVASCRIPT),
    asset!("server.js", JAVASCRIPT),
    asset!("severity.js", JAVASCRIPT),
    asset!("status.js", JAVASCRIPT),
    asset!("uPlot.iife.min.js", JAVASCRIPT),
    asset!("words.js", JAVASCRIPT),
];

/// The page, its data and its controls.
pub(crate) fn routes(exporter: &Exporter) -> Router {
    let assets = ASSETS.iter().fold(Router::new(), |router, &(path, kind, content)| {
        router.route(path, get(async move || asset(kind, content)))
    });
    let live = Router::new()
        .route("/floodway/data", get(data))
        .route("/floodway/control", post(control::control))
        // Relative links on the page start beside it.
        .route("/floodway/", get(async || Redirect::permanent("../floodway")))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(exporter.clone());
    // So that there is a history before somebody looks. Outside of a runtime, it begins then.
    if let Ok(runtime) = Handle::try_current() {
        exporter.history.start(&runtime);
    }
    assets.merge(live)
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the service has another page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}

#[derive(Debug, Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

/// `GET floodway/data`.
async fn data(
    State(exporter): State<Exporter>,
    headers: HeaderMap,
    from: Result<Query<Since>, QueryRejection>,
) -> Response {
    if let Some(refusal) = exporter.refuse(&headers) {
        return refusal;
    }
    let since = match from {
        Ok(Query(Since { since })) => since,
        Err(error) => {
            exporter.about.refused(Refusal::Invalid);
            return answer::error(StatusCode::BAD_REQUEST, &error.body_text());
        }
    };
    exporter.history.start(&Handle::current());
    let (history, controls) = (Arc::clone(&exporter.history), exporter.controls.clone());
    let made = move || history.page(since, controls.as_deref()).into();
    let page = exporter.status_pace.page(since, made).await;
    exporter.deliver(page, "application/json", Delivered::Status)
}

//! A snapshot as a page, in the formats that Prometheus reads.

mod open_metrics;
mod text;

use floodway_metrics::Snapshot;

/// What a page is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Version 0.0.4 of the Prometheus text format.
    #[default]
    Text,
    /// `OpenMetrics` 1.0, which also has exemplars: a trace for each bucket of a histogram, if traces
    /// are recorded.
    OpenMetrics,
}

impl Format {
    /// The content type of the page.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What a client that accepts `accept` gets. Whoever can read `OpenMetrics` and says so, as
    /// Prometheus does, gets it: whatever the weights, its text formats come next.
    pub(crate) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }
}

/// A page with what is already on it in the text format, and `snapshot`.
pub(crate) fn page(mut page: String, snapshot: &Snapshot, format: Format) -> String {
    text::encode(snapshot, &mut page);
    match format {
        Format::Text => page,
        Format::OpenMetrics => open_metrics::from_text(&page, snapshot),
    }
}

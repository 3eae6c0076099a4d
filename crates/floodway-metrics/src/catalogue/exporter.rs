//! The exporter's metrics about itself.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// The version that runs.
pub static VERSION: Label = Label { name: "version", values: &[env!("CARGO_PKG_VERSION")] };

/// How a page was asked for.
pub static FORMAT: Label = Label { name: "format", values: &["text", "open_metrics", "status"] };

/// Why a request was refused.
pub static REFUSAL: Label =
    Label { name: "reason", values: &["unauthorized", "busy", "too_large", "invalid"] };

/// What became of an export.
pub static EXPORT_RESULT: Label = Label { name: "result", values: &["ok", "failed"] };

metrics! { Exporter;
    /// Time series in this snapshot, a histogram counting as one.
    SERIES = "exporter_series", Kind::Gauge, Series;
    /// Components, or uses of one that is shared by name, folded into `_other` because their kind had too many names.
    OVERFLOW = "exporter_overflow_total", Kind::Counter, Events;
    /// Time to render one page of metrics.
    RENDER_DURATION = "exporter_render_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Pages that were answered, by what was asked for.
    SCRAPES = "exporter_scrapes_total", Kind::Counter, Requests, labels: &[&FORMAT];
    /// Requests that were refused, by reason.
    REFUSED = "exporter_refused_total", Kind::Counter, Requests, labels: &[&REFUSAL];
    /// Exports over OTLP that ended, by result.
    EXPORTS = "exporter_exports_total", Kind::Counter, Events, labels: &[&EXPORT_RESULT];
    /// Always 1; says which version runs.
    BUILD_INFO = "build_info", Kind::Gauge, Info, labels: &[&VERSION];
}

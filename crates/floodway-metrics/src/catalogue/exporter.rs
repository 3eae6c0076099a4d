//! The exporter's metrics about itself.

use super::metrics;
use crate::{Buckets, Kind, Label};

/// The version that runs.
pub static VERSION: Label = Label { name: "version", values: &[env!("CARGO_PKG_VERSION")] };

metrics! { Exporter;
    /// Time series in this snapshot, a histogram counting as one.
    SERIES = "exporter_series", Kind::Gauge, Series;
    /// Components, or uses of one that is shared by name, folded into `_other` because their kind had too many names.
    OVERFLOW = "exporter_overflow_total", Kind::Counter, Events;
    /// Time to render one page of metrics.
    RENDER_DURATION = "exporter_render_duration_seconds", Kind::Histogram(Buckets::DURATIONS), Seconds;
    /// Always 1; says which version runs.
    BUILD_INFO = "build_info", Kind::Gauge, Info, labels: &[&VERSION];
}

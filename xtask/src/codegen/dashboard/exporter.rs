//! The last row of the limiter's dashboard: how the exporter itself fares.

use floodway_metrics::catalogue::exporter::{
    BUILD_INFO, OVERFLOW, RENDER_DURATION, SERIES, VERSION,
};

use super::{
    Line, Section,
    panel::{Draft, Text},
};
use crate::codegen::promql::{gauge, quantile, rate};

/// The exporter has no name of its own; there is one per process.
const BY: &[&str] = &["instance"];

const NO_EXPORTER: &str = "No exporter matches: check Job and Instance above and the scrape.";

pub(super) fn section() -> Section {
    let series = Draft::time_series(Text {
        title: "Series",
        unit: "short",
        description: "Time series on the metrics page, a histogram counting as one.",
        no_value: NO_EXPORTER,
    })
    .query(gauge(&SERIES).max_by(BY), "{{instance}}");
    let folded = Draft::time_series(Text {
        title: "Folded names",
        unit: "ops",
        description: "Components per second that came too late for a series of their own and are \
            counted under `_other`. Anything but zero is a name that grows without bound.",
        no_value: NO_EXPORTER,
    })
    .query(rate(&OVERFLOW).sum_by(BY), "{{instance}}");
    let render = Draft::time_series(Text {
        title: "Render p99",
        unit: "s",
        description: "Time to write one metrics page that 99 of 100 scrapes stay below.",
        no_value: "Nothing was rendered: check that Prometheus scrapes the metrics page.",
    })
    .query(quantile(0.99, BY, &RENDER_DURATION), "{{instance}}");
    let versions = Draft::time_series(Text {
        title: "Versions",
        unit: "short",
        description: "How many instances run which version. More than one line is a rollout.",
        no_value: NO_EXPORTER,
    })
    .query(gauge(&BUILD_INFO).count_by(&[VERSION.name]), "{{version}}");
    let line = Line { height: 6, panels: vec![series, folded, render, versions] };
    Section { title: "Exporter", lines: vec![line] }
}

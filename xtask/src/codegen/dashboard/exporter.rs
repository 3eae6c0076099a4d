//! The exporter's dashboard: whether the numbers of all others can be trusted.

use floodway_metrics::catalogue::exporter::{
    BUILD_INFO, EXPORT_RESULT, EXPORTS, FORMAT, OVERFLOW, REFUSAL, REFUSED, RENDER_DURATION,
    SCRAPES, SERIES, VERSION,
};

use super::{
    Content, FEW, Line, Section,
    panel::{Draft, Nothing, Text},
};
use crate::codegen::{
    grafana::Dashboard,
    promql::{gauge, quantile, rate, rate_where},
};

pub(super) const UID: &str = "floodway-exporter";

/// The exporter has no name of its own; there is one per process.
const BY: &[&str] = &["instance"];

const NO_EXPORTER: Nothing = Nothing {
    short: "no exporter",
    check: "No exporter matches: check Job and Instance above and the scrape.",
};
const NO_RENDER: Nothing = Nothing {
    short: "no scrapes",
    check: "Nothing was rendered: check that Prometheus scrapes the metrics page.",
};

pub(super) fn dashboard() -> Dashboard {
    super::dashboard(Content {
        uid: UID,
        title: "Floodway / Exporter",
        description: "Whether the numbers of the other dashboards arrive, what they cost, and \
            which versions they come from.",
        components: vec![&BUILD_INFO],
        objective: false,
        links: Vec::new(),
        sections: vec![
            Section::open("At a glance", vec![glance()]),
            Section::open("Who asks, and what is refused", vec![requests()]),
            Section::open("What it costs", vec![costs()]),
        ],
    })
}

fn glance() -> Line {
    let instances = Draft::stat(Text {
        title: "Instances",
        unit: "short",
        description: "Processes that export. Good: as many as you run. Fewer: one has crashed, or \
            Prometheus does not reach it; look at its targets.",
        no_value: NO_EXPORTER,
    })
    .query(gauge(&BUILD_INFO).number(), "instances");
    let render = Draft::stat(Text {
        title: "Render p99",
        unit: "s",
        description: "Time to write one metrics page that 99 of 100 stay below. Good: \
            milliseconds. Near the timeout of the scrape, points go missing: look for a name \
            without bound in Series.",
        no_value: NO_RENDER,
    })
    .query(quantile(0.99, &[], &RENDER_DURATION).numbers(), "p99")
    .bad_above(0.1, 1.0);
    let refused = Draft::stat(Text {
        title: "Refused",
        unit: "reqps",
        description: "Requests to the exporter that were refused per second. Good: zero. Anything \
            else: Refused by reason says who to look for.",
        no_value: NO_EXPORTER,
    })
    .query(rate(&REFUSED).sum(), "refused")
    .bad_from(FEW);
    let failed = Draft::stat(Text {
        title: "Failed exports",
        unit: "ops",
        description: "Exports over OTLP per second that failed. Good: zero, also where nothing is \
            exported that way. Otherwise the collector is down, or refuses them: see its log.",
        no_value: NO_EXPORTER,
    })
    .query(rate_where(&EXPORTS, &EXPORT_RESULT, &["failed"]).sum(), "failed")
    .bad_from(FEW);
    Line { height: 4, panels: vec![instances, render, refused, failed] }
}

fn requests() -> Line {
    let scrapes = Draft::time_series(Text {
        title: "Scrapes by format",
        unit: "reqps",
        description: "Pages answered per second. Good: as constant as the interval of the scrape. \
            More than that: a second Prometheus, or somebody who asks by hand. Status is the page \
            for people, which asks every few seconds while it is open.",
        no_value: NO_EXPORTER,
    })
    .query(rate(&SCRAPES).sum_by(&[FORMAT.name]), "{{format}}");
    let refused = Draft::time_series(Text {
        title: "Refused by reason",
        unit: "reqps",
        description: "Requests refused per second. Good: none. Unauthorized: a token is missing \
            or wrong, or somebody tries. Busy: more ask at once than is allowed, so scrape less \
            often or from fewer places. Too large or invalid: whoever changes limits sends what \
            cannot be read.",
        no_value: NO_EXPORTER,
    })
    .query(rate(&REFUSED).sum_by(&[REFUSAL.name]), "{{reason}}")
    .stacked();
    let exports = Draft::time_series(Text {
        title: "Exports by result",
        unit: "ops",
        description: "Exports over OTLP per second. Good: a steady line of ok, or zeros where \
            Prometheus scrapes instead. Failed: the collector is down, refuses them, or takes too \
            long.",
        no_value: NO_EXPORTER,
    })
    .query(rate(&EXPORTS).sum_by(&[EXPORT_RESULT.name]), "{{result}}");
    Line { height: 9, panels: vec![scrapes, refused, exports] }
}

fn costs() -> Line {
    let series = Draft::time_series(Text {
        title: "Series",
        unit: "short",
        description: "Time series on the metrics page, a histogram counting as one. Good: flat \
            after the start. Growing for hours: components are built with ever new names; give \
            them names from a closed list.",
        no_value: NO_EXPORTER,
    })
    .query(gauge(&SERIES).max_by(BY), "{{instance}}");
    let folded = Draft::time_series(Text {
        title: "Folded names",
        unit: "ops",
        description: "Components per second that came too late for a series of their own and are \
            counted under `_other`. Good: zero. Anything else is a name that grows without bound: \
            its numbers are still right in sum, but no longer its own.",
        no_value: NO_EXPORTER,
    })
    .query(rate(&OVERFLOW).sum_by(BY), "{{instance}}");
    let render = Draft::time_series(Text {
        title: "Render",
        unit: "s",
        description: "Time to write one metrics page. Good: milliseconds, and in step with \
            Series. Longer without more series: the process has no processor time left, see its \
            other numbers.",
        no_value: NO_RENDER,
    })
    .percentiles(&RENDER_DURATION);
    let versions = Draft::time_series(Text {
        title: "Versions",
        unit: "short",
        description: "How many instances run which version. Good: one line. More than one is a \
            rollout; for hours, one that got stuck.",
        no_value: NO_EXPORTER,
    })
    .query(gauge(&BUILD_INFO).count_by(&[VERSION.name]), "{{version}}");
    Line { height: 9, panels: vec![series, folded, render, versions] }
}

//! The Grafana dashboards: what all of them share.

mod batcher;
mod exporter;
mod fan_out;
mod fleet;
mod layout;
mod limiter;
mod overview;
mod panel;
mod pool;
#[cfg(test)]
mod rules;
mod variables;

use floodway_metrics::{Metric, catalogue::exporter::BUILD_INFO};
use layout::{Line, Section};

use super::{
    grafana::{Annotation, Annotations, Dashboard, Datasource, Link, Templating, TimeRange},
    promql::{firing_alerts, gauge, gauge_before},
};

/// Per second, of what should not happen at all: about four in an hour.
const FEW: f64 = 0.001;

/// The path and content of each dashboard.
pub(super) fn all() -> [(&'static str, Dashboard); 7] {
    [
        ("dashboards/overview.json", overview::dashboard()),
        ("dashboards/limiter.json", limiter::dashboard()),
        ("dashboards/pool.json", pool::dashboard()),
        ("dashboards/fleet.json", fleet::dashboard()),
        ("dashboards/fan-out.json", fan_out::dashboard()),
        ("dashboards/batcher.json", batcher::dashboard()),
        ("dashboards/exporter.json", exporter::dashboard()),
    ]
}

/// What differs between dashboards.
struct Content {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    /// A metric that every component has, for each kind that is shown; its series fill the
    /// variables.
    components: Vec<&'static Metric>,
    /// Whether one chooses the share of requests that should be admitted.
    objective: bool,
    /// At the top; without any, there is one to each other dashboard.
    links: Vec<Link>,
    sections: Vec<Section>,
}

fn dashboard(content: Content) -> Dashboard {
    let links = if content.links.is_empty() { vec![all_others()] } else { content.links };
    Dashboard {
        uid: content.uid,
        title: content.title,
        description: content.description,
        tags: vec!["floodway"],
        schema_version: 39,
        editable: false,
        graph_tooltip: 1,
        refresh: "30s",
        timezone: "browser",
        time: TimeRange { from: "now-1h", to: "now" },
        links,
        annotations: Annotations { list: vec![deploys(), alerts()] },
        templating: Templating { list: variables::list(&content.components, content.objective) },
        panels: layout::place(content.sections),
    }
}

/// The address of a dashboard, for the same time range and choices.
fn target_of(uid: &str) -> String {
    format!("/d/{uid}?${{__url_time_range}}&${{__all_variables}}")
}

fn all_others() -> Link {
    Link::Dashboards {
        title: "Floodway",
        tags: vec!["floodway"],
        as_dropdown: false,
        include_vars: true,
        keep_time: true,
    }
}

/// Marks where a version runs that did not run five minutes before.
fn deploys() -> Annotation {
    let by = ["job", "version"];
    let now = gauge(&BUILD_INFO).count_by(&by);
    let before = gauge_before(&BUILD_INFO, "5m").count_by(&by);
    Annotation {
        name: "Deploys",
        datasource: Datasource::CHOSEN,
        enable: true,
        icon_color: "blue",
        expr: now.not_in(&before).to_string(),
        step: "60s",
        title_format: "Deploy of {{version}}",
        text_format: "{{job}} runs {{version}}",
        tag_keys: "job,version",
    }
}

fn alerts() -> Annotation {
    Annotation {
        name: "Alerts",
        datasource: Datasource::CHOSEN,
        enable: true,
        icon_color: "red",
        expr: firing_alerts().to_string(),
        step: "60s",
        title_format: "{{alertname}}",
        text_format: "{{job}} {{limiter}}{{pool}}{{budget}}{{fan_out}}{{batcher}}",
        tag_keys: "alertname,severity",
    }
}

//! The Grafana dashboards: what all of them share.

mod batcher;
mod exporter;
mod fan_out;
mod limiter;
mod panel;
mod pool;
#[cfg(test)]
mod rules;

use floodway_metrics::Metric;
use panel::Draft;

use super::{
    grafana::{
        Current, Dashboard, Datasource, GridPos, Item, Link, Row, Templating, TimeRange, Variable,
    },
    promql::name_label,
    title,
};

/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;

/// The path and content of each dashboard.
pub(super) fn all() -> [(&'static str, Dashboard); 4] {
    [
        ("dashboards/limiter.json", limiter::dashboard()),
        ("dashboards/pool.json", pool::dashboard()),
        ("dashboards/fan-out.json", fan_out::dashboard()),
        ("dashboards/batcher.json", batcher::dashboard()),
    ]
}

/// What differs between dashboards.
struct Content {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    /// A metric that every component has; its series fill the variables.
    anchor: &'static Metric,
    sections: Vec<Section>,
}

/// A titled row and the lines of panels below it.
struct Section {
    title: &'static str,
    lines: Vec<Line>,
}

/// Panels side by side, which share the width evenly.
struct Line {
    /// In grid rows of 30 pixels.
    height: u32,
    panels: Vec<Draft>,
}

fn dashboard(content: Content) -> Dashboard {
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
        links: vec![Link {
            kind: "dashboards",
            title: "Floodway",
            tags: vec!["floodway"],
            as_dropdown: false,
            include_vars: true,
            keep_time: true,
        }],
        templating: Templating { list: variables(content.anchor) },
        panels: layout(content.sections),
    }
}

/// Each variable narrows what the next one offers.
fn variables(anchor: &Metric) -> Vec<Variable> {
    let mut list = vec![Variable::Datasource {
        name: "datasource",
        label: "Data source",
        query: "prometheus",
    }];
    let mut chosen: Vec<String> = Vec::new();
    for name in ["job", "instance", name_label(anchor.component)] {
        let selector = match chosen.as_slice() {
            [] => String::new(),
            matchers => format!("{{{}}}", matchers.join(", ")),
        };
        list.push(Variable::Query {
            name,
            label: title(name),
            datasource: Datasource::CHOSEN,
            query: format!("label_values({}{selector}, {name})", anchor.name),
            multi: true,
            include_all: true,
            all_value: ".+",
            current: Current { text: "All", value: "$__all" },
            // When the time range changes, so that components which are gone can be chosen.
            refresh: 2,
            sort: 1,
        });
        chosen.push(format!("{name}=~\"${name}\""));
    }
    list
}

/// Gives every row and panel its place, from the top left, and its number.
fn layout(sections: Vec<Section>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut ids = 1..;
    let mut id = || ids.next().unwrap_or_default();
    let mut y = 0;
    for section in sections {
        items.push(Item::Row(Row {
            id: id(),
            kind: "row",
            title: section.title,
            collapsed: false,
            grid_pos: GridPos { x: 0, y, w: COLUMNS, h: 1 },
            panels: [],
        }));
        y += 1;
        for line in section.lines {
            let count = u32::try_from(line.panels.len()).unwrap_or(u32::MAX);
            assert!(COLUMNS.is_multiple_of(count), "{count} panels do not share {COLUMNS} columns");
            let w = COLUMNS / count;
            for (panel, x) in line.panels.into_iter().zip((0..COLUMNS).step_by(w as usize)) {
                let grid_pos = GridPos { x, y, w, h: line.height };
                items.push(Item::Panel(Box::new(panel.place(id(), grid_pos))));
            }
            y += line.height;
        }
    }
    items
}

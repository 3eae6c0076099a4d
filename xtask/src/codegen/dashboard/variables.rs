//! What one chooses at the top of a dashboard.

use floodway_metrics::Metric;

use crate::codegen::{
    grafana::{Choice, Current, Datasource, Variable},
    title,
};

/// Shares of requests that should be admitted, the usual one in the middle.
const OBJECTIVES: [&str; 3] = ["0.99", "0.999", "0.9999"];
const USUAL_OBJECTIVE: &str = OBJECTIVES[1];

/// The data source, the job and instance of the first of `components`, the name of each, and the
/// objective.
pub(super) fn list(components: &[&Metric], objective: bool) -> Vec<Variable> {
    let mut list = vec![Variable::Datasource {
        name: "datasource",
        label: "Data source",
        query: "prometheus",
    }];
    if let Some(first) = components.first() {
        list.push(query("job", first, &[]));
        list.push(query("instance", first, &["job"]));
    }
    for metric in components {
        list.extend(metric.component.label().map(|name| query(name, metric, &["job", "instance"])));
    }
    if objective {
        list.push(objectives());
    }
    list
}

/// The values of the label `name`, among what was chosen by the variables `narrowed_by`.
fn query(name: &'static str, metric: &Metric, narrowed_by: &[&str]) -> Variable {
    let matchers: Vec<_> = narrowed_by.iter().map(|by| format!("{by}=~\"${by}\"")).collect();
    let selector =
        if matchers.is_empty() { String::new() } else { format!("{{{}}}", matchers.join(", ")) };
    Variable::Query {
        name,
        label: title(name),
        datasource: Datasource::CHOSEN,
        query: format!("label_values({}{selector}, {name})", metric.name),
        multi: true,
        include_all: true,
        all_value: ".+",
        current: Current { text: "All", value: "$__all" },
        // When the time range changes, so that components which are gone can be chosen.
        refresh: 2,
        sort: 1,
    }
}

fn objectives() -> Variable {
    let choice = |value| Choice { selected: value == USUAL_OBJECTIVE, text: value, value };
    Variable::Custom {
        name: "slo",
        label: "Objective",
        query: OBJECTIVES.join(","),
        options: OBJECTIVES.map(choice).into(),
        multi: false,
        include_all: false,
        current: Current { text: USUAL_OBJECTIVE, value: USUAL_OBJECTIVE },
    }
}

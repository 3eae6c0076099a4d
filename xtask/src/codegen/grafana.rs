//! The part of Grafana's classic dashboard schema, version 39, that our dashboards use.

use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dashboard {
    pub(super) uid: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) tags: Vec<&'static str>,
    pub(super) schema_version: u32,
    pub(super) editable: bool,
    pub(super) graph_tooltip: u32,
    pub(super) refresh: &'static str,
    pub(super) timezone: &'static str,
    pub(super) time: TimeRange,
    pub(super) links: Vec<Link>,
    pub(super) templating: Templating,
    pub(super) panels: Vec<Item>,
}

#[derive(Debug, Serialize)]
pub(super) struct TimeRange {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// Links to all dashboards with a tag.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) tags: Vec<&'static str>,
    pub(super) as_dropdown: bool,
    pub(super) include_vars: bool,
    pub(super) keep_time: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Templating {
    pub(super) list: Vec<Variable>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Variable {
    Datasource {
        name: &'static str,
        label: &'static str,
        query: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    Query {
        name: &'static str,
        label: String,
        datasource: Datasource,
        /// A string: the object form is not in the schema that Grafana checks against.
        query: String,
        multi: bool,
        include_all: bool,
        all_value: &'static str,
        current: Current,
        refresh: u32,
        sort: u32,
    },
}

/// What a variable selects until somebody chooses.
#[derive(Debug, Serialize)]
pub(super) struct Current {
    pub(super) text: &'static str,
    pub(super) value: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Datasource {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) uid: &'static str,
}

impl Datasource {
    /// Whatever the dashboard's first variable selects.
    pub(super) const CHOSEN: Self = Self { kind: "prometheus", uid: "${datasource}" };
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Item {
    Row(Row),
    Panel(Box<Panel>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) id: u32,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) collapsed: bool,
    pub(super) grid_pos: GridPos,
    /// Only a collapsed row holds its panels.
    pub(super) panels: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Panel {
    pub(super) id: u32,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) datasource: Datasource,
    pub(super) grid_pos: GridPos,
    pub(super) targets: Vec<Target>,
    pub(super) field_config: FieldConfig,
    pub(super) options: Options,
}

/// Place and size, in the 24 columns and the rows of the grid.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct GridPos {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    pub(super) ref_id: String,
    pub(super) datasource: Datasource,
    pub(super) expr: String,
    pub(super) legend_format: String,
    pub(super) format: &'static str,
    pub(super) instant: bool,
    pub(super) range: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct FieldConfig {
    pub(super) defaults: FieldDefaults,
    pub(super) overrides: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldDefaults {
    pub(super) unit: &'static str,
    /// Shown where there is no data; says what to check.
    pub(super) no_value: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<f64>,
    pub(super) color: Color,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thresholds: Option<Thresholds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custom: Option<Custom>,
}

#[derive(Debug, Serialize)]
pub(super) struct Color {
    pub(super) mode: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Thresholds {
    pub(super) mode: &'static str,
    pub(super) steps: Vec<Step>,
}

/// A colour from a value on; `None` is from minus infinity.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) color: &'static str,
    pub(super) value: Option<f64>,
}

/// How a time series is drawn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Custom {
    pub(super) line_width: u32,
    pub(super) fill_opacity: u32,
    pub(super) show_points: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stacking: Option<Stacking>,
    pub(super) thresholds_style: ThresholdsStyle,
}

#[derive(Debug, Serialize)]
pub(super) struct Stacking {
    pub(super) mode: &'static str,
    pub(super) group: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct ThresholdsStyle {
    pub(super) mode: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Options {
    #[serde(rename_all = "camelCase")]
    Stat {
        color_mode: &'static str,
        graph_mode: &'static str,
        text_mode: &'static str,
        reduce_options: Reduce,
    },
    TimeSeries {
        legend: Legend,
        tooltip: Tooltip,
    },
    #[serde(rename_all = "camelCase")]
    Heatmap {
        calculate: bool,
        y_axis: YAxis,
        legend: Show,
        tooltip: Tooltip,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Reduce {
    pub(super) calcs: Vec<&'static str>,
    pub(super) values: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Legend {
    pub(super) display_mode: &'static str,
    pub(super) placement: &'static str,
    pub(super) show_legend: bool,
    pub(super) calcs: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tooltip {
    pub(super) mode: &'static str,
    pub(super) sort: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct YAxis {
    pub(super) unit: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Show {
    pub(super) show: bool,
}

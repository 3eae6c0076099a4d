//! The part of Grafana's classic dashboard schema, version 39, that our dashboards use.

mod panel;

use serde::Serialize;

pub(super) use panel::{
    Color, Custom, DataLink, FieldConfig, FieldDefaults, Legend, LineStyle, Mapping, Matcher,
    Options, Override, Panel, Property, Reduce, Scale, Show, Shown, Special, Stacking, Step,
    Target, Thresholds, ThresholdsStyle, Tooltip, YAxis,
};

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
    pub(super) annotations: Annotations,
    pub(super) templating: Templating,
    pub(super) panels: Vec<Item>,
}

#[derive(Debug, Serialize)]
pub(super) struct TimeRange {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// A link at the top of a dashboard.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Link {
    /// To all dashboards with a tag.
    #[serde(rename_all = "camelCase")]
    Dashboards {
        title: &'static str,
        tags: Vec<&'static str>,
        as_dropdown: bool,
        include_vars: bool,
        keep_time: bool,
    },
    /// To one place.
    Link { title: &'static str, tooltip: &'static str, icon: &'static str, url: String },
}

#[derive(Debug, Serialize)]
pub(super) struct Annotations {
    pub(super) list: Vec<Annotation>,
}

/// A query whose results are marks in time on every panel.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Annotation {
    pub(super) name: &'static str,
    pub(super) datasource: Datasource,
    pub(super) enable: bool,
    pub(super) icon_color: &'static str,
    pub(super) expr: String,
    pub(super) step: &'static str,
    pub(super) title_format: &'static str,
    pub(super) text_format: &'static str,
    pub(super) tag_keys: &'static str,
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
    #[serde(rename_all = "camelCase")]
    Custom {
        name: &'static str,
        label: &'static str,
        /// The values, separated by commas.
        query: String,
        options: Vec<Choice>,
        multi: bool,
        include_all: bool,
        current: Current,
    },
}

/// A value of a variable that may be chosen.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    pub(super) selected: bool,
    pub(super) text: &'static str,
    pub(super) value: &'static str,
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
    /// The panels of a collapsed row; those of an open one follow it in the dashboard's list.
    pub(super) panels: Vec<Panel>,
}

/// Place and size, in the 24 columns and the rows of the grid.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct GridPos {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

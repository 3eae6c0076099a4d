//! The part of the schema that describes a panel.

use serde::Serialize;

use super::{Datasource, GridPos};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::codegen) struct Panel {
    pub(in crate::codegen) id: u32,
    #[serde(rename = "type")]
    pub(in crate::codegen) kind: &'static str,
    pub(in crate::codegen) title: &'static str,
    pub(in crate::codegen) description: &'static str,
    /// A text has none, as nothing is asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) datasource: Option<Datasource>,
    pub(in crate::codegen) grid_pos: GridPos,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::codegen) targets: Vec<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) field_config: Option<FieldConfig>,
    pub(in crate::codegen) options: Options,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::codegen) struct Target {
    pub(in crate::codegen) ref_id: String,
    pub(in crate::codegen) datasource: Datasource,
    pub(in crate::codegen) expr: String,
    pub(in crate::codegen) legend_format: String,
    pub(in crate::codegen) format: &'static str,
    pub(in crate::codegen) instant: bool,
    pub(in crate::codegen) range: bool,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct FieldConfig {
    pub(in crate::codegen) defaults: FieldDefaults,
    pub(in crate::codegen) overrides: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::codegen) struct FieldDefaults {
    pub(in crate::codegen) unit: &'static str,
    /// Shown where there is no data; says what to check.
    pub(in crate::codegen) no_value: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) max: Option<f64>,
    pub(in crate::codegen) color: Color,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) thresholds: Option<Thresholds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) custom: Option<Custom>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::codegen) links: Vec<DataLink>,
}

/// Where a click on a value leads.
#[derive(Debug, Serialize)]
pub(in crate::codegen) struct DataLink {
    pub(in crate::codegen) title: &'static str,
    pub(in crate::codegen) url: String,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Color {
    pub(in crate::codegen) mode: &'static str,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Thresholds {
    pub(in crate::codegen) mode: &'static str,
    pub(in crate::codegen) steps: Vec<Step>,
}

/// A colour from a value on; `None` is from minus infinity.
#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Step {
    pub(in crate::codegen) color: &'static str,
    pub(in crate::codegen) value: Option<f64>,
}

/// How a time series is drawn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::codegen) struct Custom {
    pub(in crate::codegen) line_width: u32,
    pub(in crate::codegen) fill_opacity: u32,
    pub(in crate::codegen) show_points: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) stacking: Option<Stacking>,
    pub(in crate::codegen) thresholds_style: ThresholdsStyle,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Stacking {
    pub(in crate::codegen) mode: &'static str,
    pub(in crate::codegen) group: &'static str,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct ThresholdsStyle {
    pub(in crate::codegen) mode: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::codegen) enum Options {
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
    Text {
        mode: &'static str,
        content: String,
    },
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Reduce {
    pub(in crate::codegen) calcs: Vec<&'static str>,
    pub(in crate::codegen) values: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::codegen) struct Legend {
    pub(in crate::codegen) display_mode: &'static str,
    pub(in crate::codegen) placement: &'static str,
    pub(in crate::codegen) show_legend: bool,
    pub(in crate::codegen) calcs: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Tooltip {
    pub(in crate::codegen) mode: &'static str,
    /// Of several series; a heatmap has cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) sort: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct YAxis {
    pub(in crate::codegen) unit: &'static str,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Show {
    pub(in crate::codegen) show: bool,
}

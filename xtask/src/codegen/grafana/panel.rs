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
    pub(in crate::codegen) description: String,
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
    pub(in crate::codegen) overrides: Vec<Override>,
}

/// What differs for some of the series.
#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Override {
    pub(in crate::codegen) matcher: Matcher,
    pub(in crate::codegen) properties: Vec<Property>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "id", content = "options")]
pub(in crate::codegen) enum Matcher {
    /// All series of the target with this reference.
    #[serde(rename = "byFrameRefID")]
    Target(String),
    /// Series whose name in the legend matches, between slashes.
    #[serde(rename = "byRegexp")]
    Regexp(String),
}

#[derive(Debug, Serialize)]
#[serde(tag = "id", content = "value")]
pub(in crate::codegen) enum Property {
    #[serde(rename = "color")]
    Color(Color),
    #[serde(rename = "custom.fillOpacity")]
    FillOpacity(u32),
    #[serde(rename = "custom.lineStyle")]
    LineStyle(LineStyle),
    #[serde(rename = "custom.stacking")]
    Stacking(Stacking),
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct LineStyle {
    pub(in crate::codegen) fill: &'static str,
    /// Lengths of what is drawn and what is left out, in pixels.
    pub(in crate::codegen) dash: [u32; 2],
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::codegen) mappings: Vec<Mapping>,
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
#[serde(tag = "mode", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(in crate::codegen) enum Color {
    /// By the value.
    Thresholds,
    /// By the place among the series.
    PaletteClassic,
    Fixed {
        fixed_color: &'static str,
    },
}

/// What is shown instead of a value.
#[derive(Debug, Serialize)]
#[serde(tag = "type", content = "options", rename_all = "camelCase")]
pub(in crate::codegen) enum Mapping {
    Special(Special),
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Special {
    #[serde(rename = "match")]
    pub(in crate::codegen) values: &'static str,
    pub(in crate::codegen) result: Shown,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Shown {
    pub(in crate::codegen) text: &'static str,
    pub(in crate::codegen) color: &'static str,
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
    pub(in crate::codegen) line_interpolation: &'static str,
    pub(in crate::codegen) fill_opacity: u32,
    pub(in crate::codegen) show_points: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) stacking: Option<Stacking>,
    /// The end of the axis unless a value is higher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) axis_soft_max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::codegen) scale_distribution: Option<Scale>,
    pub(in crate::codegen) thresholds_style: ThresholdsStyle,
}

#[derive(Debug, Serialize)]
pub(in crate::codegen) struct Stacking {
    pub(in crate::codegen) mode: &'static str,
    pub(in crate::codegen) group: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub(in crate::codegen) enum Scale {
    /// Equal ratios are equally far apart; there is no zero.
    Log {
        /// The base.
        log: u32,
    },
    /// As above a threshold; below it, equal differences are.
    Symlog {
        /// The base.
        log: u32,
        linear_threshold: u32,
    },
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
    /// The title of a column.
    pub(in crate::codegen) sort_by: &'static str,
    pub(in crate::codegen) sort_desc: bool,
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

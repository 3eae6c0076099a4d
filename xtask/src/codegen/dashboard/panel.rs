//! A panel before it has a place: what it shows and how.

use floodway_metrics::Metric;

use super::target_of;
use crate::codegen::{
    grafana::{
        Color, Custom, DataLink, Datasource, FieldConfig, FieldDefaults, GridPos, Legend, Options,
        Panel, Reduce, Show, Stacking, Step, Target, Thresholds, ThresholdsStyle, Tooltip, YAxis,
    },
    promql::{Expr, name_label, quantile},
};

/// What a reader sees of a panel in words.
pub(super) struct Text {
    pub(super) title: &'static str,
    /// Grafana's name of the unit.
    pub(super) unit: &'static str,
    /// What it shows and what to make of it.
    pub(super) description: &'static str,
    /// What to check if it shows nothing.
    pub(super) no_value: &'static str,
}

pub(super) struct Draft {
    kind: Kind,
    text: Text,
    queries: Vec<(Expr, String)>,
    instant: bool,
    links: Vec<DataLink>,
    thresholds: Option<Vec<Step>>,
    max: Option<f64>,
    stacked: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Stat,
    TimeSeries,
    Heatmap,
    Text { content: String },
}

impl Draft {
    /// The last value, large.
    pub(super) fn stat(text: Text) -> Self {
        Self::new(Kind::Stat, text)
    }

    /// Lines over time.
    pub(super) fn time_series(text: Text) -> Self {
        Self::new(Kind::TimeSeries, text)
    }

    /// Buckets over time; the unit of [`Text`] is that of a cell.
    pub(super) fn heatmap(text: Text) -> Self {
        Self::new(Kind::Heatmap, text)
    }

    /// Words, in Markdown.
    pub(super) fn markdown(
        title: &'static str,
        description: &'static str,
        content: String,
    ) -> Self {
        let text = Text { title, unit: "", description, no_value: "" };
        Self::new(Kind::Text { content }, text)
    }

    fn new(kind: Kind, text: Text) -> Self {
        Self {
            kind,
            text,
            queries: Vec::new(),
            instant: false,
            links: Vec::new(),
            thresholds: None,
            max: None,
            stacked: false,
        }
    }

    pub(super) fn query(mut self, expr: Expr, legend: &str) -> Self {
        self.queries.push((expr, legend.to_owned()));
        self
    }

    /// Half, 95 and 99 of 100 observations of each component, where there are any.
    pub(super) fn percentiles(self, metric: &Metric) -> Self {
        let name = name_label(metric.component);
        [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")].into_iter().fold(self, |draft, (q, word)| {
            let expr = quantile(q, &[name], metric).numbers();
            draft.query(expr, &format!("{{{{{name}}}}} {word}"))
        })
    }

    /// Asks for the end of the time range alone, where a course over time would mean nothing.
    pub(super) fn instant(mut self) -> Self {
        self.instant = true;
        self
    }

    /// A click on a value leads to the dashboard `uid`.
    pub(super) fn details(mut self, title: &'static str, uid: &str) -> Self {
        self.links.push(DataLink { title, url: target_of(uid) });
        self
    }

    /// Values that are bad when high.
    pub(super) fn bad_above(self, warning: f64, critical: f64) -> Self {
        self.steps(vec![("green", None), ("orange", Some(warning)), ("red", Some(critical))])
    }

    /// Values that are bad when low.
    pub(super) fn bad_below(self, warning: f64, critical: f64) -> Self {
        self.steps(vec![("red", None), ("orange", Some(critical)), ("green", Some(warning))])
    }

    /// Values that are good only at zero.
    pub(super) fn bad_from(self, critical: f64) -> Self {
        self.steps(vec![("green", None), ("red", Some(critical))])
    }

    /// Values that are good in between.
    pub(super) fn good_between(self, low: f64, high: f64) -> Self {
        self.steps(vec![("orange", None), ("green", Some(low)), ("orange", Some(high))])
    }

    fn steps(mut self, steps: Vec<(&'static str, Option<f64>)>) -> Self {
        self.thresholds =
            Some(steps.into_iter().map(|(color, value)| Step { color, value }).collect());
        self
    }

    /// The end of the scale, where there is a natural one.
    pub(super) fn up_to(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// Lines on top of one another, for parts of a whole.
    pub(super) fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    pub(super) fn place(self, id: u32, grid_pos: GridPos) -> Panel {
        let kind = match self.kind {
            Kind::Stat => "stat",
            Kind::TimeSeries => "timeseries",
            Kind::Heatmap => "heatmap",
            Kind::Text { .. } => "text",
        };
        let is_text = matches!(self.kind, Kind::Text { .. });
        let format = if self.kind == Kind::Heatmap { "heatmap" } else { "time_series" };
        let defaults = FieldDefaults {
            unit: self.text.unit,
            no_value: self.text.no_value,
            min: (self.kind == Kind::TimeSeries).then_some(0.0),
            max: self.max,
            color: self.color(),
            custom: self.custom(),
            thresholds: self.thresholds.map(|steps| Thresholds { mode: "absolute", steps }),
            links: self.links,
        };
        let targets = ('A'..).zip(self.queries).map(|(letter, (expr, legend_format))| Target {
            ref_id: letter.to_string(),
            datasource: Datasource::CHOSEN,
            expr: expr.to_string(),
            legend_format,
            format,
            instant: self.instant,
            range: !self.instant,
        });
        Panel {
            id,
            kind,
            title: self.text.title,
            description: self.text.description,
            datasource: (!is_text).then_some(Datasource::CHOSEN),
            grid_pos,
            targets: targets.collect(),
            field_config: (!is_text).then_some(FieldConfig { defaults, overrides: [] }),
            options: options(self.kind, self.instant),
        }
    }

    fn color(&self) -> Color {
        let by_value = self.kind == Kind::Stat && self.thresholds.is_some();
        Color { mode: if by_value { "thresholds" } else { "palette-classic" } }
    }

    fn custom(&self) -> Option<Custom> {
        let style = if self.thresholds.is_some() { "dashed" } else { "off" };
        (self.kind == Kind::TimeSeries).then_some(Custom {
            line_width: 1,
            fill_opacity: if self.stacked { 30 } else { 10 },
            show_points: "never",
            stacking: self.stacked.then_some(Stacking { mode: "normal", group: "A" }),
            thresholds_style: ThresholdsStyle { mode: style },
        })
    }
}

fn options(kind: Kind, instant: bool) -> Options {
    match kind {
        Kind::Stat => Options::Stat {
            color_mode: "value",
            // One point has no course.
            graph_mode: if instant { "none" } else { "area" },
            text_mode: "auto",
            reduce_options: Reduce { calcs: vec!["lastNotNull"], values: false },
        },
        Kind::TimeSeries => Options::TimeSeries {
            legend: Legend {
                display_mode: "table",
                placement: "bottom",
                show_legend: true,
                calcs: vec!["lastNotNull", "max"],
            },
            tooltip: Tooltip { mode: "multi", sort: Some("desc") },
        },
        Kind::Heatmap => Options::Heatmap {
            // The buckets come from the query.
            calculate: false,
            y_axis: YAxis { unit: "s" },
            legend: Show { show: true },
            tooltip: Tooltip { mode: "single", sort: None },
        },
        Kind::Text { content } => Options::Text { mode: "markdown", content },
    }
}

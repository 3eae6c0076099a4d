//! A panel before it has a place: what it shows and how.

mod draw;
mod lines;

use floodway_metrics::{Label, Metric};
use lines::Lines;

use super::target_of;
use crate::codegen::{
    grafana::{DataLink, Step},
    promql::{Expr, count_rate, name_label, quantile, sum_rate},
};

/// What a reader sees of a panel in words.
pub(super) struct Text {
    pub(super) title: &'static str,
    /// Grafana's name of the unit.
    pub(super) unit: &'static str,
    /// What it shows and what to make of it.
    pub(super) description: &'static str,
    /// Instead of a value, if there is none.
    pub(super) no_value: Nothing,
}

/// What a panel says without a value.
#[derive(Clone, Copy)]
pub(super) struct Nothing {
    /// In the large letters of a stat.
    pub(super) short: &'static str,
    /// What it means and what to check, in the middle of an empty graph.
    pub(super) check: &'static str,
}

pub(super) struct Draft {
    kind: Kind,
    text: Text,
    queries: Vec<Query>,
    instant: bool,
    links: Vec<DataLink>,
    thresholds: Option<Vec<Step>>,
    /// Whether to look at the lowest values first rather than the highest.
    low_is_bad: bool,
    max: Option<f64>,
    lines: Lines,
    /// Its share of a line's width.
    parts: u32,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Stat,
    TimeSeries,
    Heatmap,
    Text { content: String },
}

struct Query {
    expr: Expr,
    legend: String,
    /// Whether others are seen against it.
    is_bound: bool,
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
        let no_value = Nothing { short: "", check: "" };
        Self::new(Kind::Text { content }, Text { title, unit: "", description, no_value })
    }

    fn new(kind: Kind, text: Text) -> Self {
        Self {
            kind,
            text,
            queries: Vec::new(),
            instant: false,
            links: Vec::new(),
            thresholds: None,
            low_is_bad: false,
            max: None,
            lines: Lines::default(),
            parts: 1,
        }
    }

    pub(super) fn query(self, expr: Expr, legend: &str) -> Self {
        self.with(expr, legend, false)
    }

    /// A limit or another number that the values are seen against: dashed, and without a filling
    /// that would cover them.
    pub(super) fn bound(self, expr: Expr, legend: &str) -> Self {
        self.with(expr, legend, true)
    }

    fn with(mut self, expr: Expr, legend: &str, is_bound: bool) -> Self {
        self.queries.push(Query { expr, legend: legend.to_owned(), is_bound });
        self
    }

    /// What 99, 95 and half of 100 observations of each component stay below, where there are any.
    pub(super) fn percentiles(self, metric: &Metric) -> Self {
        self.quantiles(metric, &[(0.99, "p99"), (0.95, "p95"), (0.5, "p50")])
    }

    /// High quantiles and the mean of counts. Unlike the mean, a quantile is interpolated within a
    /// bucket: of ones alone, the half would be 0.5.
    pub(super) fn sizes(self, metric: &Metric) -> Self {
        let name = name_label(metric.component);
        let mean = sum_rate(metric).sum_by(&[name]).per(&count_rate(metric).sum_by(&[name]));
        self.quantiles(metric, &[(0.99, "p99"), (0.95, "p95")])
            .query(mean, &format!("{{{{{name}}}}} mean"))
    }

    fn quantiles(self, metric: &Metric, quantiles: &[(f64, &str)]) -> Self {
        let name = name_label(metric.component);
        quantiles.iter().fold(self, |draft, (q, word)| {
            let expr = quantile(*q, &[name], metric).numbers();
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
    pub(super) fn bad_below(mut self, warning: f64, critical: f64) -> Self {
        self.low_is_bad = true;
        self.steps(vec![("red", None), ("orange", Some(critical)), ("green", Some(warning))])
    }

    /// Values that are good only at zero.
    pub(super) fn bad_from(self, critical: f64) -> Self {
        self.steps(vec![("green", None), ("red", Some(critical))])
    }

    /// Values that are best at zero, and no harm for a while.
    pub(super) fn notable_from(self, warning: f64) -> Self {
        self.steps(vec![("green", None), ("orange", Some(warning))])
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
        self.lines = Lines::Stacked;
        self
    }

    /// How many are in which state: bands on top of one another, each in the colour of its state.
    /// There is one for each value of `label`, with which the legend ends.
    pub(super) fn states(mut self, label: &'static Label, colors: &'static [&'static str]) -> Self {
        assert_eq!(label.values.len(), colors.len(), "a colour for each {}", label.name);
        self.lines = Lines::States(label.values, colors);
        self
    }

    /// Equal ratios equally far apart, where both one and millions matter, and nothing is zero.
    pub(super) fn logarithmic(mut self) -> Self {
        self.lines = Lines::Logarithmic { zeros: false };
        self
    }

    /// As [`logarithmic`](Self::logarithmic), with room for zeros. Grafana labels every power of
    /// this scale, which is too many for millions.
    pub(super) fn logarithmic_from_zero(mut self) -> Self {
        self.lines = Lines::Logarithmic { zeros: true };
        self
    }

    /// Twice as wide as others of its line, for many series.
    pub(super) fn wide(mut self) -> Self {
        self.parts = 2;
        self
    }

    /// Its share of a line's width.
    pub(super) fn parts(&self) -> u32 {
        self.parts
    }
}

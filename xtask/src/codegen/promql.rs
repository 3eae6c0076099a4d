//! PromQL expressions built from catalogue entries, so that no expression can name a dead metric.
//!
//! The functions panic where an expression would be wrong whatever the data, such as the rate of a
//! gauge: the mistake is in this program, and the tests build every expression.

mod layout;
pub(super) mod rule;

use std::fmt;

use floodway_metrics::{ComponentKind, Kind, Label, Metric};

/// Longer than nearly all operations, so that those which begin in one range and end in the next
/// are few.
pub(super) const SMOOTHING: &str = "5m";

/// A PromQL expression.
#[derive(Clone, Debug)]
pub(super) struct Expr(String);

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The series of a gauge.
pub(super) fn gauge(metric: &Metric) -> Expr {
    assert!(matches!(metric.kind, Kind::Gauge), "{} is not a gauge", metric.name);
    Expr(format!("{}{}", metric.name, selector(metric)))
}

/// How fast a counter grows, per second.
pub(super) fn rate(metric: &Metric) -> Expr {
    assert!(matches!(metric.kind, Kind::Counter), "{} is not a counter", metric.name);
    rate_of(metric, "")
}

/// As [`gauge`], of the series whose `label` has one of `values`.
pub(super) fn gauge_where(metric: &Metric, label: &Label, values: &[&str]) -> Expr {
    narrowed(&gauge(metric), metric, label, values)
}

/// As [`rate`], of the series whose `label` has one of `values`.
pub(super) fn rate_where(metric: &Metric, label: &Label, values: &[&str]) -> Expr {
    narrowed(&rate(metric), metric, label, values)
}

/// The expression with one more matcher in its only selector.
fn narrowed(expr: &Expr, metric: &Metric, label: &Label, values: &[&str]) -> Expr {
    let own = metric.labels.iter().any(|own| own.name == label.name);
    assert!(own, "{} has no label {}", metric.name, label.name);
    for value in values {
        assert!(label.values.contains(value), "{} is never {value}", label.name);
    }
    let chosen = format!(", {}=~\"{}\"}}", label.name, values.join("|"));
    Expr(expr.0.replace('}', &chosen))
}

/// How fast the sum of a histogram grows, per second.
pub(super) fn sum_rate(metric: &Metric) -> Expr {
    assert!(matches!(metric.kind, Kind::Histogram(_)), "{} is not a histogram", metric.name);
    rate_of(metric, "_sum")
}

/// Observations of a histogram per second.
pub(super) fn count_rate(metric: &Metric) -> Expr {
    assert!(matches!(metric.kind, Kind::Histogram(_)), "{} is not a histogram", metric.name);
    rate_of(metric, "_count")
}

/// How much a counter has grown in the time range of the dashboard.
pub(super) fn increase(metric: &Metric) -> Expr {
    assert!(matches!(metric.kind, Kind::Counter), "{} is not a counter", metric.name);
    Expr(format!("increase({}{}[$__range])", metric.name, selector(metric)))
}

/// The series of a gauge as they were some time ago.
pub(super) fn gauge_before(metric: &Metric, time: &str) -> Expr {
    Expr(format!("{} offset {time}", gauge(metric)))
}

/// The alerts that fire now, as Prometheus itself records them. They have no instance where they
/// are about a job.
pub(super) fn firing_alerts() -> Expr {
    let matchers = "alertstate=\"firing\", alertname=~\"Floodway.*\", job=~\"$job\"";
    Expr(format!("ALERTS{{{matchers}}}"))
}

/// The `q` quantile of a histogram for each value of the labels, in the histogram's unit.
pub(super) fn quantile(q: f64, by: &[&str], metric: &Metric) -> Expr {
    let buckets = bucket_function("rate", metric);
    let by: Vec<_> = ["le"].iter().chain(by).copied().collect();
    Expr(format!("histogram_quantile({q}, {})", buckets.aggregated("sum", &by)))
}

/// How many observations fell into each bucket since the last point.
pub(super) fn bucket_increase(metric: &Metric) -> Expr {
    bucket_function("increase", metric).sum_by(&["le"])
}

fn bucket_function(function: &str, metric: &Metric) -> Expr {
    assert!(matches!(metric.kind, Kind::Histogram(_)), "{} is not a histogram", metric.name);
    Expr(format!("{function}({}_bucket{}[$__rate_interval])", metric.name, selector(metric)))
}

fn rate_of(metric: &Metric, suffix: &str) -> Expr {
    Expr(format!("rate({}{suffix}{}[$__rate_interval])", metric.name, selector(metric)))
}

/// What the dashboard's variables select.
fn selector(metric: &Metric) -> String {
    let mut labels = vec!["job", "instance"];
    labels.extend(metric.component.label());
    let matchers: Vec<_> = labels.iter().map(|label| format!("{label}=~\"${label}\"")).collect();
    format!("{{{}}}", matchers.join(", "))
}

impl Expr {
    pub(super) fn sum(&self) -> Self {
        Self(format!("sum({self})"))
    }

    pub(super) fn max(&self) -> Self {
        Self(format!("max({self})"))
    }

    pub(super) fn sum_by(&self, labels: &[&str]) -> Self {
        self.aggregated("sum", labels)
    }

    pub(super) fn avg_by(&self, labels: &[&str]) -> Self {
        self.aggregated("avg", labels)
    }

    pub(super) fn max_by(&self, labels: &[&str]) -> Self {
        self.aggregated("max", labels)
    }

    pub(super) fn min_by(&self, labels: &[&str]) -> Self {
        self.aggregated("min", labels)
    }

    pub(super) fn count_by(&self, labels: &[&str]) -> Self {
        self.aggregated("count", labels)
    }

    /// How many series there are, 0 if none.
    pub(super) fn number(&self) -> Self {
        Self(format!("count({self}) or vector(0)"))
    }

    /// Without the series that `other` has, too.
    pub(super) fn not_in(&self, other: &Self) -> Self {
        Self(format!("{self} unless {other}"))
    }

    fn aggregated(&self, operator: &str, labels: &[&str]) -> Self {
        Self(format!("{operator} by ({}) ({self})", labels.join(", ")))
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self(format!("({self} + {other})"))
    }

    /// The difference of the two.
    pub(super) fn less(&self, other: &Self) -> Self {
        Self(format!("({self} - {other})"))
    }

    /// The greater of the two, which have the same labels.
    pub(super) fn or_greater(&self, other: &Self) -> Self {
        Self(format!("({self} >= {other} or {other})"))
    }

    /// Where the other, which has the same labels, is below so much.
    pub(super) fn while_below(&self, other: &Self, most: u32) -> Self {
        Self(format!("({self} and {other} < {most})"))
    }

    pub(super) fn times(&self, factor: u32) -> Self {
        Self(format!("{factor} * {self}"))
    }

    /// The ratio of the two, absent while there is nothing to divide by: 0 / 0 is no number, and a
    /// panel should rather say that nothing happened.
    pub(super) fn per(&self, divisor: &Self) -> Self {
        Self(format!("{self} / ({divisor} > 0)"))
    }

    /// The mean over the keys of a map, where this adds up all of them; itself where there is no map.
    pub(super) fn mean_of_keys(&self, keys: &Metric) -> Self {
        let keys = gauge(keys);
        Self(format!("({self} / clamp_min({keys}, 1) or {self})"))
    }

    /// No more than `most`, where what is above it is an artefact.
    pub(super) fn clamped(&self, most: u32) -> Self {
        Self(format!("clamp_max({self}, {most})"))
    }

    /// Leaves out zeros, which stand for nothing.
    pub(super) fn nonzero(&self) -> Self {
        Self(format!("({self} > 0)"))
    }

    /// Zero where it is below.
    pub(super) fn not_negative(&self) -> Self {
        Self(format!("clamp_min({self}, 0)"))
    }

    /// Over [`SMOOTHING`] rather than the interval of a panel, for a quotient of counters that do
    /// not move at the same moments.
    pub(super) fn smoothed(&self) -> Self {
        Self(self.0.replace("$__rate_interval", SMOOTHING))
    }

    /// 1 minus this, for the share of the others.
    pub(super) fn complement(&self) -> Self {
        Self(format!("1 - {self}"))
    }

    /// What is left of the errors that an objective allows, if this is the share of errors: 1 is
    /// all, 0 none, and -1 as much too many, or more: a tenth of all is a hundred budgets of 99.9 %.
    pub(super) fn budget_left(&self) -> Self {
        Self(format!("clamp_min(1 - ({self}) / (1 - $slo), -1)"))
    }

    /// Leaves out what is no number, such as the quantile of no observations.
    pub(super) fn numbers(&self) -> Self {
        Self(format!("{self} >= 0"))
    }
}

/// The label that carries a component's name.
pub(super) fn name_label(kind: ComponentKind) -> &'static str {
    kind.label().unwrap_or("instance")
}

#[cfg(test)]
mod tests {
    use floodway_metrics::catalogue::{exporter, limiter, pool};

    use super::*;

    #[track_caller]
    fn check(expr: &Expr, expected: &str) {
        assert_eq!(expr.to_string(), expected);
    }

    #[test]
    fn expressions_select_by_the_variables() {
        check(
            &rate(&limiter::REJECTED).sum_by(&["limiter", "reason"]),
            "sum by (limiter, reason) (rate(floodway_limiter_rejected_total{job=~\"$job\", \
             instance=~\"$instance\", limiter=~\"$limiter\"}[$__rate_interval]))",
        );
        check(
            &gauge(&exporter::SERIES),
            "floodway_exporter_series{job=~\"$job\", instance=~\"$instance\"}",
        );
        check(
            &quantile(0.99, &["limiter"], &limiter::WAIT_DURATION),
            "histogram_quantile(0.99, sum by (le, limiter) \
             (rate(floodway_limiter_wait_duration_seconds_bucket{job=~\"$job\", \
             instance=~\"$instance\", limiter=~\"$limiter\"}[$__rate_interval])))",
        );
    }

    #[test]
    fn a_rate_may_be_of_some_label_values() {
        check(
            &rate_where(&limiter::COMPLETED, &limiter::OUTCOME, &["success", "ignore"]),
            "rate(floodway_limiter_completed_total{job=~\"$job\", instance=~\"$instance\", \
             limiter=~\"$limiter\", outcome=~\"success|ignore\"}[$__rate_interval])",
        );
    }

    #[test]
    fn a_gauge_may_be_of_some_label_values() {
        check(
            &gauge_where(&pool::LIMIT, &pool::SOURCE, &["effective"]),
            "floodway_pool_limit{job=~\"$job\", instance=~\"$instance\", pool=~\"$pool\", \
             source=~\"effective\"}",
        );
    }

    #[test]
    fn smoothing_takes_the_place_of_the_interval_everywhere() {
        let ratio = rate(&limiter::ACQUIRED).sum().per(&rate(&limiter::REJECTED).sum());
        let smoothed = ratio.smoothed().clamped(1).to_string();
        assert_eq!(smoothed.matches("[5m]").count(), 2, "{smoothed}");
        assert!(!smoothed.contains("interval"), "{smoothed}");
        assert!(smoothed.starts_with("clamp_max(") && smoothed.ends_with(", 1)"), "{smoothed}");
    }

    #[test]
    fn operands_of_the_same_labels_are_grouped() {
        let (limit, in_flight) = (gauge(&limiter::LIMIT), gauge(&limiter::IN_FLIGHT));
        check(&limit.or_greater(&in_flight), &format!("({limit} >= {in_flight} or {in_flight})"));
        check(&limit.while_below(&in_flight, 3), &format!("({limit} and {in_flight} < 3)"));
        check(&limit.less(&in_flight).max(), &format!("max(({limit} - {in_flight}))"));
    }

    #[test]
    #[should_panic(expected = "outcome is never faild")]
    fn a_label_value_has_to_exist() {
        let _ = rate_where(&limiter::COMPLETED, &limiter::OUTCOME, &["faild"]);
    }

    #[test]
    #[should_panic(expected = "is not a counter")]
    fn a_gauge_has_no_rate() {
        let _ = rate(&limiter::LIMIT);
    }
}

//! Expressions of recording and alerting rules: all series of a metric, over fixed windows.
//!
//! They are read by people who were woken up, so each operand has a line of its own.

use std::fmt::Display;

use floodway_metrics::{ComponentKind, Kind, Label, Metric};

use super::{Expr, layout::WIDTH};

/// The series of a metric, whichever job they come from.
#[derive(Clone)]
pub(in crate::codegen) struct Series {
    metric: &'static Metric,
    matchers: Vec<String>,
}

/// All series of `metric`.
pub(in crate::codegen) fn series(metric: &'static Metric) -> Series {
    Series { metric, matchers: Vec::new() }
}

/// What a recording rule has written.
pub(in crate::codegen) fn recorded(name: &str) -> Expr {
    Expr(name.to_owned())
}

impl Series {
    /// Those whose `label` has one of `values`.
    pub(in crate::codegen) fn only(self, label: &Label, values: &[&str]) -> Self {
        self.matching(label, values, ["=", "=~"])
    }

    /// Those whose `label` has none of `values`.
    pub(in crate::codegen) fn without(self, label: &Label, values: &[&str]) -> Self {
        self.matching(label, values, ["!=", "!~"])
    }

    /// Those of the component `name`.
    pub(in crate::codegen) fn named(mut self, name: &str) -> Self {
        let metric = self.metric;
        let label = metric.component.label();
        let label = label.unwrap_or_else(|| panic!("{} has no component", metric.name));
        self.matchers.push(format!("{label}=\"{name}\""));
        self
    }

    fn matching(mut self, label: &Label, values: &[&str], [one, several]: [&str; 2]) -> Self {
        let metric = self.metric;
        let own = metric.labels.iter().any(|own| own.name == label.name);
        assert!(own, "{} has no label {}", metric.name, label.name);
        for value in values {
            assert!(label.values.contains(value), "{} is never {value}", label.name);
        }
        let operator = if values.len() == 1 { one } else { several };
        self.matchers.push(format!("{}{operator}\"{}\"", label.name, values.join("|")));
        self
    }

    /// The value of a gauge.
    pub(in crate::codegen) fn now(&self) -> Expr {
        self.assert_gauge();
        Expr(self.selector(""))
    }

    /// The lowest value of a gauge within `window`.
    pub(in crate::codegen) fn lowest(&self, window: &str) -> Expr {
        self.assert_gauge();
        self.over("min_over_time", "", window)
    }

    /// The highest value of a gauge within `window`.
    pub(in crate::codegen) fn highest(&self, window: &str) -> Expr {
        self.assert_gauge();
        self.over("max_over_time", "", window)
    }

    /// The mean value of a gauge within `window`.
    pub(in crate::codegen) fn mean(&self, window: &str) -> Expr {
        self.assert_gauge();
        self.over("avg_over_time", "", window)
    }

    /// 1 if a gauge had no series at all within `window`.
    pub(in crate::codegen) fn absent(&self, window: &str) -> Expr {
        self.assert_gauge();
        self.over("absent_over_time", "", window)
    }

    /// How fast a counter grew within `window`, per second.
    pub(in crate::codegen) fn rate(&self, window: &str) -> Expr {
        self.assert_counter();
        self.over("rate", "", window)
    }

    /// By how much a counter grew within `window`.
    pub(in crate::codegen) fn increase(&self, window: &str) -> Expr {
        self.assert_counter();
        self.over("increase", "", window)
    }

    /// How fast the sum of a histogram grew within `window`, per second.
    pub(in crate::codegen) fn sum_rate(&self, window: &str) -> Expr {
        self.assert_histogram();
        self.over("rate", "_sum", window)
    }

    /// The `q` quantile of a histogram within `window`, for each value of `labels`.
    pub(in crate::codegen) fn quantile(&self, q: f64, labels: &[&str], window: &str) -> Expr {
        self.assert_histogram();
        let by: Vec<_> = ["le"].iter().chain(labels).copied().collect();
        let buckets = self.over("rate", "_bucket", window).aggregated("sum", &by);
        Expr(format!("histogram_quantile(\n  {q},\n  {buckets}\n)"))
    }

    fn over(&self, function: &str, suffix: &str, window: &str) -> Expr {
        Expr(format!("{function}({}[{window}])", self.selector(suffix)))
    }

    fn selector(&self, suffix: &str) -> String {
        let name = self.metric.name;
        if self.matchers.is_empty() {
            return format!("{name}{suffix}");
        }
        format!("{name}{suffix}{{{}}}", self.matchers.join(", "))
    }

    fn assert_gauge(&self) {
        assert!(matches!(self.metric.kind, Kind::Gauge), "{} is not a gauge", self.metric.name);
    }

    fn assert_counter(&self) {
        assert!(matches!(self.metric.kind, Kind::Counter), "{} is not a counter", self.metric.name);
    }

    fn assert_histogram(&self) {
        let histogram = matches!(self.metric.kind, Kind::Histogram(_));
        assert!(histogram, "{} is not a histogram", self.metric.name);
    }
}

/// Labels that tell apart components with the same name in different jobs.
pub(in crate::codegen) fn by_job(kind: ComponentKind) -> Vec<&'static str> {
    ["job"].into_iter().chain(kind.label()).collect()
}

/// Labels that tell apart every single component.
pub(in crate::codegen) fn by_instance(kind: ComponentKind) -> Vec<&'static str> {
    ["job", "instance"].into_iter().chain(kind.label()).collect()
}

/// Operators of rules. None puts parentheses around its operands: comparisons bind tighter than
/// `and`, and `/` tighter than comparisons. Where that is not enough, say [`grouped`](Expr::grouped).
impl Expr {
    pub(in crate::codegen) fn above(&self, threshold: impl Display) -> Self {
        Self(format!("{self} > {threshold}"))
    }

    pub(in crate::codegen) fn below(&self, threshold: impl Display) -> Self {
        Self(format!("{self} < {threshold}"))
    }

    pub(in crate::codegen) fn is(&self, value: u32) -> Self {
        Self(format!("{self} == {value}"))
    }

    pub(in crate::codegen) fn at_most(&self, other: &Self) -> Self {
        self.compared("<=", other)
    }

    pub(in crate::codegen) fn at_least(&self, other: &Self) -> Self {
        self.compared(">=", other)
    }

    pub(in crate::codegen) fn at_least_on(&self, labels: &[&str], other: &Self) -> Self {
        self.joined(&on(">=", labels), other)
    }

    pub(in crate::codegen) fn more_than(&self, other: &Self) -> Self {
        self.compared(">", other)
    }

    pub(in crate::codegen) fn minus(&self, other: &Self) -> Self {
        self.joined("-", other)
    }

    pub(in crate::codegen) fn at_most_one(&self) -> Self {
        Self(format!("clamp_max({self}, 1)"))
    }

    pub(in crate::codegen) fn at_least_one(&self) -> Self {
        Self(format!("clamp_min({self}, 1)"))
    }

    /// The quotient of the two, which have the same labels.
    pub(in crate::codegen) fn over(&self, divisor: &Self) -> Self {
        self.compared("/", divisor)
    }

    pub(in crate::codegen) fn and(&self, other: &Self) -> Self {
        self.joined("and", other)
    }

    pub(in crate::codegen) fn and_on(&self, labels: &[&str], other: &Self) -> Self {
        self.joined(&on("and", labels), other)
    }

    pub(in crate::codegen) fn unless(&self, other: &Self) -> Self {
        self.joined("unless", other)
    }

    pub(in crate::codegen) fn or(&self, other: &Self) -> Self {
        self.joined("or", other)
    }

    /// The ratio of the two, absent while there is nothing to divide by.
    pub(in crate::codegen) fn share_of(&self, divisor: &Self) -> Self {
        self.compared("/", &Self(format!("({divisor} > 0)")))
    }

    /// The sum of the two, which have the same labels.
    pub(in crate::codegen) fn added(&self, other: &Self) -> Self {
        self.joined("+", other).grouped()
    }

    /// The sum of the two, which share these labels.
    pub(in crate::codegen) fn added_on(&self, labels: &[&str], other: &Self) -> Self {
        self.joined(&on("+", labels), other).grouped()
    }

    pub(in crate::codegen) fn group_by(&self, labels: &[&str]) -> Self {
        self.aggregated("group", labels)
    }

    /// As [`max_by`](Self::max_by), of a condition over several lines.
    pub(in crate::codegen) fn highest_by(&self, labels: &[&str]) -> Self {
        Self(format!("max by ({}) {}", labels.join(", "), self.grouped()))
    }

    /// As [`sum_by`](Self::sum_by), of a condition over several lines.
    pub(in crate::codegen) fn total_by(&self, labels: &[&str]) -> Self {
        Self(format!("sum by ({}) {}", labels.join(", "), self.grouped()))
    }

    /// In parentheses, over several lines.
    pub(in crate::codegen) fn grouped(&self) -> Self {
        Self(format!("(\n  {}\n)", self.0.replace('\n', "\n  ")))
    }

    /// On one line if that is short.
    fn compared(&self, operator: &str, other: &Self) -> Self {
        let line = format!("{self} {operator} {other}");
        if line.len() <= WIDTH && !line.contains('\n') {
            Self(line)
        } else {
            self.joined(operator, other)
        }
    }

    fn joined(&self, operator: &str, other: &Self) -> Self {
        Self(format!("{self}\n{operator}\n{other}"))
    }
}

fn on(operator: &str, labels: &[&str]) -> String {
    format!("{operator} on ({})", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use floodway_metrics::catalogue::{limiter, pool};

    use super::*;

    #[track_caller]
    fn check(expr: &Expr, expected: &str) {
        assert_eq!(expr.to_string(), expected);
    }

    #[test]
    fn all_series_are_selected_unless_labels_are_named() {
        check(&series(&limiter::QUEUED).now(), "floodway_limiter_queued");
        check(
            &series(&limiter::REJECTED)
                .only(&limiter::REASON, &["nested", "weight"])
                .without(&limiter::PRIORITY, &["low"])
                .rate("5m"),
            "rate(floodway_limiter_rejected_total{reason=~\"nested|weight\", \
             priority!=\"low\"}[5m])",
        );
        check(
            &series(&pool::CONNECTIONS_MAX).named("_other").now(),
            "floodway_pool_connections_max{pool=\"_other\"}",
        );
    }

    #[test]
    fn operands_have_lines_of_their_own() {
        let labels = by_instance(ComponentKind::Pool);
        check(
            &series(&pool::CONNECTIONS)
                .only(&pool::STATE, &["used"])
                .now()
                .at_least_on(&labels, &series(&pool::CONNECTIONS_MAX).now())
                .and(&series(&pool::PENDING_REQUESTS).lowest("5m").above(0)),
            "floodway_pool_connections{state=\"used\"}\n>= on (job, instance, pool)\n\
             floodway_pool_connections_max\nand\n\
             min_over_time(floodway_pool_pending_requests[5m]) > 0",
        );
    }

    #[test]
    #[should_panic(expected = "state is never usde")]
    fn a_label_value_has_to_exist() {
        let _ = series(&pool::CONNECTIONS).only(&pool::STATE, &["usde"]);
    }

    #[test]
    #[should_panic(expected = "is not a counter")]
    fn a_gauge_has_no_rate() {
        let _ = series(&limiter::LIMIT).rate("5m");
    }
}

//! Whether a PromQL expression selects what exists: metrics of the catalogue, their labels, and
//! legal values of those.

mod labels;
mod prometheus;

use std::{collections::BTreeSet, time::Duration};

use floodway_metrics::{CATALOGUE, Kind};
use labels::Known;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};

/// What stands for `$__rate_interval`: no expression has it as a literal.
pub(super) const RATE_INTERVAL: Duration = Duration::from_secs(4 * 60 + 3);

/// What stands for `$__range`: no expression has it as a literal.
pub(super) const RANGE: Duration = Duration::from_secs(67 * 60);

/// Checks every selector of `expr`, and every label that it groups or matches by.
///
/// # Errors
///
/// If it is no PromQL, or names what does not exist; says what.
pub(super) fn check_expression(expr: &str) -> Result<(), String> {
    check_with(expr, &BTreeSet::new())
}

/// As [`check_expression`], where recording rules have made the series `recorded`.
pub(super) fn check_with(expr: &str, recorded: &BTreeSet<String>) -> Result<(), String> {
    check(&parse(expr)?, recorded).map_err(|wrong| format!("{wrong}, in {expr}"))
}

/// The expression, with Grafana's variables for durations and numbers replaced. Those that stand
/// in matchers stay: they are regular expressions as they are.
pub(super) fn parse(expr: &str) -> Result<Expr, String> {
    parser::parse(&substituted(expr)).map_err(|error| format!("{error}, in {expr}"))
}

/// As Prometheus reads it.
pub(super) fn substituted(expr: &str) -> String {
    expr.replace("$__rate_interval", &format!("{}s", RATE_INTERVAL.as_secs()))
        .replace("$__range", &format!("{}s", RANGE.as_secs()))
        .replace("$slo", "0.999")
}

/// A selector and what is done to it at once.
pub(super) struct Selected<'a> {
    pub(super) selector: &'a VectorSelector,
    pub(super) range: Option<Duration>,
    /// The function whose argument it is.
    pub(super) function: Option<&'static str>,
}

/// Every selector of the expression.
pub(super) fn selected(expr: &Expr) -> Vec<Selected<'_>> {
    selected_in(expr, None)
}

fn selected_in<'a>(expr: &'a Expr, function: Option<&'static str>) -> Vec<Selected<'a>> {
    match expr {
        Expr::VectorSelector(selector) => vec![Selected { selector, range: None, function }],
        Expr::MatrixSelector(matrix) => {
            vec![Selected { selector: &matrix.vs, range: Some(matrix.range), function }]
        }
        _ => {
            let function = if let Expr::Call(call) = expr { Some(call.func.name) } else { None };
            children(expr).into_iter().flat_map(|child| selected_in(child, function)).collect()
        }
    }
}

/// The crate's own walk leaves out the parameter of an aggregation.
fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().chain([&aggregate.expr]).map(|child| &**child).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(|child| &**child).collect(),
        Expr::Extension(extension) => extension.expr.children().iter().collect(),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_) => Vec::new(),
    }
}

fn check(expr: &Expr, recorded: &BTreeSet<String>) -> Result<(), String> {
    match expr {
        Expr::VectorSelector(selector) => check_selector(selector, recorded)?,
        Expr::MatrixSelector(matrix) => check_selector(&matrix.vs, recorded)?,
        Expr::Aggregate(aggregate) => {
            check_grouping(expr, aggregate.modifier.as_ref(), recorded)?;
        }
        Expr::Binary(binary) => {
            let modifier = binary.modifier.as_ref();
            check_grouping(expr, modifier.and_then(|it| it.matching.as_ref()), recorded)?;
            let extra = modifier.and_then(|it| it.card.labels()).cloned();
            check_grouping(expr, extra.map(LabelModifier::Include).as_ref(), recorded)?;
        }
        _ => {}
    }
    children(expr).into_iter().try_for_each(|child| check(child, recorded))
}

fn check_selector(selector: &VectorSelector, recorded: &BTreeSet<String>) -> Result<(), String> {
    let known = known(selector, recorded)?;
    let matchers = &selector.matchers;
    matchers.matchers.iter().chain(matchers.or_matchers.iter().flatten()).try_for_each(|matcher| {
        known.check(matcher).map_err(|wrong| format!("{}: {wrong}", name(selector)))
    })
}

/// What is grouped or matched by has to be a label of a series inside.
fn check_grouping(
    expr: &Expr,
    modifier: Option<&LabelModifier>,
    recorded: &BTreeSet<String>,
) -> Result<(), String> {
    let inside: Vec<_> = selected(expr)
        .iter()
        .map(|selected| known(selected.selector, recorded))
        .collect::<Result<_, _>>()?;
    for label in modifier.iter().flat_map(|modifier| &modifier.labels().labels) {
        if !inside.is_empty() && !inside.iter().any(|known| known.has(label)) {
            return Err(format!("no series inside has the label {label}"));
        }
    }
    Ok(())
}

fn name(selector: &VectorSelector) -> &str {
    selector.name.as_deref().unwrap_or_default()
}

/// The labels of the series that `selector` is about.
fn known(selector: &VectorSelector, recorded: &BTreeSet<String>) -> Result<Known, String> {
    let name = name(selector);
    if name == "ALERTS" {
        return Ok(Known::alerts());
    }
    if recorded.contains(name) {
        return Ok(Known::recorded());
    }
    for metric in CATALOGUE {
        let histogram = matches!(metric.kind, Kind::Histogram(_));
        match name.strip_prefix(metric.name) {
            Some("") if !histogram => return Ok(Known::of(metric, false)),
            Some("_bucket") if histogram => return Ok(Known::of(metric, true)),
            Some("_sum" | "_count") if histogram => return Ok(Known::of(metric, false)),
            _ => {}
        }
    }
    Err(format!("no metric has the name {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn good(expr: &str) {
        check_expression(expr).unwrap();
    }

    #[track_caller]
    fn bad(expr: &str, wrong: &str) {
        let error = check_expression(expr).unwrap_err();
        assert!(error.contains(wrong), "{error}");
    }

    #[test]
    fn names_are_those_of_the_catalogue() {
        good("floodway_limiter_limit");
        good("rate(floodway_limiter_acquired_total[5m])");
        bad("floodway_limiter_limits", "no metric has the name");
        bad("{limiter=\"db\"}", "no metric has the name");
        bad("up", "no metric has the name \"up\"");
        bad("sum(", "unclosed left parenthesis");
    }

    #[test]
    fn suffixes_are_for_histograms() {
        good("rate(floodway_limiter_hold_duration_seconds_sum[5m])");
        bad("floodway_limiter_hold_duration_seconds", "no metric");
        bad("floodway_limiter_limit_count", "no metric");
    }

    #[test]
    fn labels_are_those_of_the_metric() {
        good("floodway_limiter_limit{job=\"a\", instance=\"b\", limiter=\"c\"}");
        good("floodway_limiter_hold_duration_seconds_bucket{le=\"0.1\"}");
        bad("floodway_limiter_limit{pool=\"c\"}", "no label pool");
        bad("floodway_limiter_limit{le=\"1\"}", "no label le");
        bad("floodway_exporter_series{exporter=\"c\"}", "no label exporter");
    }

    #[test]
    fn values_are_those_of_the_label_within_regular_expressions_too() {
        let rejected = |matcher| format!("floodway_limiter_rejected_total{{reason{matcher}}}");
        good(&rejected("=\"shed\""));
        good(&rejected("!=\"shed\""));
        good(&rejected("=~\"shed|queue_full\""));
        good(&rejected("=~\"queue.*\""));
        good(&rejected("=~\"$reason\""));
        bad(&rejected("=\"shedd\""), "reason is never shedd");
        bad(&rejected("=~\"shed|queue_ful\""), "reason is never queue_ful");
        bad(&rejected("!~\"(shed|queue_ful)\""), "reason is never queue_ful");
        bad(&rejected("=~\"quue.*\""), "matches no value of reason");
        bad(&rejected("=~\"$limiter\""), "$limiter is not the variable of reason");
        bad(&rejected("=\"shed\", job=~\"$instance\""), "$instance is not the variable of job");
    }

    #[test]
    fn grouping_is_by_labels_inside() {
        good("sum by (reason) (rate(floodway_limiter_rejected_total[5m]))");
        good("topk by (job) (3, floodway_limiter_limit)");
        bad("sum by (cause) (rate(floodway_limiter_rejected_total[5m]))", "the label cause");
        bad("sum without (cause) (floodway_limiter_limit)", "the label cause");
        bad("floodway_limiter_limit / on (pool) floodway_limiter_in_flight", "the label pool");
        bad(
            "floodway_limiter_limit * on (job) group_left (version) floodway_pool_limit",
            "version",
        );
        good("floodway_limiter_limit * on (job) group_left (version) floodway_build_info");
    }

    #[test]
    fn every_part_is_looked_at() {
        bad("quantile(scalar(floodway_typo), floodway_limiter_limit)", "floodway_typo");
        bad("-max_over_time((1 + floodway_typo)[5m:1m])", "floodway_typo");
        bad("floodway_limiter_limit unless floodway_typo offset 5m", "floodway_typo");
        bad("floodway_limiter_limit{limiter=\"a\" or pool=\"b\"}", "no label pool");
    }

    #[test]
    fn alerts_and_what_rules_record_may_be_selected() {
        good("count(ALERTS{alertstate=\"firing\", job=~\"$job\"}) or vector(0)");
        bad("ALERTS{alertstate=\"fires\"}", "alertstate is never fires");
        bad("ALERTS{reason_=\"a\"}", "no label reason_");
        let recorded = BTreeSet::from(["job:rejected:ratio".to_owned()]);
        check_with("job:rejected:ratio{limiter=\"a\"} > 1", &recorded).unwrap();
        check_with("job:rejected:ratio{limit=\"a\"} > 1", &recorded).unwrap_err();
        check_with("job:rejected:rate", &recorded).unwrap_err();
    }

    #[test]
    fn selectors_know_their_function_and_range() {
        let expr = parse("sum(rate(floodway_pool_timeouts_total[$__rate_interval]))").unwrap();
        let [selected] = &selected(&expr)[..] else { panic!("not one selector") };
        assert_eq!(selected.function, Some("rate"));
        assert_eq!(selected.range, Some(RATE_INTERVAL));
        assert_eq!(selected.selector.name.as_deref(), Some("floodway_pool_timeouts_total"));
    }
}

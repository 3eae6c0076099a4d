//! Unit tests of the rules for `promtool test rules`: each alert fires where it should, and is silent
//! near its threshold.

use floodway_metrics::ComponentKind;

use super::{
    COMMENT,
    alert::Alert,
    example::{Example, value_of},
    recording::Recording,
    yaml::{self, Node, text},
};

/// The path and content of each file.
pub(super) fn documents(
    recordings: &[(ComponentKind, Vec<Recording>)],
    alerts: &[(ComponentKind, Vec<Alert>)],
) -> Vec<(&'static str, String)> {
    let of = |kind| {
        let recorded = recordings.iter().filter(move |(own, _)| *own == kind);
        recorded.flat_map(|(_, recordings)| recordings)
    };
    let mut documents: Vec<_> = alerts
        .iter()
        .map(|(kind, alerts)| {
            let recorded = of(*kind).map(|recording| records(*kind, recording));
            let alerted = alerts.iter().flat_map(|alert| tests(*kind, alert, false));
            (path(*kind), document("1m", recorded.chain(alerted).collect()))
        })
        .collect();
    // A week of minutes takes minutes.
    let days = alerts
        .iter()
        .flat_map(|(kind, alerts)| alerts.iter().flat_map(move |alert| tests(*kind, alert, true)));
    documents.push(("dashboards/prometheus/tests/days.yml", document("1h", days.collect())));
    documents
}

/// The tests of `alert` that take days, or those that do not.
fn tests(kind: ComponentKind, alert: &Alert, days: bool) -> Vec<Node> {
    let fires = (alert.fires.days == days).then(|| fires(kind, alert));
    let silences = alert.silent.iter().filter(|example| example.days == days);
    fires.into_iter().chain(silences.map(|example| silent(alert, example))).collect()
}

const fn path(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Limiter => "dashboards/prometheus/tests/limiter.yml",
        ComponentKind::Pool => "dashboards/prometheus/tests/pool.yml",
        ComponentKind::Fleet => "dashboards/prometheus/tests/fleet.yml",
        ComponentKind::FanOut => "dashboards/prometheus/tests/fan-out.yml",
        ComponentKind::Batcher => "dashboards/prometheus/tests/batcher.yml",
        _ => "dashboards/prometheus/tests/exporter.yml",
    }
}

fn document(interval: &str, tests: Vec<Node>) -> String {
    let files = ["../recording-rules.yml", "../alerting-rules.yml"];
    let root = Node::Map(vec![
        ("rule_files", Node::List(files.map(text).into())),
        ("evaluation_interval", text(interval)),
        ("tests", Node::List(tests)),
    ]);
    yaml::document(COMMENT, &root)
}

fn records(kind: ComponentKind, recording: &Recording) -> Node {
    let Recording { name, labels, example, value, .. } = recording;
    let matchers: Vec<_> = labels
        .iter()
        .map(|label| format!("{label}=\"{}\"", value_of(label, kind, example)))
        .collect();
    let sample = Node::Map(vec![
        ("labels", text(format!("{name}{{{}}}", matchers.join(", ")))),
        ("value", Node::Number(value)),
    ]);
    let expectation = Node::Map(vec![
        ("expr", text(name)),
        ("eval_time", text(example.at)),
        ("exp_samples", Node::List(vec![sample])),
    ]);
    test(format!("{name} records"), example, ("promql_expr_test", vec![expectation]))
}

fn fires(kind: ComponentKind, alert: &Alert) -> Node {
    let own = alert.labels.iter().map(|label| (*label, text(value_of(label, kind, &alert.fires))));
    let labels = [("severity", text(alert.severity.as_str())), ("component", text(kind.as_str()))];
    let annotations =
        alert.annotations().map(|(name, template)| (name, text(filled(&template, kind, alert))));
    let fired = Node::Map(vec![
        ("exp_labels", Node::Map(own.chain(labels).collect())),
        ("exp_annotations", Node::Map(annotations.into())),
    ]);
    let early = alert.fires.not_yet.map_or_else(|| just_before(alert.lasts), str::to_owned);
    let expected = vec![
        expectation(alert, &early, Vec::new()),
        expectation(alert, alert.fires.at, vec![fired]),
    ];
    test(format!("{} fires", title(alert)), &alert.fires, ("alert_rule_test", expected))
}

/// When something that begins at once, or with the second sample, has lasted for almost `lasts`.
fn just_before(lasts: &str) -> String {
    let minutes = lasts.strip_suffix('m').and_then(|minutes| minutes.parse::<u32>().ok());
    let minutes = minutes.unwrap_or_else(|| panic!("{lasts}: say when it has not lasted yet"));
    format!("{}m", minutes.saturating_sub(1).max(1))
}

fn silent(alert: &Alert, example: &Example) -> Node {
    let name = match example.note {
        "" => format!("{} stays silent", title(alert)),
        note => format!("{} stays silent: {note}", title(alert)),
    };
    test(name, example, ("alert_rule_test", vec![expectation(alert, example.at, Vec::new())]))
}

/// The name of an alert, and its severity, in which alerts of one name differ.
pub(super) fn title(alert: &Alert) -> String {
    format!("{} ({})", alert.name, alert.severity.as_str())
}

fn expectation(alert: &Alert, at: &str, alerts: Vec<Node>) -> Node {
    Node::Map(vec![
        ("eval_time", text(at)),
        ("alertname", text(alert.name)),
        ("exp_alerts", Node::List(alerts)),
    ])
}

fn test(name: String, example: &Example, (kind, expected): (&'static str, Vec<Node>)) -> Node {
    let series = example.given.iter().map(|given| {
        Node::Map(vec![("series", text(&given.series)), ("values", text(&given.values))])
    });
    Node::Map(vec![
        ("name", Node::Text(name)),
        ("interval", text(example.interval())),
        ("input_series", Node::List(series.collect())),
        (kind, Node::List(expected)),
    ])
}

/// What Prometheus makes of a template.
fn filled(template: &str, kind: ComponentKind, alert: &Alert) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, placeholder)) = rest.split_once("{{ ") {
        let (placeholder, after) =
            placeholder.split_once(" }}").unwrap_or_else(|| panic!("{template} is not closed"));
        filled.push_str(before);
        filled.push_str(match placeholder.strip_prefix("$labels.") {
            Some(label) => value_of(label, kind, &alert.fires),
            None => alert.shows,
        });
        rest = after;
    }
    filled.push_str(rest);
    filled
}

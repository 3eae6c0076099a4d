//! What the catalogue's metrics and labels are called in OpenTelemetry.

use floodway_metrics::{ComponentKind, Metric, Series, Unit};

/// The name: that of the semantic conventions where there is one, the catalogue's otherwise.
/// (<https://opentelemetry.io/docs/specs/semconv/database/database-metrics/>)
pub(super) fn name(metric: &Metric) -> &'static str {
    metric.otel.unwrap_or(metric.name)
}

/// The unit, as UCUM writes it.
pub(super) fn unit(metric: &Metric) -> &'static str {
    match (metric.unit, metric.otel) {
        (_, Some("db.client.connection.timeouts")) => "{timeout}",
        (Unit::Seconds, _) => "s",
        (Unit::Permits, _) => "{permit}",
        (Unit::Connections, _) => "{connection}",
        (Unit::Requests, _) => "{request}",
        (Unit::Calls, _) => "{call}",
        (Unit::Items, _) => "{item}",
        (Unit::Batches, _) => "{batch}",
        (Unit::Pairs, _) => "{pair}",
        (Unit::Events, _) => "{event}",
        (Unit::Keys, _) => "{key}",
        (Unit::Replicas, _) => "{replica}",
        (Unit::Series, _) => "{series}",
        _ => "1",
    }
}

/// Whether a gauge is a sum over its attributes, as the conventions have it for counts of
/// connections and of those who wait for one.
pub(super) fn is_up_down_counter(metric: &Metric) -> bool {
    metric.otel.is_some()
}

/// The attributes of a series.
pub(super) fn attributes<'a>(
    metric: &'static Metric,
    series: &'a Series,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    series.label_pairs(metric).map(|(label, value)| (attribute(metric, label), value))
}

fn attribute(metric: &Metric, label: &'static str) -> &'static str {
    match (metric.otel, label) {
        (Some(_), label) if Some(label) == ComponentKind::Pool.label() => {
            "db.client.connection.pool.name"
        }
        (Some(_), "state") => "db.client.connection.state",
        _ => label,
    }
}

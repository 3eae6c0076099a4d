//! `docs/metrics.md`: every metric in a table a person can read.

use std::fmt::Write;

use floodway_metrics::{Buckets, CATALOGUE, ComponentKind, Kind, Metric};

use super::{hyphenated, title};

const HEADER: &str = "\
<!-- Generated from the metric catalogue by `cargo xtask codegen`; do not edit. -->

# Metrics

Every metric that Floodway exports. All names begin with `floodway_`, times are in seconds, and a
counter ends in `_total`. A label has one of the values listed here or is the name of a component;
all values of a listed label exist, at zero, from the birth of the component, so a rate sees the
first event. A sum over any label means something. Rates and quantiles are left to the query:
nothing here is averaged before it is exported.
";

pub(super) fn markdown() -> String {
    let mut text = HEADER.to_owned();
    for kind in ComponentKind::ALL {
        section(&mut text, kind);
    }
    buckets(&mut text);
    text
}

fn section(text: &mut String, kind: ComponentKind) {
    let metrics = || CATALOGUE.iter().copied().filter(|metric| metric.component == kind);
    let lines: usize = metrics().map(Metric::series).sum();
    let heading = title(kind.as_str());
    let each = match kind {
        ComponentKind::Exporter => "The exporter".to_owned(),
        // A process has no fleet, it has leases of what its fleet shares.
        ComponentKind::Fleet => "Each lease of a budget".to_owned(),
        named => format!("Each {}", hyphenated(named.as_str())),
    };
    let budget = kind.series_budget();
    line(text, format_args!("\n## {heading}\n"));
    let label = kind.label().map_or_else(String::new, |label| {
        let whose = if label == kind.as_str() { "its name" } else { "the name of what is shared" };
        format!(" The label `{label}` of all of them is {whose}.")
    });
    line(
        text,
        format_args!("{each} exports {lines} series, and never more than {budget}.{label}\n"),
    );
    line(text, format_args!("| name | type | unit | labels | meaning | OpenTelemetry name |"));
    line(text, format_args!("|---|---|---|---|---|---|"));
    for metric in metrics() {
        row(text, metric);
    }
}

fn row(text: &mut String, metric: &Metric) {
    let component = metric.component.label().map(|label| format!("`{label}`"));
    let closed = metric.labels.iter().map(|label| {
        let values: Vec<_> = label.values.iter().map(|value| format!("`{value}`")).collect();
        format!("`{}`: {}", label.name, values.join(", "))
    });
    let labels: Vec<_> = component.into_iter().chain(closed).collect();
    line(
        text,
        format_args!(
            "| `{}` | {} | {} | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.unit.as_str(),
            labels.join("; "),
            metric.help,
            metric.otel.map_or_else(String::new, |name| format!("`{name}`")),
        ),
    );
}

/// One list of bounds for all histograms that share it.
fn buckets(text: &mut String) {
    line(text, format_args!("\n## Buckets\n"));
    let histograms = CATALOGUE.iter().filter_map(|metric| match metric.kind {
        Kind::Histogram(buckets) => Some((metric.name, buckets)),
        _ => None,
    });
    let mut groups: Vec<(&Buckets, Vec<String>)> = Vec::new();
    for (name, buckets) in histograms {
        let name = format!("- `{name}`");
        // By value: one constant may have several addresses.
        match groups.iter_mut().find(|(known, _)| known.upper_bounds().eq(buckets.upper_bounds())) {
            Some((_, names)) => names.push(name),
            None => groups.push((buckets, vec![name])),
        }
    }
    for (buckets, names) in groups {
        let bounds: Vec<_> = buckets.upper_bounds().map(|bound| bound.to_string()).collect();
        line(text, format_args!("{}\n", names.join("\n")));
        line(text, format_args!("have buckets up to {}, +Inf.\n", bounds.join(", ")));
    }
    line(
        text,
        format_args!(
            "A histogram is one series per bucket, `+Inf` included, and two more for its sum and \
             its count; the numbers of series above count them all."
        ),
    );
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use floodway_metrics::catalogue::limiter;

    use super::*;

    #[test]
    fn every_metric_has_a_row() {
        let text = markdown();
        for metric in CATALOGUE {
            let rows =
                text.lines().filter(|line| line.starts_with(&format!("| `{}` |", metric.name)));
            assert_eq!(rows.count(), 1, "{}", metric.name);
        }
    }

    #[test]
    fn series_count_label_values_and_buckets() {
        assert_eq!(limiter::LIMIT.series(), 1);
        let (reasons, levels) = (limiter::REASON.values.len(), limiter::PRIORITY.values.len());
        assert_eq!(limiter::REJECTED.series(), reasons * levels);
        assert_eq!(limiter::WAIT_DURATION.series(), 16 + 1 + 2);
    }
}

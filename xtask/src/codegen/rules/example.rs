//! Examples of series, for unit tests of rules.

use floodway_metrics::{ComponentKind, Kind, Label, Metric, OTHER};

/// The job of all examples.
pub(super) const JOB: &str = "shop";
/// The instance of all examples.
pub(super) const INSTANCE: &str = "shop-1:8080";

/// Series, and when to look at what the rules make of them.
pub(super) struct Example {
    /// What is special about it; empty if nothing is.
    pub(super) note: &'static str,
    pub(super) given: Vec<Given>,
    /// When it has begun and not lasted for long enough.
    pub(super) not_yet: Option<&'static str>,
    /// Whether it takes days rather than minutes.
    pub(super) days: bool,
    /// Since the first value.
    pub(super) at: &'static str,
}

/// A series in the notation of promtool.
pub(super) struct Given {
    pub(super) series: String,
    /// `0+10x60` is 0, 10, 20 and so on for sixty intervals.
    pub(super) values: String,
}

pub(super) fn example(at: &'static str, given: impl Into<Vec<Given>>) -> Example {
    Example { note: "", given: given.into(), not_yet: None, days: false, at }
}

impl Example {
    pub(super) fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    pub(super) fn not_yet(self, at: &'static str) -> Self {
        Self { not_yet: Some(at), ..self }
    }

    pub(super) fn over_days(self) -> Self {
        Self { days: true, ..self }
    }

    /// The time between two values of a series. Prometheus takes a value for the current one for
    /// five minutes.
    pub(super) const fn interval(&self) -> &'static str {
        if self.days { "4m" } else { "1m" }
    }
}

/// The name of the component in examples.
pub(super) const fn component(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Limiter => "checkout",
        ComponentKind::Pool | ComponentKind::Fleet => "orders-db",
        ComponentKind::FanOut => "enrich",
        ComponentKind::Batcher => "insert-order",
        _ => "",
    }
}

/// One series of `metric`.
pub(super) fn given(metric: &Metric, labels: &[(&Label, &str)], values: &str) -> Given {
    assert!(!matches!(metric.kind, Kind::Histogram(_)), "{} has buckets", metric.name);
    assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
    for ((label, value), own) in labels.iter().zip(metric.labels) {
        assert_eq!(label.name, own.name, "{}", metric.name);
        assert!(own.values.contains(value), "{} is never {value}", own.name);
    }
    let more = labels.iter().map(|(label, value)| format!("{}=\"{value}\"", label.name));
    written(metric, "", more, values)
}

/// The series of `metric`, which has no labels of its own, of those that share the name `_other`.
pub(super) fn given_other(metric: &Metric, values: &str) -> Given {
    let mut given = given(metric, &[], values);
    let own = format!("\"{}\"", component(metric.component));
    given.series = given.series.replace(&own, &format!("\"{OTHER}\""));
    given
}

/// The series that another instance of the job has.
pub(super) fn elsewhere(given: Given) -> Given {
    Given { series: given.series.replace(INSTANCE, "shop-2:8080"), ..given }
}

/// The bucket of `metric` up to `bound`.
pub(super) fn given_bucket(metric: &Metric, bound: &str, values: &str) -> Given {
    let Kind::Histogram(buckets) = metric.kind else {
        panic!("{} has no buckets", metric.name);
    };
    let known = buckets.upper_bounds().any(|known| known.to_string() == bound);
    assert!(known || bound == "+Inf", "{} has no bucket {bound}", metric.name);
    written(metric, "_bucket", [format!("le=\"{bound}\"")], values)
}

/// The sum of `metric`.
pub(super) fn given_sum(metric: &Metric, values: &str) -> Given {
    assert!(matches!(metric.kind, Kind::Histogram(_)), "{} has no sum", metric.name);
    written(metric, "_sum", [], values)
}

fn written(
    metric: &Metric,
    suffix: &str,
    more: impl IntoIterator<Item = String>,
    values: &str,
) -> Given {
    let kind = metric.component;
    let own = kind.label().map(|label| format!("{label}=\"{}\"", component(kind)));
    let labels: Vec<_> = [format!("job=\"{JOB}\""), format!("instance=\"{INSTANCE}\"")]
        .into_iter()
        .chain(own)
        .chain(more)
        .collect();
    Given {
        series: format!("{}{suffix}{{{}}}", metric.name, labels.join(", ")),
        values: values.to_owned(),
    }
}

/// What `label` has in the example's series.
pub(super) fn value_of<'a>(label: &str, kind: ComponentKind, example: &'a Example) -> &'a str {
    match label {
        "job" => JOB,
        "instance" => INSTANCE,
        own if kind.label() == Some(own) => component(kind),
        other => {
            let opening = format!("{other}=\"");
            let mut series = example.given.iter().map(|given| given.series.as_str());
            let found = series.find_map(|series| Some(series.split_once(&opening)?.1));
            let value = found.and_then(|rest| rest.split('"').next());
            value.unwrap_or_else(|| panic!("no series has a label {other}"))
        }
    }
}

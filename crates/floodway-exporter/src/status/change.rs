//! What a component did between two snapshots.

use std::collections::{BTreeMap, HashMap};

use floodway_metrics::{ComponentKind, HistogramValue, Label, Metric, Series, Snapshot, Value};
use serde::Serialize;

/// The series of one component, by metric.
type Numbers<'a> = HashMap<&'static str, Vec<&'a Series>>;

/// The components of a snapshot with a name, by kind and name.
pub(super) type Components<'a> = BTreeMap<(&'static str, &'a str), Numbers<'a>>;

pub(super) fn components(snapshot: &Snapshot) -> Components<'_> {
    let mut components = Components::new();
    for family in &snapshot.families {
        let metric = family.metric;
        for series in &family.series {
            if let Some(name) = series.component.as_deref() {
                let numbers = components.entry((metric.component.as_str(), name)).or_default();
                numbers.entry(metric.name).or_default().push(series);
            }
        }
    }
    components
}

/// Of each component of `kind` that is there now, what it did since `earlier`. One that was not
/// there then has begun at zero meanwhile.
pub(super) fn changes<'a>(
    kind: ComponentKind,
    now: &'a Components<'a>,
    earlier: &'a Components<'a>,
    seconds: f64,
) -> impl Iterator<Item = Change<'a>> {
    let of_kind = now.iter().filter(move |((known, _), _)| *known == kind.as_str());
    of_kind.map(move |(key, numbers)| Change {
        name: key.1,
        now: numbers,
        earlier: earlier.get(key),
        seconds,
    })
}

/// What one component did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    now: &'a Numbers<'a>,
    earlier: Option<&'a Numbers<'a>>,
    seconds: f64,
}

/// What was counted under one value of a label.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Labelled {
    pub(super) label: &'static str,
    pub(super) per_second: f64,
    pub(super) total: f64,
}

impl Change<'_> {
    /// The value now, of a metric without labels.
    pub(super) fn gauge(&self, metric: &Metric) -> Option<f64> {
        Some(sum(self.now.get(metric.name)?))
    }

    /// The value now, of the series with `value` as its first label.
    pub(super) fn gauge_of(&self, metric: &Metric, value: &str) -> Option<f64> {
        let series = self.now.get(metric.name)?.iter();
        series.filter(|series| series.labels.first() == Some(&value)).find_map(|one| number(one))
    }

    /// Which value of `label`, the only one of `metric`, has a 1.
    pub(super) fn which(&self, metric: &Metric, label: &Label) -> Option<&'static str> {
        let applies = |value: &&&str| self.gauge_of(metric, value).is_some_and(|one| one > 0.0);
        label.values.iter().find(applies).copied()
    }

    /// Growth per second of a counter, over all of its labels.
    pub(super) fn rate(&self, metric: &Metric) -> f64 {
        let total = |numbers: &Numbers<'_>| numbers.get(metric.name).map_or(0.0, |all| sum(all));
        self.per_second(total(self.now), self.earlier.map_or(0.0, total))
    }

    /// Growth per second of a counter, by the values of its first label, of those that have counted
    /// anything; over all values of the others.
    pub(super) fn by_label(&self, metric: &Metric) -> Vec<Labelled> {
        let Some(label) = metric.labels.first() else {
            return Vec::new();
        };
        let total = |numbers: &Numbers<'_>, value: &str| {
            let series = numbers.get(metric.name).into_iter().flatten();
            series
                .filter(|one| one.labels.first() == Some(&value))
                .filter_map(|one| number(one))
                .sum::<f64>()
        };
        let labelled = label.values.iter().map(|value| {
            let now = total(self.now, value);
            let earlier = self.earlier.map_or(0.0, |numbers| total(numbers, value));
            Labelled { label: value, per_second: self.per_second(now, earlier), total: now }
        });
        labelled.filter(|one| one.total > 0.0).collect()
    }

    /// The quantile `share` of what a histogram has recorded, in seconds or items.
    pub(super) fn quantile(&self, metric: &Metric, share: f64) -> Option<f64> {
        self.recorded(metric)?.quantile(share)
    }

    /// The mean of what a histogram has recorded.
    pub(super) fn mean(&self, metric: &Metric) -> Option<f64> {
        let recorded = self.recorded(metric)?;
        let count = recorded.count();
        (count > 0).then(|| recorded.sum / count as f64)
    }

    /// Growth per second of the sum of a histogram.
    pub(super) fn sum_rate(&self, metric: &Metric) -> f64 {
        self.recorded(metric).map_or(0.0, |recorded| recorded.sum / self.seconds)
    }

    fn recorded(&self, metric: &Metric) -> Option<HistogramValue> {
        let now = histogram(self.now, metric)?;
        match self.earlier.and_then(|earlier| histogram(earlier, metric)) {
            Some(earlier) => Some(now.since(earlier)),
            None => Some(now.clone()),
        }
    }

    /// A component that was dropped and built again under its name counts from zero.
    fn per_second(&self, now: f64, earlier: f64) -> f64 {
        let grown = if now < earlier { now } else { now - earlier };
        grown / self.seconds
    }
}

fn histogram<'a>(numbers: &Numbers<'a>, metric: &Metric) -> Option<&'a HistogramValue> {
    let series = numbers.get(metric.name)?.first()?;
    match &series.value {
        Value::Histogram(value) => Some(value),
        _ => None,
    }
}

fn sum(series: &[&Series]) -> f64 {
    series.iter().filter_map(|series| number(series)).sum()
}

fn number(series: &Series) -> Option<f64> {
    match series.value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

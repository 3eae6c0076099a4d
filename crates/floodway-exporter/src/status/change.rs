//! What a component did between two snapshots.

use std::{
    collections::{BTreeMap, HashMap},
    time::SystemTime,
};

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
        // One that was built again under its name counts from zero.
        earlier: earlier.get(key).filter(|earlier| since(earlier) == since(numbers)),
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

    /// Growth per second of a counter, over all of its labels; `None` where it is not counted.
    pub(super) fn rate(&self, metric: &Metric) -> Option<f64> {
        let total = |numbers: &Numbers<'_>| Some(sum(numbers.get(metric.name)?));
        let earlier = self.earlier.and_then(total).unwrap_or(0.0);
        Some(self.per_second(total(self.now)?, earlier))
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
    pub(super) fn sum_rate(&self, metric: &Metric) -> Option<f64> {
        Some(self.recorded(metric)?.sum / self.seconds)
    }

    fn recorded(&self, metric: &Metric) -> Option<HistogramValue> {
        let now = histogram(self.now, metric)?;
        let earlier = self.earlier.and_then(|earlier| histogram(earlier, metric));
        Some(earlier.map_or_else(|| now.clone(), |earlier| now.since(earlier)))
    }

    /// What several components add to, because there are too many names, shrinks when one is gone.
    fn per_second(&self, now: f64, earlier: f64) -> f64 {
        (now - earlier).max(0.0) / self.seconds
    }
}

/// When the component was registered.
fn since(numbers: &Numbers<'_>) -> Option<SystemTime> {
    numbers.values().flatten().map(|series| series.since).next()
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use floodway_metrics::{
        Buckets, Collector, Counter, Histogram, Registry, Source, catalogue::limiter,
    };

    use super::*;

    /// A limiter with nothing but what it rejected and how long it held.
    struct Limiter {
        rejected: Counter<{ limiter::REASON.values.len() * limiter::PRIORITY.values.len() }>,
        held: Histogram,
    }

    impl Source for Limiter {
        fn collect(&self, out: &mut Collector) {
            out.numbers(&limiter::REJECTED, self.rejected.values().map(|count| count as f64));
            out.histogram(&limiter::HOLD_DURATION, self.held.value());
        }
    }

    fn registered(registry: &Registry, rejected: u64, held: &[u64]) -> Arc<Limiter> {
        let made = Arc::new(Limiter {
            rejected: Counter::new(),
            held: Histogram::new(Buckets::DURATIONS),
        });
        made.rejected.add(0, rejected);
        let record = |millis| made.held.record(Duration::from_millis(millis).as_nanos() as u64);
        held.iter().copied().for_each(record);
        let source: Arc<dyn Source> = Arc::clone(&made) as _;
        registry.register(ComponentKind::Limiter, "a", &source).unwrap();
        made
    }

    #[track_caller]
    fn check(earlier: &Snapshot, now: &Snapshot, rate: f64, mean: Option<f64>) {
        let (earlier, now) = (components(earlier), components(now));
        let change = changes(ComponentKind::Limiter, &now, &earlier, 10.0).next().unwrap();
        assert_eq!(change.rate(&limiter::REJECTED), Some(rate));
        assert_eq!(change.mean(&limiter::HOLD_DURATION), mean);
        // It does not say.
        assert_eq!(change.rate(&limiter::PERMIT_SECONDS), None);
    }

    #[test]
    fn what_was_built_again_counts_from_zero() {
        let registry = Registry::new();
        let nothing = registry.snapshot();
        let first = registered(&registry, 50, &[100, 100]);
        let then = registry.snapshot();
        check(&nothing, &then, 5.0, Some(0.1));
        check(&then, &then, 0.0, None);
        drop(first);
        let _again = registered(&registry, 20, &[300]);
        check(&then, &registry.snapshot(), 2.0, Some(0.3));
    }
}

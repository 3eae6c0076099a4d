//! The numbers of all components at one moment.

use std::{sync::Arc, time::SystemTime};

use crate::{Buckets, CATALOGUE, Exemplar, Metric, exemplar::Exemplars};

/// Something with numbers.
///
/// Implementations report every label value of every metric they have, zeros included.
pub trait Source: Send + Sync {
    /// Reports the numbers now.
    fn collect(&self, out: &mut Collector);
}

/// The numbers of all live components, by metric in catalogue order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// The metrics that have at least one series.
    pub families: Vec<Family>,
}

impl Snapshot {
    /// The number of one series of a counter or gauge, for tests and assertions: `labels` are the
    /// values, the component's name first. Summed over the labels at the end that are left out.
    /// `None` if there is no such series.
    #[must_use]
    pub fn number(&self, metric: &'static Metric, labels: &[&str]) -> Option<f64> {
        let numbers = self.values(metric, labels).filter_map(|value| match value {
            Value::Number(number) => Some(*number),
            Value::Histogram(_) => None,
        });
        numbers.reduce(|sum, number| sum + number)
    }

    /// The histogram with all of `labels`, as for [`number`](Self::number).
    #[must_use]
    pub fn histogram(&self, metric: &'static Metric, labels: &[&str]) -> Option<&HistogramValue> {
        let mut values = self.values(metric, labels);
        values.find_map(|value| match value {
            Value::Number(_) => None,
            Value::Histogram(histogram) => Some(histogram),
        })
    }

    fn values<'a, 'b>(
        &'a self,
        metric: &'static Metric,
        labels: &'b [&str],
    ) -> impl Iterator<Item = &'a Value> + use<'a, 'b> {
        let family = self.families.iter().find(|family| family.metric.name == metric.name);
        let series = family.into_iter().flat_map(|family| &family.series);
        let wanted = move |series: &&Series| {
            let mut values = series.label_pairs(metric).map(|(_, value)| value);
            labels.iter().all(|label| values.next() == Some(*label))
        };
        series.filter(wanted).map(|series| &series.value)
    }
}

/// One metric with its series.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Family {
    /// The catalogue entry.
    pub metric: &'static Metric,
    /// One per component and label value.
    pub series: Vec<Series>,
}

/// One series of a metric.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Series {
    /// The component's name; `None` for the exporter, which has no name.
    pub component: Option<Arc<str>>,
    /// One value per closed label of the metric, in its order.
    pub labels: Vec<&'static str>,
    /// When the component was registered, and its counters were zero.
    pub since: SystemTime,
    /// The number.
    pub value: Value,
}

impl Series {
    /// All labels with their values, the component's first.
    pub fn label_pairs<'a>(
        &'a self,
        metric: &'static Metric,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        let component = metric.component.label().zip(self.component.as_deref());
        let closed = metric.labels.iter().map(|label| label.name).zip(self.labels.iter().copied());
        component.into_iter().chain(closed)
    }
}

/// The number of a series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(HistogramValue),
}

/// What a histogram recorded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistogramValue {
    /// The bounds.
    pub buckets: &'static Buckets,
    /// Observations up to each bound and, last, all of them.
    pub cumulative: Vec<u64>,
    /// Sum of all observations, in the exported unit.
    pub sum: f64,
    /// Of the histogram, and of those that are added to it.
    pub(crate) exemplars: Vec<Arc<Exemplars>>,
}

impl HistogramValue {
    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// An example for each bucket where there is one, `+Inf` last; empty if no trace was ever recorded.
    /// Asks for new ones: call it where they are shown.
    #[must_use]
    pub fn exemplars(&self) -> Vec<Option<Exemplar>> {
        let mut of_all = self.exemplars.iter().map(|exemplars| exemplars.read());
        let mut found = of_all.next().unwrap_or_default();
        for more in of_all {
            for (known, other) in found.iter_mut().zip(more) {
                *known = known.take().or(other);
            }
        }
        found
    }

    /// What was recorded after `earlier`, a former value of the same histogram, without exemplars.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.cumulative.iter().zip(&earlier.cumulative);
        Self {
            buckets: self.buckets,
            cumulative: pairs.map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum: self.sum - earlier.sum,
            exemplars: Vec::new(),
        }
    }

    /// The value below which the part `share` (0 to 1) of the observations lies, in the exported
    /// unit; `None` if there are none.
    ///
    /// As `histogram_quantile` of Prometheus: in proportion within the bucket, and the highest
    /// bound for what lies above it.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * count as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (upper, cumulative) in self.buckets.upper_bounds().zip(&self.cumulative) {
            let cumulative = *cumulative as f64;
            if cumulative >= rank && cumulative > below {
                return Some(lower + (upper - lower) * (rank - below) / (cumulative - below));
            }
            (below, lower) = (cumulative, upper);
        }
        Some(lower)
    }

    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.cumulative.iter_mut().zip(&other.cumulative) {
            *mine += theirs;
        }
        self.sum += other.sum;
        self.exemplars.extend(other.exemplars.iter().map(Arc::clone));
    }
}

/// By what was counted: exemplars are examples of it.
impl PartialEq for HistogramValue {
    fn eq(&self, other: &Self) -> bool {
        self.cumulative == other.cumulative && self.sum == other.sum
    }
}

/// Takes the numbers of one component after another.
#[derive(Debug)]
pub struct Collector {
    /// By position in the catalogue.
    series: Vec<Vec<Series>>,
    component: Option<Arc<str>>,
    since: SystemTime,
    /// Whether the component shares its name, so that equal series are added up.
    folded: bool,
}

impl Collector {
    pub(crate) fn new() -> Self {
        Self {
            series: CATALOGUE.iter().map(|_| Vec::new()).collect(),
            component: None,
            since: SystemTime::UNIX_EPOCH,
            folded: false,
        }
    }

    pub(crate) fn start(&mut self, component: Option<Arc<str>>, since: SystemTime, folded: bool) {
        self.component = component;
        self.since = since;
        self.folded = folded;
    }

    pub(crate) fn series_count(&self) -> usize {
        self.series.iter().map(Vec::len).sum()
    }

    pub(crate) fn finish(self) -> Snapshot {
        let families = CATALOGUE
            .iter()
            .zip(self.series)
            .filter(|(_, series)| !series.is_empty())
            .map(|(metric, series)| Family { metric, series })
            .collect();
        Snapshot { families }
    }

    /// Reports a metric without closed labels.
    pub fn number(&mut self, metric: &'static Metric, value: f64) {
        self.push(metric, Vec::new(), Value::Number(value));
    }

    /// Reports all values of a metric with closed labels: one for each combination of their values,
    /// in the labels' order, the last label varying fastest.
    pub fn numbers(&mut self, metric: &'static Metric, values: impl IntoIterator<Item = f64>) {
        let mut combinations = vec![Vec::new()];
        for label in metric.labels {
            combinations = combinations
                .into_iter()
                .flat_map(|known| {
                    label.values.iter().map(move |value| [known.as_slice(), &[*value]].concat())
                })
                .collect();
        }
        let mut combinations = combinations.into_iter();
        for value in values {
            let Some(labels) = combinations.next() else {
                debug_assert!(false, "{}: more values than combinations", metric.name);
                return;
            };
            self.push(metric, labels, Value::Number(value));
        }
        debug_assert!(combinations.next().is_none(), "{}: all values", metric.name);
    }

    /// Reports a histogram without closed labels.
    pub fn histogram(&mut self, metric: &'static Metric, value: HistogramValue) {
        self.push(metric, Vec::new(), Value::Histogram(value));
    }

    fn push(&mut self, metric: &'static Metric, labels: Vec<&'static str>, value: Value) {
        let Some(at) = CATALOGUE.iter().position(|entry| std::ptr::eq(*entry, metric)) else {
            debug_assert!(false, "{} is not in the catalogue", metric.name);
            return;
        };
        let series = &mut self.series[at];
        if self.folded
            && let Some(same) = series
                .iter_mut()
                .find(|one| one.component == self.component && one.labels == labels)
        {
            match (&mut same.value, &value) {
                (Value::Number(sum), Value::Number(more)) => *sum += more,
                (Value::Histogram(sum), Value::Histogram(more)) => sum.merge(more),
                _ => debug_assert!(false, "{} has one kind", metric.name),
            }
            return;
        }
        let component = self.component.clone();
        series.push(Series { component, labels, since: self.since, value });
    }
}

//! The numbers of a registry through the `metrics` facade, for recorders other than that of Prometheus.

use std::time::Duration;

use floodway_metrics::{Family, HistogramValue, Kind, Registry, Series, Unit, Value};
use metrics::{Key, Label, Level, Metadata};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Where the recorder is told that these come from.
static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Copies the numbers of a registry to the recorder of the process, whatever it is: statsd, a
/// cloud's agent, a recorder of your own.
///
/// Components own their numbers, so none is lost because a recorder came late: the next
/// [`publish`](Self::publish) copies all of it. The facade's counters are whole numbers and its
/// histograms take single observations, so
/// - a counter of seconds is a gauge that only grows,
/// - a histogram is a counter `…_bucket` for each bound (label `le`, cumulative) and `…_count`, and a
///   gauge `…_sum`, as the Prometheus text format has it.
///
/// With the recorder of `metrics-exporter-prometheus` use [`Exporter`](crate::Exporter) instead, where
/// the page has everything as it is, and never both: every number would be there twice.
#[derive(Clone, Debug)]
pub struct Publisher {
    registry: Registry,
}

impl Publisher {
    /// Publishes `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone() }
    }

    /// Copies all numbers now. Costs about as much as a scrape.
    pub fn publish(&self) {
        for family in &self.registry.snapshot().families {
            for series in &family.series {
                publish(family, series);
            }
        }
    }

    /// Copies all numbers every `period` (at least a millisecond) until the answer is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self, period: Duration) -> Publishing {
        let task = tokio::spawn(async move {
            let mut ticks = interval(period.max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.publish();
            }
        });
        Publishing(task)
    }
}

/// Publishes until it is dropped.
#[derive(Debug)]
#[must_use = "publishing ends when this is dropped"]
pub struct Publishing(JoinHandle<()>);

/// Ends the task; nothing else holds it.
impl Drop for Publishing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn publish(family: &Family, series: &Series) {
    let metric = family.metric;
    let labels: Vec<_> = series
        .label_pairs(metric)
        .map(|(name, value)| Label::new(name, value.to_owned()))
        .collect();
    match &series.value {
        Value::Number(number)
            if matches!(metric.kind, Kind::Counter) && metric.unit != Unit::Seconds =>
        {
            count(metric.name.into(), labels, *number as u64);
        }
        Value::Number(number) => gauge(metric.name.into(), labels, *number),
        Value::Histogram(value) => histogram(metric.name, &labels, value),
        other => debug_assert!(false, "{other:?} has no counterpart"),
    }
}

fn histogram(name: &str, labels: &[Label], value: &HistogramValue) {
    let bounds = value.buckets.upper_bounds().map(|bound| bound.to_string());
    for (bound, cumulative) in bounds.chain(["+Inf".to_owned()]).zip(&value.cumulative) {
        let labels = [labels, &[Label::new("le", bound)]].concat();
        count(format!("{name}_bucket"), labels, *cumulative);
    }
    count(format!("{name}_count"), labels.to_vec(), value.count());
    gauge(format!("{name}_sum"), labels.to_vec(), value.sum);
}

fn count(name: String, labels: Vec<Label>, value: u64) {
    let key = Key::from_parts(name, labels);
    metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA)).absolute(value);
}

fn gauge(name: String, labels: Vec<Label>, value: f64) {
    let key = Key::from_parts(name, labels);
    metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA)).set(value);
}

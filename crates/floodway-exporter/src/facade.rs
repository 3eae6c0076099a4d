//! The numbers of a registry through the `metrics` facade, for recorders other than that of Prometheus.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use floodway_metrics::{Family, HistogramValue, Kind, Registry, Series, Unit, Value};
use metrics::{Key, Label, Level, Metadata, SharedString};
use tokio::{
    task::{JoinHandle, spawn_blocking},
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
/// Of a component that was dropped gauges are 0 from the next time on, and counters stay; built again
/// under its name, they go on from there.
///
/// With the recorder of `metrics-exporter-prometheus` use [`Exporter`](crate::Exporter) instead, where
/// the page has everything as it is, and never both: every number would be there twice.
#[derive(Clone, Debug)]
pub struct Publisher {
    registry: Registry,
    published: Arc<Mutex<Published>>,
}

/// What the recorder was told, so that it can be told what has become of it. Grows with the series
/// that the recorder keeps, too.
#[derive(Debug, Default)]
struct Published {
    round: u64,
    counters: HashMap<Key, Counted>,
    /// By the last round in which they were there.
    gauges: HashMap<Key, u64>,
}

#[derive(Debug)]
struct Counted {
    /// Of components that had the name before.
    before: u64,
    last: u64,
    /// When the one that has it now was registered.
    since: SystemTime,
}

impl Publisher {
    /// Publishes `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone(), published: Arc::default() }
    }

    /// Copies all numbers now. Costs about as much as a scrape.
    pub fn publish(&self) {
        let snapshot = self.registry.snapshot();
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.round += 1;
        for family in &snapshot.families {
            describe(family);
            for series in &family.series {
                published.series(family, series);
            }
        }
        published.clear_gauges();
    }

    /// Copies all numbers every `period` until the answer is dropped, on threads for blocking work.
    ///
    /// # Errors
    ///
    /// If `period` is zero.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self, period: Duration) -> Result<Publishing, PublishError> {
        if period.is_zero() {
            return Err(PublishError::Period);
        }
        let task = tokio::spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let publisher = self.clone();
                // An error is a component that panicked. It may be well next time.
                let _ = spawn_blocking(move || publisher.publish()).await;
            }
        });
        Ok(Publishing(task))
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

/// Why nothing is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It would never rest.
    #[error("period: 0 s is out of range, expected more")]
    Period,
}

/// Whether the facade takes it as a counter.
fn is_counter(family: &Family) -> bool {
    matches!(family.metric.kind, Kind::Counter) && family.metric.unit != Unit::Seconds
}

fn describe(family: &Family) {
    let (name, help) = (family.metric.name, family.metric.help);
    let unit = (family.metric.unit == Unit::Seconds).then_some(metrics::Unit::Seconds);
    metrics::with_recorder(|recorder| {
        let gauge = |name: String, unit| {
            recorder.describe_gauge(name.into(), unit, SharedString::const_str(help));
        };
        let counter = |name: String| {
            recorder.describe_counter(name.into(), None, SharedString::const_str(help));
        };
        match family.metric.kind {
            Kind::Histogram(_) => {
                counter(format!("{name}_bucket"));
                counter(format!("{name}_count"));
                gauge(format!("{name}_sum"), unit);
            }
            _ if is_counter(family) => counter(name.to_owned()),
            _ => gauge(name.to_owned(), unit),
        }
    });
}

impl Published {
    fn series(&mut self, family: &Family, series: &Series) {
        let name = family.metric.name;
        let labels: Vec<_> = series
            .label_pairs(family.metric)
            .map(|(name, value)| Label::new(name, value.to_owned()))
            .collect();
        match &series.value {
            Value::Number(number) if is_counter(family) => {
                self.count(Key::from_parts(name, labels), series.since, *number as u64);
            }
            Value::Number(number) => self.gauge(Key::from_parts(name, labels), *number),
            Value::Histogram(value) => self.histogram(name, &labels, series.since, value),
            other => debug_assert!(false, "{other:?} has no counterpart"),
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        labels: &[Label],
        since: SystemTime,
        value: &HistogramValue,
    ) {
        let bounds = value.buckets.upper_bounds().map(|bound| bound.to_string());
        for (bound, cumulative) in bounds.chain(["+Inf".to_owned()]).zip(&value.cumulative) {
            let labels = [labels, &[Label::new("le", bound)]].concat();
            self.count(Key::from_parts(format!("{name}_bucket"), labels), since, *cumulative);
        }
        let count = Key::from_parts(format!("{name}_count"), labels.to_vec());
        self.count(count, since, value.count());
        self.gauge(Key::from_parts(format!("{name}_sum"), labels.to_vec()), value.sum);
    }

    fn count(&mut self, key: Key, since: SystemTime, value: u64) {
        let fresh = Counted { before: 0, last: 0, since };
        let counted = self.counters.entry(key.clone()).or_insert(fresh);
        // Fewer under the same name: several add to it, because there are too many names.
        if since != counted.since || value < counted.last {
            counted.before += counted.last;
        }
        (counted.last, counted.since) = (value, since);
        let total = counted.before + value;
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
            .absolute(total);
    }

    fn gauge(&mut self, key: Key, value: f64) {
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA)).set(value);
        self.gauges.insert(key, self.round);
    }

    /// Those whose component has gone.
    fn clear_gauges(&mut self) {
        let round = self.round;
        self.gauges.retain(|key, last| {
            let is_there = *last == round;
            if !is_there {
                metrics::with_recorder(|recorder| recorder.register_gauge(key, &METADATA)).set(0.0);
            }
            is_there
        });
    }
}

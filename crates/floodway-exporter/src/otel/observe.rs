//! The numbers of a registry as observable instruments of a meter.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use floodway_metrics::{CATALOGUE, Family, Kind, Metric, Registry, Series, Snapshot, Value};
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};
use tokio::time::Instant;

use super::describe;

/// Instruments are read one after another. Those that are read within this time see one snapshot.
const SHARED_FOR: Duration = Duration::from_millis(100);

/// Gives `meter` an observable instrument for every metric of the catalogue, for applications that
/// have a pipeline of their own. Once per process: instruments cannot be taken back.
///
/// Counters and gauges are exact. A histogram that is aggregated already cannot be observed: it
/// becomes two counters, `…_count` and `…_sum`. [`Otlp`](super::Otlp) sends all of it.
pub fn observe(registry: &Registry, meter: &Meter) {
    let shared = Arc::new(Shared { registry: registry.clone(), last: Mutex::default() });
    for metric in CATALOGUE {
        let name = describe::name(metric);
        match metric.kind {
            Kind::Counter => {
                let unit = describe::unit(metric);
                counter(&shared, meter, metric, name.into(), unit, number);
            }
            Kind::Histogram(_) => {
                counter(
                    &shared,
                    meter,
                    metric,
                    format!("{name}_count"),
                    "1",
                    |value| match value {
                        Value::Histogram(value) => Some(value.count() as f64),
                        _ => None,
                    },
                );
                let unit = describe::unit(metric);
                counter(&shared, meter, metric, format!("{name}_sum"), unit, |value| match value {
                    Value::Histogram(value) => Some(value.sum),
                    _ => None,
                });
            }
            _ if describe::is_up_down_counter(metric) => {
                let shared = Arc::clone(&shared);
                let builder = meter.f64_observable_up_down_counter(name);
                let _ = builder
                    .with_description(metric.help)
                    .with_unit(describe::unit(metric))
                    .with_callback(move |observer| shared.observe(metric, observer, number))
                    .build();
            }
            _ => {
                let shared = Arc::clone(&shared);
                let _ = meter
                    .f64_observable_gauge(name)
                    .with_description(metric.help)
                    .with_unit(describe::unit(metric))
                    .with_callback(move |observer| shared.observe(metric, observer, number))
                    .build();
            }
        }
    }
}

fn counter(
    shared: &Arc<Shared>,
    meter: &Meter,
    metric: &'static Metric,
    name: String,
    unit: &'static str,
    part: fn(&Value) -> Option<f64>,
) {
    let shared = Arc::clone(shared);
    let _ = meter
        .f64_observable_counter(name)
        .with_description(metric.help)
        .with_unit(unit)
        .with_callback(move |observer| shared.observe(metric, observer, part))
        .build();
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// One snapshot for all instruments of a collection.
struct Shared {
    registry: Registry,
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Shared {
    fn observe(
        &self,
        metric: &'static Metric,
        observer: &dyn AsyncInstrument<f64>,
        part: fn(&Value) -> Option<f64>,
    ) {
        let snapshot = self.snapshot();
        let is_it = |family: &&Family| std::ptr::eq(family.metric, metric);
        for series in snapshot.families.iter().filter(is_it).flat_map(|family| &family.series) {
            if let Some(value) = part(&series.value) {
                observer.observe(value, &attributes(metric, series));
            }
        }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, snapshot)) = &*last
            && when.elapsed() < SHARED_FOR
        {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(self.registry.snapshot());
        *last = Some((Instant::now(), Arc::clone(&snapshot)));
        snapshot
    }
}

fn attributes(metric: &'static Metric, series: &Series) -> Vec<KeyValue> {
    let pairs = describe::attributes(metric, series);
    pairs.map(|(name, value)| KeyValue::new(name, value.to_owned())).collect()
}

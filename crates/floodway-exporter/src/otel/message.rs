//! A snapshot as an OTLP message.
//!
//! The SDK's own metrics pass through instruments that record single observations. A histogram that
//! is aggregated already cannot be handed to it, and it collects no exemplars. So the message is
//! built from the snapshot, and all its numbers are those of the other formats.

use floodway_metrics::{Exemplar, Family, HistogramValue, Kind, Series, Snapshot, Value};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Exemplar as ProtoExemplar, Gauge, Histogram, HistogramDataPoint,
        Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, metric,
        number_data_point,
    },
    resource::v1::Resource,
};

use super::describe;
use crate::unix_time::nanos;

/// `now` is when it was taken, in nanoseconds of Unix time.
pub(super) fn request(
    snapshot: &Snapshot,
    resource: &opentelemetry_sdk::Resource,
    now: u64,
) -> ExportMetricsServiceRequest {
    let attributes = resource.iter().map(|(key, value)| pair(key.as_str(), &value.as_str()));
    let scope = InstrumentationScope {
        name: "floodway".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let metrics = snapshot.families.iter().map(|family| metric(family, now)).collect();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes: attributes.collect(), ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn metric(family: &Family, now: u64) -> Metric {
    let metric = family.metric;
    let numbers = || family.series.iter().filter_map(|series| number(family, series, now));
    let cumulative = AggregationTemporality::Cumulative as i32;
    let data = match metric.kind {
        Kind::Histogram(_) => metric::Data::Histogram(Histogram {
            data_points: family
                .series
                .iter()
                .filter_map(|series| histogram(family, series, now))
                .collect(),
            aggregation_temporality: cumulative,
        }),
        Kind::Counter => metric::Data::Sum(Sum {
            data_points: numbers().collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        _ if describe::is_up_down_counter(metric) => metric::Data::Sum(Sum {
            data_points: numbers().collect(),
            aggregation_temporality: cumulative,
            is_monotonic: false,
        }),
        _ => metric::Data::Gauge(Gauge { data_points: numbers().collect() }),
    };
    Metric {
        name: describe::name(metric).to_owned(),
        description: metric.help.to_owned(),
        unit: describe::unit(metric).to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

fn number(family: &Family, series: &Series, now: u64) -> Option<NumberDataPoint> {
    let Value::Number(number) = series.value else {
        return None;
    };
    Some(NumberDataPoint {
        attributes: attributes(family, series),
        start_time_unix_nano: start(family, series),
        time_unix_nano: now,
        value: Some(number_data_point::Value::AsDouble(number)),
        ..NumberDataPoint::default()
    })
}

fn histogram(family: &Family, series: &Series, now: u64) -> Option<HistogramDataPoint> {
    let Value::Histogram(value) = &series.value else {
        return None;
    };
    Some(HistogramDataPoint {
        attributes: attributes(family, series),
        start_time_unix_nano: start(family, series),
        time_unix_nano: now,
        count: value.count(),
        sum: Some(value.sum),
        bucket_counts: counts(value),
        explicit_bounds: value.buckets.upper_bounds().collect(),
        exemplars: value.exemplars().iter().flatten().map(exemplar).collect(),
        ..HistogramDataPoint::default()
    })
}

/// When what adds up was zero: a component that is built again under its name has a later one.
fn start(family: &Family, series: &Series) -> u64 {
    match family.metric.kind {
        Kind::Gauge if !describe::is_up_down_counter(family.metric) => 0,
        _ => nanos(series.since),
    }
}

/// What fell into each bucket alone.
fn counts(value: &HistogramValue) -> Vec<u64> {
    let below = [0].iter().chain(&value.cumulative);
    value.cumulative.iter().zip(below).map(|(up_to, below)| up_to - below).collect()
}

fn exemplar(exemplar: &Exemplar) -> ProtoExemplar {
    ProtoExemplar {
        time_unix_nano: nanos(exemplar.time),
        span_id: exemplar.trace.span_id.to_be_bytes().to_vec(),
        trace_id: exemplar.trace.trace_id.to_be_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
        ..ProtoExemplar::default()
    }
}

fn attributes(family: &Family, series: &Series) -> Vec<KeyValue> {
    describe::attributes(family.metric, series).map(|(name, value)| pair(name, value)).collect()
}

fn pair(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    }
}

//! A snapshot in the Prometheus text format.

use floodway_metrics::{Family, HistogramValue, Kind, Series, Snapshot, Value};
use prometheus::{TextEncoder, proto};

/// Appends `snapshot` to `page`.
pub(super) fn encode(snapshot: &Snapshot, page: &mut String) {
    let families: Vec<_> = snapshot.families.iter().map(family).collect();
    // Fails only for a family without a name or without series, of which a snapshot has none.
    let encoded = TextEncoder::new().encode_utf8(&families, page);
    debug_assert!(encoded.is_ok(), "{encoded:?}");
}

fn family(family: &Family) -> proto::MetricFamily {
    let mut encoded = proto::MetricFamily::default();
    encoded.set_name(family.metric.name.into());
    encoded.set_help(family.metric.help.into());
    encoded.set_field_type(match family.metric.kind {
        Kind::Counter => proto::MetricType::COUNTER,
        Kind::Histogram(_) => proto::MetricType::HISTOGRAM,
        _ => proto::MetricType::GAUGE,
    });
    encoded.set_metric(family.series.iter().map(|one| series(family, one)).collect());
    encoded
}

fn series(family: &Family, series: &Series) -> proto::Metric {
    let labels = series.label_pairs(family.metric).map(|(name, value)| {
        let mut label = proto::LabelPair::default();
        label.set_name(name.into());
        label.set_value(value.into());
        label
    });
    let mut encoded = proto::Metric::from_label(labels.collect());
    match &series.value {
        Value::Histogram(value) => encoded.set_histogram(histogram(value)),
        Value::Number(value) if matches!(family.metric.kind, Kind::Counter) => {
            let mut counter = proto::Counter::default();
            counter.set_value(*value);
            encoded.set_counter(counter);
        }
        Value::Number(value) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(*value);
            encoded.set_gauge(gauge);
        }
        other => debug_assert!(false, "{other:?} has no text form"),
    }
    encoded
}

/// The encoder adds the bucket for `+Inf` from the count.
fn histogram(value: &HistogramValue) -> proto::Histogram {
    let buckets = value.buckets.upper_bounds().zip(&value.cumulative).map(|(bound, count)| {
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(*count);
        bucket
    });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(value.count());
    histogram.set_sample_sum(value.sum);
    histogram
}

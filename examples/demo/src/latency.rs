//! Distributions of latency.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Microseconds, to three digits. Grows as needed.
pub(crate) fn histogram() -> Histogram<u64> {
    let mut latencies = Histogram::new(3).expect("three digits are allowed");
    latencies.auto(true);
    latencies
}

pub(crate) fn record(latencies: &mut Histogram<u64>, latency: Duration) {
    let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    latencies.record(microseconds).expect("the histogram grows as needed");
}

/// In seconds; `None` if there is nothing.
pub(crate) fn quantile(latencies: &Histogram<u64>, quantile: f64) -> Option<f64> {
    (!latencies.is_empty()).then(|| latencies.value_at_quantile(quantile) as f64 / 1e6)
}

/// Seconds as people read them.
pub(crate) fn shown(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.2} s"),
    }
}

//! When windows close and what they hold.

use std::time::Duration;

use floodway_control::{Outcome, Sample, Window, WindowCollector, WindowConfig};

fn sample(latency_ms: u64, in_flight: u32, outcome: Outcome) -> Sample {
    Sample { latency: Duration::from_millis(latency_ms), in_flight, outcome }
}

/// Records `samples` as (end in ms, sample) and returns the windows that closed.
fn check(config: WindowConfig, samples: &[(u64, Sample)]) -> Vec<Window> {
    let mut collector = WindowCollector::new(config);
    samples
        .iter()
        .filter_map(|(at, sample)| collector.record(Duration::from_millis(*at), *sample))
        .collect()
}

#[test]
fn a_window_needs_both_time_and_samples() {
    let config = WindowConfig::new(Duration::from_millis(100), 3);
    let windows = check(
        config,
        &[
            (10, sample(10, 2, Outcome::Success)),
            (20, sample(20, 5, Outcome::Success)),
            (30, sample(90, 4, Outcome::Overload)), // enough samples, too early
            (110, sample(30, 1, Outcome::Success)),
            (120, sample(10, 1, Outcome::Success)), // opens the next
        ],
    );
    assert_eq!(
        windows,
        [Window {
            duration: Duration::from_millis(110),
            successes: 3,
            overloads: 1,
            mean_latency: Duration::from_millis(20),
            min_latency: Duration::from_millis(10),
            max_in_flight: 5,
        }]
    );
    assert!((windows[0].overload_ratio() - 0.25).abs() < 1e-9);
}

#[test]
fn ignored_samples_leave_no_trace() {
    let config = WindowConfig::new(Duration::ZERO, 1);
    assert_eq!(check(config, &[(10, sample(10, 9, Outcome::Ignore))]), []);
}

#[test]
fn a_window_of_overloads_has_no_latency() {
    let config = WindowConfig::new(Duration::ZERO, 1);
    let windows = check(config, &[(10, sample(10, 1, Outcome::Overload))]);
    assert_eq!(windows[0].mean_latency, Duration::ZERO);
    assert_eq!(windows[0].min_latency, Duration::ZERO);
    assert!((windows[0].overload_ratio() - 1.0).abs() < 1e-9);
}

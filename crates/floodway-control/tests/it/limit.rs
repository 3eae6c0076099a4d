//! What each algorithm does to its limit.

use std::time::Duration;

use floodway_control::{Aimd, Fixed, LimitAlgorithm, Reason, Window};

const GOOD: Window = Window {
    opened: Duration::ZERO,
    closed: Duration::from_secs(1),
    successes: 100,
    overloads: 0,
    limited: 100,
    mean_latency: Duration::from_millis(20),
    latency_error: Duration::from_millis(1),
    min_latency: Duration::from_millis(10),
    max_in_flight: 10,
    mean_in_flight: 9.0,
};

/// Feeds `window` to `algorithm` and compares reason and limit.
#[track_caller]
fn check(algorithm: &mut impl LimitAlgorithm, window: Window, reason: Reason, limit: f64) {
    assert_eq!(algorithm.on_window(&window), reason);
    assert!(
        (algorithm.limit() - limit).abs() < 1e-9,
        "limit is {}, not {limit}",
        algorithm.limit()
    );
}

#[test]
fn fixed_moves_only_by_hand() {
    let mut fixed = Fixed::new(8);
    assert_eq!(fixed.window(), None);
    check(&mut fixed, Window { overloads: 100, ..GOOD }, Reason::Steady, 8.0);
    fixed.set_limit(3.0);
    check(&mut fixed, GOOD, Reason::Steady, 3.0);
}

#[test]
fn aimd_grows_by_one_when_at_least_half_in_use() {
    let mut aimd = Aimd::new(20);
    check(&mut aimd, GOOD, Reason::Growth, 21.0);
    check(&mut aimd, GOOD, Reason::Unused, 21.0);
}

#[test]
fn aimd_shrinks_once_per_window_however_many_failed() {
    let mut aimd = Aimd::new(10);
    check(&mut aimd, Window { overloads: 1, ..GOOD }, Reason::Overload, 9.0);
    check(&mut aimd, Window { overloads: 90, ..GOOD }, Reason::Overload, 8.1);
}

#[test]
fn aimd_tolerates_the_overload_ratio_it_was_given() {
    let mut aimd = Aimd::new(10).with_overload_ratio(0.1).with_decrease_factor(0.5);
    check(&mut aimd, Window { successes: 90, overloads: 10, ..GOOD }, Reason::Growth, 11.0);
    check(&mut aimd, Window { successes: 89, overloads: 11, ..GOOD }, Reason::Overload, 5.5);
}

#[test]
fn aimd_reads_latency_only_when_asked() {
    let slow = Window { mean_latency: Duration::from_secs(9), ..GOOD };
    check(&mut Aimd::new(10), slow, Reason::Growth, 11.0);
    let mut bounded = Aimd::new(10).with_max_latency(Duration::from_millis(500));
    check(&mut bounded, slow, Reason::Queue, 9.0);
}

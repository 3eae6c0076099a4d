//! What each algorithm does to its limit.

use std::time::Duration;

use floodway_control::{Aimd, Fixed, Gradient2, LimitAlgorithm, Reason, Vegas, Window};

const GOOD: Window = Window {
    opened: Duration::ZERO,
    closed: Duration::from_secs(1),
    successes: 100,
    overloads: 0,
    limited: 100,
    mean_latency: Duration::from_millis(20),
    latency_error: Duration::from_millis(1),
    min_latency: Duration::from_millis(10),
    latency_deciles: [Duration::from_millis(20); 9],
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

/// [`GOOD`] with another mean latency, and as much in flight as any limit here allows.
fn at(millis: u64) -> Window {
    Window { mean_latency: Duration::from_millis(millis), max_in_flight: 100, ..GOOD }
}

#[test]
fn vegas_aims_at_a_queue_of_three_to_six_steps() {
    let mut vegas = Vegas::new(20);
    check(&mut vegas, at(20), Reason::Steady, 20.0); // the first baseline
    check(&mut vegas, at(20), Reason::Growth, 26.0); // no queue: six steps
    check(&mut vegas, at(21), Reason::Growth, 27.0); // 26 × 1/21 ≈ 2
    check(&mut vegas, at(24), Reason::Steady, 27.0); // 27 × 4/24 ≈ 5
    check(&mut vegas, at(40), Reason::Queue, 26.0);
    check(&mut vegas, Window { overloads: 1, ..at(20) }, Reason::Overload, 25.0);
    check(&mut vegas, at(10), Reason::Steady, 25.0); // a lower baseline
    check(&mut vegas, Window { max_in_flight: 5, ..at(10) }, Reason::Unused, 25.0);
}

#[test]
fn vegas_forgets_its_baseline_after_a_while() {
    let mut vegas = Vegas::new(10).with_probe_multiplier(1.0);
    check(&mut vegas, at(10), Reason::Steady, 10.0);
    let forgot = (0..30).position(|_| vegas.on_window(&at(1_000)) == Reason::Steady);
    assert_eq!(forgot, Some(4), "the sixth window of a limit that shrank from 10 to 6");
}

#[test]
fn gradient2_moves_a_fifth_of_the_way_and_adds_a_queue() {
    let mut gradient = Gradient2::new(20);
    check(&mut gradient, at(20), Reason::Growth, 20.8); // (20 × 1 + 4) × 0.2 + 20 × 0.8
    // The mean of 20 and 100 ms is 60; 1.5 × 60 / 100 = 0.9.
    check(&mut gradient, at(100), Reason::Growth, 20.8 * 0.98 + 0.8);
    check(&mut gradient, Window { successes: 0, overloads: 9, ..GOOD }, Reason::Steady, 21.184);
    check(&mut gradient, Window { max_in_flight: 5, ..at(20) }, Reason::Unused, 21.184);
}

#[test]
fn parameters_out_of_range_are_named() {
    let field = |error: Result<(), floodway_control::InvalidParameter>| error.unwrap_err().field;
    assert_eq!(field(Vegas::new(1).with_probe_multiplier(0.0).check()), "probe_multiplier");
    assert_eq!(field(Gradient2::new(1).with_tolerance(f64::NAN).check()), "tolerance");
    assert_eq!(field(Gradient2::new(1).with_queue(-1.0).check()), "queue");
    assert_eq!(field(Gradient2::new(1).with_long_windows(1).check()), "long_windows");
}

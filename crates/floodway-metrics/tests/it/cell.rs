//! What the cells add up to.

use std::{thread, time::Duration};

use floodway_metrics::{Buckets, Counter, Gauge, Histogram, Integral};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
/// One tick of an integral, in seconds.
const TICK: f64 = 65_536e-9;

#[track_caller]
fn close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual - expected).abs() <= tolerance, "{actual} is not {expected} ± {tolerance}");
}

#[test]
fn counts_from_many_threads_add_up_by_label() {
    let counter = Counter::<2>::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    counter.increment(0);
                    counter.increment(1);
                    counter.increment(1);
                }
            });
        }
    });
    assert_eq!(counter.values(), [8_000, 16_000]);
    assert_eq!(counter.total(), 24_000);
}

#[test]
fn many_count_as_one_by_one() {
    let counter = Counter::<2>::new();
    counter.add(1, 5);
    counter.add(1, 0);
    counter.increment(1);
    assert_eq!(counter.values(), [0, 6]);
}

#[test]
fn a_gauge_holds_what_was_set() {
    let gauge = Gauge::new(1.5);
    close(gauge.value(), 1.5, 0.0);
    gauge.set(-2.0);
    close(gauge.value(), -2.0, 0.0);
}

#[test]
fn a_histogram_counts_up_to_and_including_the_bound() {
    let histogram = Histogram::new(Buckets::DURATIONS);
    for nanos in [0, 100_000, 100_001, 10_000_000_000, 10_000_000_001] {
        histogram.record(nanos);
    }
    let value = histogram.value_with_zeros(3);
    assert_eq!(value.cumulative[0], 3 + 2);
    assert_eq!(value.cumulative[1], 3 + 3);
    assert_eq!(value.cumulative[15], 3 + 4);
    assert_eq!(value.count(), 3 + 5);
    close(value.sum, 20.000_200_002, 1e-12);
    let first: Vec<_> = Buckets::DURATIONS.upper_bounds().take(3).collect();
    assert_eq!(first, [0.0001, 0.00025, 0.0005]);
}

#[test]
fn a_histogram_puts_many_in_the_bucket_of_their_mean_and_keeps_their_sum() {
    let histogram = Histogram::new(Buckets::ITEMS);
    histogram.record_many(3, 8);
    histogram.record_many(0, 100);
    histogram.record_many(2, 0);
    let value = histogram.value();
    assert_eq!(value.cumulative[..3], [2, 5, 5]);
    assert_eq!(value.count(), 5);
    close(value.sum, 8.0, 0.0);
    let one_by_one = Histogram::new(Buckets::ITEMS);
    for size in [0, 0, 2, 2, 2] {
        one_by_one.record(size);
    }
    assert_eq!(value.cumulative, one_by_one.value().cumulative);
}

#[test]
fn an_integral_counts_holders_that_have_not_ended() {
    let integral = Integral::new();
    integral.begin(1_000 * MS, 1);
    integral.begin(1_100 * MS, 1);
    integral.begin(1_200 * MS, 1);
    integral.end(1_150 * MS, 1);
    close(integral.seconds(1_300 * MS), 0.2 + 0.2 - 0.05 + 0.1, 3.0 * TICK);
    close(integral.seconds(2_300 * MS), 0.45 + 2.0, 3.0 * TICK);
}

#[test]
fn an_integral_never_runs_backwards() {
    let integral = Integral::new();
    integral.begin(1_000 * MS, 1);
    let before = integral.seconds(2_000 * MS);
    // An end that was stamped before the last read but is seen after it.
    integral.end(1_500 * MS, 1);
    let after = integral.seconds(2_100 * MS);
    assert!(after >= before, "{after} < {before}");
}

#[test]
fn an_integral_survives_the_wrap_of_its_ticks() {
    let integral = Integral::new();
    let day = 86_400 * 1_000 * MS;
    for _ in 0..1_000 {
        integral.begin(0, 1);
    }
    // Ten times through 2^42 ticks, which a thousand holders use up in 3.3 days.
    for days in 1..=32 {
        let expected = f64::from(days) * 86_400.0 * 1_000.0;
        close(integral.seconds(u64::try_from(days).unwrap() * day), expected, 1.0);
    }
}

#[test]
fn an_integral_begun_on_one_thread_may_end_on_another() {
    let integral = Integral::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..1_000).for_each(|i| integral.begin(i * MS, 1)));
            scope.spawn(|| (0..1_000).for_each(|i| integral.end((i + 5) * MS, 1)));
        }
    });
    close(integral.seconds(10_000 * MS), 8_000.0 * 0.005, 0.6);
}

proptest! {
    #[test]
    fn an_integral_equals_the_sum_of_what_was_held(
        holds in proptest::collection::vec((0u64..1_000_000, 0u64..1_000_000), 0..200),
    ) {
        let integral = Integral::new();
        let mut expected = 0.0;
        for (begin_us, held_us) in &holds {
            integral.begin(begin_us * 1_000, 1);
            integral.end((begin_us + held_us) * 1_000, 1);
            expected += *held_us as f64 / 1e6;
        }
        let tolerance = TICK * (1.0 + holds.len() as f64);
        prop_assert!((integral.seconds(3_000_000_000) - expected).abs() <= tolerance);
    }
}

#[test]
fn bounds_come_too_late_once_a_histogram_has_some() {
    let check = |millis: &[u64], message: &str| {
        let bounds: Vec<_> = millis.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(Buckets::set_durations(&bounds).unwrap_err().to_string(), message);
    };
    let _first = Histogram::new(Buckets::DURATIONS);
    check(
        &[1, 2],
        "bounds: others are in use already; set them before anything is built or exported",
    );
}

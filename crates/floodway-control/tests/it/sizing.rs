//! Formulas for a first guess, and how parallel a run was.

mod connections;

use std::{num::NonZeroUsize, time::Duration};

use floodway_control::{
    InvalidParameter,
    sizing::{Parallelism, amdahl_limit, amdahl_speedup, pool_size},
};
use proptest::prelude::*;

const MILLI: Duration = Duration::from_millis(1);

fn count(workers: usize) -> NonZeroUsize {
    NonZeroUsize::new(workers).unwrap()
}

fn measured(wall: u32, busy: u32, alone: u32, workers: usize) -> Parallelism {
    Parallelism::measured(wall * MILLI, busy * MILLI, alone * MILLI, count(workers)).unwrap()
}

#[track_caller]
fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 0.005, "{value}, expected {expected}");
}

#[track_caller]
fn refused<T>(result: Result<T, InvalidParameter>, field: &str, value: f64) {
    let error = result.err().unwrap();
    assert_eq!(error.field, field);
    assert!(error.value == value || error.value.is_nan() && value.is_nan(), "{error}");
    assert!(error.to_string().contains(field), "{error}");
}

#[test]
fn a_pool_has_a_place_for_each_task_that_waits() {
    let size = |wait, compute| pool_size(count(8), wait * MILLI, compute * MILLI).unwrap().get();
    assert_eq!(size(0, 10), 8);
    // Four fifths waiting.
    assert_eq!(size(40, 10), 40);
    assert_eq!(size(1, 1), 16);
    assert_eq!(size(1, 3), 11);
    let huge = pool_size(count(usize::MAX), Duration::MAX, Duration::from_nanos(1)).unwrap();
    assert_eq!(huge, NonZeroUsize::MAX);
}

#[test]
fn who_only_waits_has_no_pool_size() {
    refused(pool_size(count(8), MILLI, Duration::ZERO), "compute", 0.0);
}

#[test]
fn a_twentieth_that_is_serial_limits_everything() {
    let speedup = |workers| amdahl_speedup(0.95, count(workers)).unwrap();
    near(speedup(1), 1.0);
    near(speedup(8), 5.926);
    // The article that the project started from says 14.69.
    near(speedup(64), 15.422);
    assert!(speedup(usize::MAX) <= 20.0 + 1e-9);
    near(amdahl_limit(0.95).unwrap(), 20.0);
}

#[test]
fn the_ends_of_amdahls_law() {
    near(amdahl_speedup(0.0, count(64)).unwrap(), 1.0);
    near(amdahl_speedup(1.0, count(64)).unwrap(), 64.0);
    near(amdahl_limit(0.0).unwrap(), 1.0);
    assert_eq!(amdahl_limit(1.0), Ok(f64::INFINITY));
}

#[test]
fn a_share_is_a_number_from_0_to_1() {
    for share in [-0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(amdahl_speedup(share, count(8)), "parallel_share", share);
        refused(amdahl_limit(share), "parallel_share", share);
    }
}

#[test]
fn everything_at_once_gains_twice_from_twice_the_workers() {
    let run = measured(100, 800, 0, 8);
    near(run.effective(), 8.0);
    near(run.efficiency(), 1.0);
    near(run.serial_share(), 0.0);
    near(run.gain_of_doubling(), 2.0);
}

#[test]
fn one_worker_says_nothing_about_more() {
    let run = measured(100, 100, 100, 1);
    near(run.effective(), 1.0);
    near(run.serial_share(), 1.0);
    near(run.gain_of_doubling(), 1.0);
}

#[test]
fn what_ran_alone_is_the_serial_share() {
    // 50 ms alone, 950 ms of work for eight: what Amdahl's law says of 95 %.
    let run =
        Parallelism::measured(Duration::from_micros(168_750), 1_000 * MILLI, 50 * MILLI, count(8))
            .unwrap();
    near(run.effective(), 5.926);
    near(run.serial_share(), 0.05);
    near(run.speedup_at(count(8)), run.effective());
    near(run.speedup_at(count(64)), 15.422);
    near(run.gain_of_doubling(), 9.143 / 5.926);
}

#[test]
fn time_in_which_nothing_ran_is_serial_too() {
    // Half of the time the source gives nothing.
    let run = measured(200, 800, 100, 8);
    near(run.effective(), 4.0);
    near(run.serial_share(), 0.125);
    // It gives next to nothing.
    let run = measured(1_000, 10, 999, 8);
    near(run.serial_share(), 1.0);
    near(run.gain_of_doubling(), 1.0);
}

#[test]
fn a_straggler_is_serial() {
    // Eight workers for 100 ms, then one item for another 100 ms.
    let run = measured(200, 900, 100, 8);
    near(run.serial_share(), 0.111);
    assert!(run.gain_of_doubling() < 1.4);
}

#[test]
fn what_cannot_have_been_measured_is_refused() {
    let measured = |wall: u32, busy: u32, alone: u32| {
        Parallelism::measured(wall * MILLI, busy * MILLI, alone * MILLI, count(2))
    };
    refused(measured(0, 1, 0), "wall", 0.0);
    refused(measured(1, 0, 0), "busy", 0.0);
    refused(measured(1_000, 2_001, 0), "busy", 2.001);
    refused(measured(1_000, 1_000, 1_001), "alone", 1.001);
}

proptest! {
    #[test]
    fn more_workers_are_never_slower_and_never_beyond_the_limit(
        share in 0.0..=1.0f64, workers in 1usize..10_000, more in 0usize..10_000,
    ) {
        let speedup = |workers| amdahl_speedup(share, count(workers)).unwrap();
        prop_assert!(speedup(workers) <= speedup(workers + more) + 1e-9);
        prop_assert!(speedup(workers) <= amdahl_limit(share).unwrap() + 1e-9);
        prop_assert!(speedup(workers) <= workers as f64 + 1e-9);
    }

    #[test]
    fn a_pool_is_at_least_the_cores_and_grows_with_waiting(
        cores in 1usize..1_000, wait: u64, more: u64, compute in 1u64..,
    ) {
        let size = |wait| {
            let (wait, compute) = (Duration::from_nanos(wait), Duration::from_nanos(compute));
            pool_size(count(cores), wait, compute).unwrap().get()
        };
        prop_assert!(cores <= size(wait));
        prop_assert!(size(wait) <= size(wait.saturating_add(more)));
    }

    #[test]
    fn what_was_measured_gives_shares_and_gains_in_range(
        wall in 1u32..10_000, busy in 0.0001..=1.0f64, alone in 0.0..=1.0f64, workers in 1usize..100,
    ) {
        let wall = wall * MILLI;
        let busy = wall.mul_f64(busy * workers as f64);
        let run = Parallelism::measured(wall, busy, wall.mul_f64(alone), count(workers)).unwrap();
        prop_assert!((0.0..=1.0).contains(&run.serial_share()));
        prop_assert!((1.0 - 1e-9..=2.0 + 1e-9).contains(&run.gain_of_doubling()));
        prop_assert!(run.efficiency() <= 1.0 + 1e-5);
    }
}

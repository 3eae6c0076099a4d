//! When windows close and what they hold, as an algorithm sees them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use floodway_control::{Controller, LimitAlgorithm, Outcome, Reason, Sample, Window, WindowConfig};

/// Writes down the windows that it is given.
struct Spy(WindowConfig, Arc<Mutex<Vec<Window>>>);

impl LimitAlgorithm for Spy {
    fn limit(&self) -> f64 {
        10.0
    }

    fn set_limit(&mut self, _: f64) {}

    fn window(&self) -> Option<WindowConfig> {
        Some(self.0)
    }

    fn on_window(&mut self, window: &Window) -> Reason {
        self.1.lock().unwrap().push(*window);
        Reason::Steady
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Started, ended (in ms), in flight, outcome.
type Op = (u64, u64, u32, Outcome);

/// Reports `operations`, each of one permit, and returns the windows that closed.
fn check(config: WindowConfig, operations: &[Op]) -> Vec<Window> {
    let windows = Arc::default();
    let mut controller = Controller::new(Box::new(Spy(config, Arc::clone(&windows))), (1, 100));
    for &(started, ended, in_flight, outcome) in operations {
        let sample = Sample { started: ms(started), weight: 1, in_flight, limited: false, outcome };
        controller.on_sample(ms(ended), sample);
    }
    let windows = windows.lock().unwrap();
    windows.clone()
}

#[test]
fn a_window_needs_both_time_and_samples() {
    let windows = check(
        WindowConfig::new(ms(100), 3),
        &[
            (0, 10, 2, Outcome::Success),
            (0, 20, 5, Outcome::Success),
            (10, 30, 4, Outcome::Overload), // enough samples, too early
            (80, 110, 1, Outcome::Success),
            (110, 120, 1, Outcome::Success), // belongs to the next
        ],
    );
    assert_eq!(windows.len(), 1);
    let window = windows[0];
    assert_eq!((window.opened, window.closed), (ms(0), ms(110)));
    assert_eq!((window.successes, window.overloads), (3, 1));
    assert_eq!((window.mean_latency, window.min_latency), (ms(20), ms(10)));
    // Of 10, 20 and 30 ms: a deviation of 10 ms, over the root of 3.
    assert!((window.latency_error.as_secs_f64() - 0.01 / 3.0_f64.sqrt()).abs() < 1e-6);
    assert_eq!(window.max_in_flight, 5);
    assert!((window.mean_in_flight - 3.0).abs() < 1e-9);
    assert!((window.overload_ratio() - 0.25).abs() < 1e-9);
    assert!((window.throughput() - 4.0 / 0.11).abs() < 1e-9);
}

#[test]
fn windows_follow_each_other_without_a_gap() {
    let ops: Vec<Op> = (1..=4).map(|i| (50 * i, 100 * i, 1, Outcome::Success)).collect();
    let windows = check(WindowConfig::new(ms(100), 1), &ops);
    let spans: Vec<_> = windows.iter().map(|window| (window.opened, window.closed)).collect();
    assert_eq!(spans, [(ms(50), ms(200)), (ms(200), ms(300)), (ms(300), ms(400))]);
}

#[test]
fn ignored_samples_close_nothing() {
    let config = WindowConfig::new(Duration::ZERO, 1);
    assert_eq!(check(config, &[(0, 10, 9, Outcome::Ignore)]), []);
}

#[test]
fn a_window_of_overloads_has_no_latency() {
    let config = WindowConfig::new(Duration::ZERO, 1);
    let windows = check(config, &[(9, 10, 1, Outcome::Overload)]);
    assert_eq!(windows[0].mean_latency, Duration::ZERO);
    assert!((windows[0].overload_ratio() - 1.0).abs() < 1e-9);
}

#[test]
fn an_imprecise_window_stays_open_until_its_longest() {
    let config = WindowConfig::new(ms(10), 2).with_max_error(0.1).with_max_duration(ms(300));
    let ops = [(0, 1, 1, Outcome::Success), (0, 99, 1, Outcome::Success)];
    assert_eq!(check(config, &ops), []);
    let late = [ops[0], ops[1], (290, 300, 1, Outcome::Success)];
    assert_eq!(check(config, &late).len(), 1);
    let precise = [(0, 20, 1, Outcome::Success), (1, 21, 1, Outcome::Success)];
    assert_eq!(check(config, &precise).len(), 1);
}

#[test]
fn a_window_closes_at_its_end_even_empty() {
    let config = WindowConfig::new(ms(100), 10).with_end(ms(50));
    let windows = check(config, &[(40, 49, 1, Outcome::Ignore), (40, 50, 1, Outcome::Ignore)]);
    assert_eq!((windows.len(), windows[0].successes), (1, 0));
}

#[test]
fn a_cohort_is_complete_and_nobody_else_is_in_it() {
    let windows = check(
        WindowConfig::cohort(ms(100), 1, ms(1_000)),
        &[
            (0, 0, 3, Outcome::Success),     // opens the window at 0
            (10, 60, 3, Outcome::Success),   // counts
            (20, 120, 3, Outcome::Success),  // full now: two are still out
            (130, 140, 3, Outcome::Success), // started too late
            (90, 150, 3, Outcome::Ignore),   // awaited, not counted
            (50, 350, 2, Outcome::Success),  // the slow one that a plain window would miss
        ],
    );
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].successes, windows[0].closed), (4, ms(350)));
    assert_eq!(windows[0].mean_latency, ms(450 / 4) + Duration::from_micros(500));
}

#[test]
fn a_cohort_gives_up_on_those_that_never_end() {
    let windows = check(
        WindowConfig::cohort(ms(100), 1, ms(1_000)),
        &[
            (0, 100, 9, Outcome::Success),
            (150, 1_099, 9, Outcome::Success),
            (150, 1_100, 9, Outcome::Success),
        ],
    );
    assert_eq!((windows.len(), windows[0].closed), (1, ms(1_100)));
}

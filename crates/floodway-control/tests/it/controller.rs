//! Bounds, invalid limits and decisions around any algorithm.

use std::time::Duration;

use floodway_control::{
    Aimd, AnchoredGradient, Controller, Decision, Direction, Fixed, Gradient2, LimitAlgorithm,
    Outcome, Reason, Sample, Vegas, Window, WindowConfig,
};
use proptest::prelude::*;

/// Answers every window with the next of its limits.
struct Script(f64, Vec<f64>);

impl LimitAlgorithm for Script {
    fn limit(&self) -> f64 {
        self.0
    }

    fn set_limit(&mut self, limit: f64) {
        self.0 = limit;
    }

    fn window(&self) -> Option<WindowConfig> {
        Some(WindowConfig::new(Duration::ZERO, 1))
    }

    fn on_window(&mut self, _: &Window) -> Reason {
        self.0 = self.1.remove(0);
        Reason::Growth
    }
}

const SUCCESS: Sample = Sample {
    started: Duration::ZERO,
    weight: 1,
    in_flight: 1,
    limited: true,
    outcome: Outcome::Success,
};

/// What the controller answers to one more success, and its limit then.
#[track_caller]
fn check(controller: &mut Controller, direction: Direction, reason: Reason, limit: u32) {
    let decision = controller.on_sample(Duration::from_millis(10), SUCCESS);
    assert_eq!(decision, Some(Decision { direction, reason }));
    assert_eq!(controller.limit(), limit);
}

#[test]
fn limits_are_whole_and_inside_the_bounds() {
    let script = Script(5.0, vec![6.9, 6.1, 1e18, -3.0]);
    let mut controller = Controller::new(Box::new(script), (2, 9));
    check(&mut controller, Direction::Up, Reason::Growth, 6);
    check(&mut controller, Direction::Hold, Reason::Growth, 6);
    check(&mut controller, Direction::Up, Reason::Bounds, 9);
    check(&mut controller, Direction::Down, Reason::Bounds, 2);
}

#[test]
fn what_is_not_a_number_is_refused_and_counted() {
    let script = Script(5.0, vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 7.0]);
    let mut controller = Controller::new(Box::new(script), (1, 9));
    for count in 1..=3 {
        check(&mut controller, Direction::Hold, Reason::Invalid, 5);
        assert_eq!(controller.estimates().invalid_limits, count);
    }
    check(&mut controller, Direction::Up, Reason::Growth, 7);
    assert_eq!(controller.estimates().windows, 4);
}

#[test]
fn an_operator_moves_limit_and_bounds() {
    let mut controller = Controller::new(Box::new(Fixed::new(50)), (1, 20));
    assert_eq!((controller.limit(), controller.is_adaptive()), (20, false));
    controller.set_limit(7);
    assert_eq!(controller.limit(), 7);
    controller.set_bounds((8, 10));
    assert_eq!((controller.limit(), controller.bounds()), (8, (8, 10)));
    controller.set_limit(100);
    assert_eq!(controller.limit(), 10);
}

#[test]
fn estimates_follow_the_windows() {
    let aimd = Aimd::new(4).with_window(WindowConfig::new(Duration::ZERO, 1));
    let mut controller = Controller::new(Box::new(aimd), (1, 20));
    assert!(controller.is_adaptive());
    assert_eq!(controller.estimates().window_latency, None);
    check(&mut controller, Direction::Hold, Reason::Unused, 4);
    let estimates = controller.estimates();
    assert_eq!(estimates.window_latency, Some(Duration::from_millis(10)));
    assert!(estimates.limit_bound);
}

#[test]
fn ends_that_say_nothing_decide_nothing() {
    let mut controller = Controller::new(Box::new(Aimd::new(4)), (1, 20));
    for second in 0..100 {
        let sample = Sample { outcome: Outcome::Ignore, ..SUCCESS };
        assert_eq!(controller.on_sample(Duration::from_secs(second), sample), None);
    }
}

proptest! {
    #[test]
    fn every_algorithm_stays_in_its_bounds_whatever_happens(
        ops in proptest::collection::vec(
            (0u64..50_000, 0u64..3_000_000, 1u32..50, any::<bool>(), 0usize..3),
            1..2_000,
        ),
        (min, more) in (1u32..20, 0u32..100),
    ) {
        let bounds = (min, min + more);
        let algorithms: [Box<dyn LimitAlgorithm>; 4] = [
            Box::new(Aimd::new(10)),
            Box::new(Vegas::new(10)),
            Box::new(Gradient2::new(10)),
            Box::new(AnchoredGradient::new(10)),
        ];
        for algorithm in algorithms {
            let mut controller = Controller::new(algorithm, bounds);
            let mut now = Duration::from_secs(1_700_000_000);
            for &(gap, latency, weight, limited, outcome) in &ops {
                now += Duration::from_micros(gap);
                let sample = Sample {
                    started: now - Duration::from_micros(latency),
                    weight,
                    in_flight: weight + 10,
                    limited,
                    outcome: Outcome::ALL[outcome],
                };
                controller.on_sample(now, sample);
                let limit = controller.limit();
                prop_assert!((bounds.0..=bounds.1).contains(&limit), "{limit} outside {bounds:?}");
            }
            prop_assert_eq!(controller.estimates().invalid_limits, 0);
        }
    }
}

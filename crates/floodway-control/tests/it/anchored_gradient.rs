//! What the anchored gradient concludes from windows and probes.

use std::time::Duration;

use floodway_control::{AnchoredGradient, LimitAlgorithm, ProbeResult, Reason, Window};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Feeds windows of a quarter of a second to an algorithm, and keeps it in bounds as a controller
/// does.
struct Bench {
    algorithm: AnchoredGradient,
    now: Duration,
    max: f64,
}

impl Bench {
    fn new(algorithm: AnchoredGradient) -> Self {
        algorithm.check().unwrap();
        Self { algorithm, now: ms(10_000), max: 1_000.0 }
    }

    /// Starts at `limit`, which is also the most, with a baseline of 20 ms that a probe has confirmed.
    fn anchored(limit: u32) -> Self {
        let mut bench = Self::new(AnchoredGradient::new(limit));
        bench.max = f64::from(limit);
        bench.limited(20);
        bench.probe(20, 20);
        bench
    }

    /// A window in which all permits were out and somebody was held back.
    fn limited(&mut self, latency: u64) -> Reason {
        let limit = self.algorithm.limit();
        self.window(latency, |window| Window { limited: 40, mean_in_flight: limit, ..window })
    }

    fn window(&mut self, latency: u64, change: impl FnOnce(Window) -> Window) -> Reason {
        let opened = self.now;
        self.now += ms(250);
        let reason = self.algorithm.on_window(&change(Window {
            opened,
            closed: self.now,
            successes: 100,
            mean_latency: ms(latency),
            min_latency: ms(latency),
            latency_deciles: [ms(latency); 9],
            ..Window::default()
        }));
        self.algorithm.clamp(1.0, self.max);
        reason
    }

    /// Loads the limiter with operations of `loaded` ms until it probes, answers the probe with
    /// `probed` ms, and returns the limit while it measured and the one after.
    fn probe(&mut self, loaded: u64, probed: u64) -> (f64, f64) {
        let windows = (0..200).position(|_| self.limited(loaded) == Reason::Probe);
        assert!(windows.is_some(), "no probe in 50 s");
        let low = self.algorithm.limit();
        assert!(self.algorithm.estimates().probing);
        assert_eq!(self.limited(loaded), Reason::Probe, "still draining");
        assert_eq!(self.limited(probed), Reason::Restored);
        assert!(!self.algorithm.estimates().probing);
        (low, self.algorithm.limit())
    }

    fn results(&self, result: ProbeResult) -> u64 {
        self.algorithm.estimates().probes[result.index()]
    }
}

#[test]
fn a_limit_that_holds_back_without_a_queue_grows_faster_and_faster() {
    let mut bench = Bench::new(AnchoredGradient::new(10));
    assert_eq!(bench.limited(20), Reason::Steady, "the first window is the baseline");
    for limit in [15.0, 22.0, 33.0] {
        assert_eq!(bench.limited(20), Reason::Growth);
        assert!((bench.algorithm.limit() - limit).abs() <= 1.0, "{}", bench.algorithm.limit());
    }
}

#[test]
fn a_limit_that_nobody_meets_neither_grows_nor_probes() {
    let mut bench = Bench::new(AnchoredGradient::new(10));
    for _ in 0..1_000 {
        let reason = bench.window(20, |window| Window { mean_in_flight: 9.0, ..window });
        assert!(matches!(reason, Reason::Steady | Reason::Unused), "{reason:?}");
    }
    assert_eq!(bench.algorithm.limit(), 10.0);
}

#[test]
fn probes_start_on_slots_of_wall_clock_time_and_go_low() {
    let mut bench = Bench::new(AnchoredGradient::new(40));
    bench.limited(20);
    bench.max = 40.0;
    while bench.limited(20) != Reason::Probe {
        assert!(bench.now < ms(20_000), "no probe");
    }
    assert_eq!(bench.now.as_millis() % 2_500, 0, "{:?}", bench.now);
    assert!((10.0..=20.0).contains(&bench.algorithm.limit()), "{}", bench.algorithm.limit());
}

#[test]
fn a_replica_that_holds_nobody_back_still_gives_way_to_a_lasting_queue() {
    let mut bench = Bench::anchored(40);
    let alone = |window: Window| Window { mean_in_flight: 20.0, ..window };
    for _ in 0..200 {
        let reason = bench.window(40, alone);
        if reason == Reason::Probe {
            bench.window(40, alone);
            assert_eq!(bench.window(20, alone), Reason::Restored);
        }
    }
    assert!(bench.algorithm.limit() < 25.0, "{}", bench.algorithm.limit());
}

#[test]
fn a_probe_of_few_operations_that_became_slow_does_not_confirm_the_baseline() {
    let spread = |scale: u64| {
        move |window: Window| Window {
            successes: 10,
            mean_latency: ms(20 * scale),
            latency_deciles: [2, 4, 7, 10, 14, 18, 24, 32, 46].map(|decile| ms(decile * scale)),
            ..window
        }
    };
    let mut bench = Bench::new(AnchoredGradient::new(10));
    let busy = |window: Window| Window { limited: 40, mean_in_flight: 10.0, ..window };
    bench.window(20, |window| busy(Window { successes: 1_000, ..spread(1)(window) }));
    bench.max = 10.0;
    while bench.window(20, |window| busy(spread(3)(window))) != Reason::Probe {
        assert!(bench.now < ms(20_000), "no probe");
    }
    bench.window(60, spread(3));
    bench.window(60, spread(3));
    assert_eq!(bench.results(ProbeResult::Raised), 1);
}

#[test]
fn a_queue_shrinks_the_limit_after_a_probe_has_confirmed_the_baseline_and_not_before() {
    let mut bench = Bench::anchored(40);
    bench.limited(20);
    assert_eq!(bench.limited(40), Reason::Queue);
    assert_eq!(bench.algorithm.limit(), 40.0);
    let (_, limit) = bench.probe(40, 20);
    assert_eq!(bench.limited(40), Reason::Queue);
    assert!(bench.algorithm.limit() < 0.8 * limit, "{}", bench.algorithm.limit());
    assert!(bench.results(ProbeResult::Confirmed) >= 1);
}

#[test]
fn latency_that_is_not_ours_leaves_the_limit_and_becomes_the_baseline() {
    let mut bench = Bench::anchored(40);
    bench.limited(20);
    let before = bench.algorithm.limit();
    let (low, after) = bench.probe(80, 80);
    assert!(low <= before / 2.0 + 1.0);
    assert!(after >= before - 1.0, "{after} after {before}");
    assert_eq!(bench.results(ProbeResult::Raised), 1);
    assert_eq!(bench.algorithm.estimates().baseline_latency, Some(ms(80)));
    assert_eq!(bench.limited(80), Reason::Growth, "slow start again");
}

#[test]
fn a_shorter_latency_needs_no_probe() {
    let mut bench = Bench::anchored(40);
    bench.limited(10);
    assert_eq!(bench.algorithm.estimates().baseline_latency, Some(ms(10)));
}

#[test]
fn a_few_slow_operations_are_no_queue() {
    let mut bench = Bench::anchored(40);
    // One in ten takes a second: the mean is 118 ms, the deciles are what they were.
    let reason = bench.window(20, |window| Window {
        mean_latency: ms(118),
        mean_in_flight: 40.0,
        limited: 40,
        ..window
    });
    assert_eq!(reason, Reason::Growth);
}

#[test]
fn overloads_take_a_part_of_the_limit_and_at_most_half() {
    for (overloads, least, most) in [(2, 40.0, 40.0), (25, 34.0, 36.0), (10_000, 19.0, 20.5)] {
        let mut bench = Bench::new(AnchoredGradient::new(40));
        bench.window(20, |window| Window { overloads, ..window });
        let limit = bench.algorithm.limit();
        assert!((least..=most).contains(&limit), "{limit} after {overloads}");
    }
}

#[test]
fn a_latency_above_the_maximum_shrinks_whatever_the_baseline_says() {
    let mut bench = Bench::new(AnchoredGradient::new(40).with_max_latency(ms(100)));
    assert_eq!(bench.limited(125), Reason::Queue);
    assert_eq!(bench.algorithm.limit(), 32.0);
}

#[test]
fn fractions_of_a_permit_add_up() {
    let mut bench = Bench::new(AnchoredGradient::new(2));
    bench.algorithm.set_limit(2.5);
    let limits: Vec<f64> = (0..4)
        .map(|_| {
            bench.window(20, |window| window);
            bench.algorithm.limit()
        })
        .collect();
    assert_eq!(limits.iter().sum::<f64>(), 10.0, "{limits:?}");
}

#[test]
fn parameters_out_of_range_are_named() {
    let field = |algorithm: AnchoredGradient| algorithm.check().unwrap_err().field;
    let algorithm = AnchoredGradient::default;
    assert_eq!(field(algorithm().with_probe_interval(ms(100))), "probe_interval");
    assert_eq!(field(algorithm().with_probe_offset(ms(2_600))), "probe_offset");
    assert_eq!(field(algorithm().with_max_latency(ms(0))), "max_latency");
}

#[test]
fn a_small_limit_is_probed_with_two_permits_unless_that_is_more_than_half() {
    for (limit, probed) in [(7, 2.0), (4, 2.0), (2, 1.0)] {
        let mut bench = Bench::anchored(limit);
        bench.limited(20);
        let (low, _) = bench.probe(40, 20);
        assert_eq!(low, probed, "of {limit}");
    }
}

#[test]
fn a_limit_that_nobody_asked_for_may_be_moved_into_the_bounds() {
    assert_eq!(AnchoredGradient::default().initial_limit(), None);
    assert_eq!(AnchoredGradient::new(10).initial_limit(), Some(10.0));
}

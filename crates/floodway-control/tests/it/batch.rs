//! Sizes of batches, from what batches cost, and when they go.

use std::time::Duration;

use floodway_control::{
    BatchBound, BatchConfig, BatchDecision, BatchQueue, BatchRun, BatchSizer, BatchSizing,
    BatchTrigger, Dispatch, InvalidParameter,
};
use proptest::prelude::*;

const MICRO: Duration = Duration::from_micros(1);
const MILLI: Duration = Duration::from_millis(1);

/// A downstream with one slot and a queue that never empties.
struct Saturated {
    sizer: BatchSizer,
    now: Duration,
    arrived: u64,
    random: u64,
}

impl Saturated {
    fn new(config: BatchConfig) -> Self {
        let sizer = BatchSizer::new(config).unwrap();
        Self { sizer, now: Duration::from_secs(1), arrived: 1_000_000, random: 1 }
    }

    /// Sends one batch, which takes `time` of its items; returns its items.
    fn batch(&mut self, time: impl Fn(usize) -> Duration) -> usize {
        let queue = BatchQueue { queued: 1_000_000, arrived: self.arrived, ..queue(self.now, 1) };
        let dispatch = dispatched(self.sizer.decide(self.now, &queue));
        let run = self.sizer.dispatched(self.now, dispatch, dispatch.items, 0);
        self.arrived += dispatch.items as u64;
        self.now += time(dispatch.items);
        self.sizer.record(self.now, run);
        dispatch.items
    }

    /// Sends `batches`, each of which takes `overhead`, and `item` for every item; returns their
    /// items.
    fn run(&mut self, batches: usize, overhead: Duration, item: Duration) -> Vec<usize> {
        (0..batches).map(|_| self.batch(|items| overhead + item * items as u32)).collect()
    }

    /// The same with noise of 30 % and one outlier in 50.
    fn run_noisy(&mut self, batches: usize, overhead: Duration, item: Duration) -> Vec<usize> {
        (0..batches)
            .map(|_| {
                let noise = self.noise();
                self.batch(|items| (overhead + item * items as u32).mul_f64(noise))
            })
            .collect()
    }

    /// About log-normal, from a sum of uniform ones.
    fn noise(&mut self) -> f64 {
        let sum: f64 = (0..12).map(|_| self.uniform()).sum();
        let outlier = if self.uniform() < 0.02 { 10.0 } else { 1.0 };
        (0.3 * (sum - 6.0)).exp() * outlier
    }

    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    fn target(&self) -> usize {
        self.sizer.target().items
    }
}

fn queue(now: Duration, queued: usize) -> BatchQueue {
    BatchQueue {
        queued,
        weight: 0,
        oldest: now,
        arrived: queued as u64,
        partitions: 1,
        in_flight: 0,
        slots: 1,
    }
}

#[track_caller]
fn dispatched(decision: BatchDecision) -> Dispatch {
    match decision {
        BatchDecision::Dispatch(dispatch) => dispatch,
        other => panic!("not dispatched: {other:?}"),
    }
}

fn adaptive(max_size: usize) -> BatchConfig {
    let sizing = BatchSizing::Adaptive { overhead: 0.05, max_size };
    BatchConfig { sizing, ..BatchConfig::default() }
}

#[track_caller]
fn assert_within(value: f64, truth: f64, factor: f64) {
    assert!(value >= truth / factor && value <= truth * factor, "{value} instead of {truth}");
}

/// A sizer that knows that batches take 1 ms and 10 µs an item; nothing is in flight.
fn measured(config: BatchConfig) -> Saturated {
    let mut saturated = Saturated::new(config);
    saturated.run(200, MILLI, 10 * MICRO);
    saturated
}

mod size {
    use super::*;

    #[test]
    fn the_overhead_is_the_share_that_was_asked_for() {
        for (overhead, item) in [(200, 10), (1_000, 10), (5_000, 1_000)] {
            let mut downstream = Saturated::new(adaptive(100_000));
            downstream.run(32, overhead * MICRO, item * MICRO);
            let best = f64::from(19 * overhead / item);
            assert_within(downstream.target() as f64, best, 1.3);
            assert_eq!(downstream.sizer.target().bound, BatchBound::Overhead);
        }
    }

    #[test]
    fn noise_and_outliers_change_little() {
        let mut downstream = Saturated::new(adaptive(100_000));
        downstream.run_noisy(50, MILLI, 10 * MICRO);
        let mut near = 0;
        for _ in 0..2_000 {
            downstream.run_noisy(1, MILLI, 10 * MICRO);
            near += usize::from((950..=3_800).contains(&downstream.target()));
        }
        assert!(near >= 1_900, "{near} of 2,000");
        let estimate = downstream.sizer.estimate();
        assert_within(estimate.overhead.unwrap().as_secs_f64(), 1e-3, 1.5);
        assert_within(estimate.item_cost.unwrap().as_secs_f64(), 1e-5, 1.3);
        assert!((0.15..0.4).contains(&estimate.residual), "{}", estimate.residual);
    }

    #[test]
    fn it_follows_a_step_of_the_overhead() {
        let mut downstream = measured(adaptive(100_000));
        downstream.run(64, 5 * MILLI, 10 * MICRO);
        assert_within(downstream.target() as f64, 9_500.0, 2.0);
        downstream.run(64, MILLI, 10 * MICRO);
        assert_within(downstream.target() as f64, 1_900.0, 2.0);
        assert!(downstream.sizer.estimate().resets >= 2);
    }

    #[test]
    fn a_downstream_that_gets_slow_as_a_whole_gets_batches_of_the_same_size() {
        let mut downstream = measured(adaptive(100_000));
        downstream.run(100, 10 * MILLI, 100 * MICRO);
        assert_within(downstream.target() as f64, 1_900.0, 1.3);
        let item = downstream.sizer.estimate().item_cost.unwrap();
        assert_within(item.as_secs_f64(), 1e-4, 1.1);
    }

    #[test]
    fn batches_of_one_where_more_save_nothing() {
        let mut downstream = Saturated::new(adaptive(1_024));
        let sizes = downstream.run_noisy(5_000, 5 * MICRO, MILLI);
        let larger: usize = sizes[1_000..].iter().filter(|items| **items > 1).sum();
        assert!(larger * 10 <= sizes.len(), "{larger} items in larger batches");
        assert_eq!((downstream.target(), downstream.sizer.target().bound).0, 1);
        let bounds = downstream.sizer.estimate().bounds;
        assert_eq!(bounds[BatchBound::Unprofitable.index()], Some(1));
    }

    #[test]
    fn no_more_than_the_maximum() {
        let mut downstream = Saturated::new(adaptive(100));
        let sizes = downstream.run(200, MILLI, MICRO);
        assert_eq!(sizes.iter().max(), Some(&100));
        assert_eq!(downstream.sizer.target().bound, BatchBound::Max);
    }

    #[test]
    fn half_the_size_where_that_is_cheaper_per_item() {
        let mut downstream = Saturated::new(adaptive(100_000));
        let knee = |items: usize| {
            let expensive = items.saturating_sub(512);
            MILLI + 10 * MICRO * items as u32 + 30 * MICRO * expensive as u32
        };
        let sizes: Vec<_> = (0..2_000).map(|_| downstream.batch(knee)).collect();
        let items: usize = sizes[500..].iter().sum();
        let time: Duration = sizes[500..].iter().map(|items| knee(*items)).sum();
        let best = knee(512).as_secs_f64() / 512.0;
        assert_within(time.as_secs_f64() / items as f64, best, 1.3);
    }

    #[test]
    fn it_grows_step_by_step_and_does_not_follow_trifles() {
        let mut downstream = Saturated::new(adaptive(100_000));
        let mut last = 1;
        for _ in 0..32 {
            downstream.run(1, MILLI, 10 * MICRO);
            assert!(downstream.target() <= 16 * last);
            last = downstream.target();
        }
        let moves = downstream.sizer.estimate().target_ups;
        downstream.run(500, MILLI, 11 * MICRO);
        assert_eq!(downstream.target(), last);
        assert_eq!(downstream.sizer.estimate().target_ups, moves);
    }

    #[test]
    fn without_probes_batches_that_differ_say_what_they_cost() {
        let mut sizer = BatchSizer::new(BatchConfig { probing: false, ..adaptive(1_024) }).unwrap();
        assert_eq!(sizer.target().items, 1_024);
        let mut now = Duration::ZERO;
        for queued in [10, 100, 40, 5, 80, 20].into_iter().cycle().take(60) {
            let dispatch = dispatched(sizer.decide(now, &queue(now, queued)));
            assert_eq!((dispatch.items, dispatch.probe), (queued, false));
            let run = sizer.dispatched(now, dispatch, queued, 0);
            now += 100 * MICRO + 10 * MICRO * queued as u32;
            sizer.record(now, run);
        }
        assert_within(sizer.target().items as f64, 190.0, 1.3);
    }

    #[test]
    fn batches_under_other_limits_are_no_pair() {
        let mut sizer = BatchSizer::new(adaptive(1_024)).unwrap();
        let mut now = Duration::ZERO;
        for slots in [1, 8].into_iter().cycle().take(100) {
            let queue = BatchQueue { slots, ..queue(now, 100) };
            let dispatch = dispatched(sizer.decide(now, &queue));
            let run = sizer.dispatched(now, dispatch, dispatch.items, 0);
            now += MILLI * slots as u32;
            sizer.record(now, run);
        }
        assert_eq!(sizer.estimate().pairs, 0);
    }
}

mod decision {
    use super::*;

    /// With 16 slots, of which `in_flight` are taken.
    fn busy(now: Duration, queued: usize, in_flight: usize) -> BatchQueue {
        BatchQueue { in_flight, slots: 16, arrived: 100_000_000, ..queue(now, queued) }
    }

    #[test]
    fn a_batch_goes_at_once_where_nothing_runs() {
        let mut sizer = measured(adaptive(1_024)).sizer;
        let now = Duration::from_secs(60);
        assert_eq!(dispatched(sizer.decide(now, &queue(now, 3))).trigger, BatchTrigger::Idle);
    }

    #[test]
    fn what_load_calls_for_is_waited_for_and_no_more() {
        let mut downstream = measured(adaptive(1_024));
        // 128,000 a second: 12 at a time keep 16 slots busy for 70 % of the time.
        let mut now = downstream.now + MILLI;
        let mut arrived = 100_000_000;
        for _ in 0..2_000 {
            now += MILLI;
            arrived += 128;
            let queue = BatchQueue { arrived, ..busy(now, 1, 3) };
            let _ = downstream.sizer.decide(now, &queue);
        }
        let queue = BatchQueue { arrived, ..busy(now, 2, 3) };
        let BatchDecision::Wait { items, until } = downstream.sizer.decide(now, &queue) else {
            panic!("dispatched");
        };
        assert!((11..=15).contains(&items), "{items}");
        let half = until - now;
        assert_within(half.as_secs_f64(), 0.5e-3, 1.1);
        let queue = BatchQueue { arrived, ..busy(now, items, 3) };
        let decision = downstream.sizer.decide(now, &queue);
        assert_eq!(dispatched(decision).trigger, BatchTrigger::Size);
        let queue = BatchQueue { arrived, ..busy(now - half, 2, 3) };
        let decision = downstream.sizer.decide(now, &queue);
        assert_eq!(dispatched(decision).trigger, BatchTrigger::Linger);
        assert_eq!(downstream.sizer.estimate().bounds[BatchBound::Load.index()], Some(items));
    }

    #[test]
    fn a_heavy_queue_goes() {
        let mut downstream = measured(BatchConfig { max_weight: Some(1_000), ..adaptive(1_024) });
        let now = downstream.now + MILLI;
        // Everything arrived just now: load calls for the largest batches.
        let queue = BatchQueue { weight: 1_000, arrived: 1 << 40, ..busy(now, 2, 3) };
        let decision = downstream.sizer.decide(now, &queue);
        assert_eq!(dispatched(decision).trigger, BatchTrigger::Weight);
    }

    #[test]
    fn a_fixed_size_is_waited_for_as_long_as_the_linger_allows() {
        let sizing = BatchSizing::Fixed(10);
        let config = BatchConfig { sizing, max_linger: Some(MILLI), ..BatchConfig::default() };
        let mut sizer = BatchSizer::new(config).unwrap();
        let now = Duration::from_secs(1);
        let wait = BatchDecision::Wait { items: 10, until: now + MILLI };
        assert_eq!(sizer.decide(now, &queue(now, 9)), wait);
        let dispatch =
            |items, trigger| BatchDecision::Dispatch(Dispatch { items, trigger, probe: false });
        assert_eq!(sizer.decide(now, &queue(now, 11)), dispatch(10, BatchTrigger::Size));
        let decision = sizer.decide(now + MILLI, &queue(now, 9));
        assert_eq!(decision, dispatch(9, BatchTrigger::Linger));
    }

    #[test]
    fn a_fixed_size_without_a_linger_is_not_waited_for() {
        let sizing = BatchSizing::Fixed(10);
        let mut sizer = BatchSizer::new(BatchConfig { sizing, ..BatchConfig::default() }).unwrap();
        let dispatch = dispatched(sizer.decide(MILLI, &queue(MILLI, 9)));
        assert_eq!((dispatch.items, dispatch.trigger), (9, BatchTrigger::Idle));
    }

    #[test]
    fn what_remains_when_a_probe_is_taken_follows_at_once() {
        let mut sizer = measured(adaptive(1_024)).sizer;
        let now = Duration::from_secs(60);
        for _ in 0..1_000 {
            let queue = BatchQueue { arrived: 1 << 40, ..busy(now, 100, 0) };
            let dispatch = dispatched(sizer.decide(now, &queue));
            let _ = sizer.dispatched(now, dispatch, dispatch.items, 0);
            if dispatch.probe {
                assert_eq!(dispatch.trigger, BatchTrigger::Probe);
                let queue = BatchQueue { arrived: 1 << 40, ..busy(now, 1, 1) };
                assert_eq!(dispatched(sizer.decide(now, &queue)).items, 1);
                return;
            }
        }
        panic!("no probe");
    }
}

mod objective {
    use super::*;

    fn within(objective: Duration) -> BatchConfig {
        BatchConfig { latency_objective: Some(objective), ..adaptive(100_000) }
    }

    #[test]
    fn a_batch_is_answered_in_time() {
        let objective = 10 * MILLI;
        let mut downstream = Saturated::new(within(objective));
        let mut late = 0;
        let mut items = 0;
        for batch in 0..3_000 {
            let noise = downstream.noise().min(3.0);
            let before = downstream.now;
            let sent = downstream.batch(|items| (MILLI + 10 * MICRO * items as u32).mul_f64(noise));
            if batch >= 100 {
                items += sent;
                late += sent * usize::from(downstream.now - before > objective);
            }
        }
        assert!(late * 100 <= items, "{late} of {items}");
        assert!(items > 3_000 * 150, "{items}");
        assert_eq!(downstream.sizer.target().bound, BatchBound::Objective);
    }

    #[test]
    fn an_item_that_has_waited_gets_a_smaller_batch() {
        let mut downstream = measured(within(10 * MILLI));
        // Nothing came for a minute: load does not call for large batches.
        let now = downstream.now + Duration::from_secs(60);
        let arrived = downstream.arrived;
        let fresh = BatchQueue { arrived, ..queue(now, 100_000) };
        let fresh = dispatched(downstream.sizer.decide(now, &fresh)).items;
        let waited = BatchQueue { arrived, ..queue(now - 7 * MILLI, 100_000) };
        let waited = dispatched(downstream.sizer.decide(now, &waited)).items;
        assert!(waited < fresh, "{waited} and {fresh}");
    }
}

mod weight {
    use super::*;

    #[test]
    fn batches_weigh_no_more_than_the_maximum() {
        let mut sizer =
            BatchSizer::new(BatchConfig { max_weight: Some(1_000), ..adaptive(1_024) }).unwrap();
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            let dispatch = dispatched(sizer.decide(now, &queue(now, 10_000)));
            let items = dispatch.items.min(50);
            let run = sizer.dispatched(now, dispatch, items, 20 * items as u64);
            now += MILLI + MICRO * items as u32;
            sizer.record(now, run);
        }
        assert_eq!(sizer.target().items, 50);
        assert_eq!(sizer.target().bound, BatchBound::Weight);
    }

    #[test]
    fn a_refusal_lowers_the_maximum_which_recovers() {
        let mut sizer =
            BatchSizer::new(BatchConfig { max_weight: Some(1_000), ..adaptive(1_024) }).unwrap();
        assert_eq!(sizer.max_weight(), Some(1_000));
        sizer.too_large(800);
        assert_eq!(sizer.max_weight(), Some(720));
        let batch = |sizer: &mut BatchSizer| {
            let dispatch = dispatched(sizer.decide(MILLI, &queue(MILLI, 10)));
            let run = sizer.dispatched(MILLI, dispatch, 10, 700);
            sizer.record(2 * MILLI, run);
        };
        batch(&mut sizer);
        assert_eq!(sizer.max_weight(), Some(727));
        for _ in 0..100 {
            batch(&mut sizer);
        }
        assert_eq!(sizer.max_weight(), Some(1_000));
    }

    #[test]
    fn a_refusal_teaches_a_maximum_where_none_was_given() {
        let mut sizer = BatchSizer::new(adaptive(1_024)).unwrap();
        assert_eq!(sizer.max_weight(), None);
        sizer.too_large(1_000);
        assert_eq!(sizer.max_weight(), Some(900));
    }

    #[test]
    fn a_downstream_with_a_fixed_maximum_refuses_seldom() {
        let mut sizer = BatchSizer::new(adaptive(1_024)).unwrap();
        let mut refused = 0;
        for batch in 0..10_000 {
            let weight = sizer.max_weight().unwrap_or(5_000);
            let dispatch = dispatched(sizer.decide(MILLI, &queue(MILLI, 10)));
            let run = sizer.dispatched(MILLI, dispatch, 10, weight);
            if weight > 1_000 {
                sizer.too_large(weight);
                refused += usize::from(batch > 100);
            } else {
                sizer.record(2 * MILLI, run);
            }
        }
        assert!(refused <= 20, "{refused}");
    }

    #[test]
    fn a_batch_of_one_that_is_refused_leaves_a_maximum_of_one() {
        let mut sizer = BatchSizer::new(adaptive(1_024)).unwrap();
        sizer.too_large(0);
        assert_eq!(sizer.max_weight(), Some(1));
    }
}

mod known_failures {
    use super::*;

    /// <https://github.com/ucbrise/clipper/issues/222>
    #[test]
    fn clipper_222_time_in_the_queue_is_not_service() {
        let mut sizer = BatchSizer::new(adaptive(1_024)).unwrap();
        let mut now = Duration::from_secs(100);
        for _ in 0..100 {
            let waiting = queue(now - Duration::from_secs(60), 10_000);
            let dispatch = dispatched(sizer.decide(now, &waiting));
            // It waits for a permit as well.
            now += Duration::from_secs(1);
            let run = sizer.dispatched(now, dispatch, dispatch.items, 0);
            now += MILLI + 10 * MICRO * dispatch.items as u32;
            sizer.record(now, run);
        }
        assert_within(sizer.estimate().overhead.unwrap().as_secs_f64(), 1e-3, 1.1);
    }

    /// <https://github.com/ucbrise/clipper/pull/294>
    #[test]
    fn clipper_294_a_batch_is_one_batch_of_its_items() {
        let mut downstream = measured(adaptive(100));
        let before = downstream.sizer.estimate();
        let items = downstream.batch(|_| Duration::from_secs(1));
        let after = downstream.sizer.estimate();
        let time = |estimate: floodway_control::BatchEstimate| {
            estimate.overhead_seconds + estimate.work_seconds
        };
        assert!((time(after) - time(before) - 1.0).abs() < 1e-9);
        let overhead = after.overhead_seconds - before.overhead_seconds;
        let avoided = after.avoided_seconds - before.avoided_seconds;
        assert!((avoided - overhead * (items - 1) as f64).abs() < 1e-9);
    }

    /// <https://github.com/joblib/joblib/issues/1220>: a batch of the size that was right for what
    /// came before takes hours.
    #[test]
    fn joblib_1220_items_that_get_slow_get_smaller_batches() {
        let config =
            BatchConfig { latency_objective: Some(Duration::from_secs(1)), ..adaptive(100_000) };
        let mut downstream = Saturated::new(config);
        downstream.run(200, MILLI, 10 * MICRO);
        assert!(downstream.target() >= 1_000);
        let sizes = downstream.run(20, MILLI, 10 * MILLI);
        assert!(sizes[2..].iter().all(|items| *items <= 200), "{sizes:?}");
    }

    /// The least squares with the smallest norm of one size only say that there is no overhead.
    #[test]
    fn minimum_norm_a_constant_size_says_nothing_of_the_overhead() {
        let sizing = BatchSizing::Fixed(100);
        let mut downstream = Saturated::new(BatchConfig { sizing, ..BatchConfig::default() });
        downstream.run(200, MILLI, 10 * MICRO);
        assert_eq!(downstream.sizer.estimate().overhead, None);
        let mut downstream = Saturated::new(adaptive(100));
        downstream.run(200, MILLI, 10 * MICRO);
        let estimate = downstream.sizer.estimate();
        assert_within(estimate.overhead.unwrap().as_secs_f64(), 1e-3, 1.1);
    }

    /// As in Clipper, whose batches never get larger after one that took long.
    #[test]
    fn one_outlier_does_not_end_exploration() {
        for position in 0..24 {
            let mut downstream = Saturated::new(adaptive(100_000));
            downstream.run(position, MILLI, 10 * MICRO);
            downstream.run(1, Duration::from_secs(60), Duration::from_secs(60));
            downstream.run(80, MILLI, 10 * MICRO);
            assert_within(downstream.target() as f64, 1_900.0, 1.4);
        }
    }
}

#[test]
fn bad_settings_are_refused_by_name_and_value() {
    let check = |config: BatchConfig, field: &str, value: f64| {
        let InvalidParameter { field: refused, value: with, .. } =
            BatchSizer::new(config).unwrap_err();
        assert_eq!(refused, field);
        assert!(with == value || with.is_nan() && value.is_nan(), "{with} instead of {value}");
    };
    let default = BatchConfig::default();
    for overhead in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        let sizing = BatchSizing::Adaptive { overhead, max_size: 10 };
        check(BatchConfig { sizing, ..default }, "overhead", overhead);
    }
    check(adaptive(0), "max_size", 0.0);
    check(BatchConfig { sizing: BatchSizing::Fixed(0), ..default }, "max_size", 0.0);
    check(BatchConfig { max_weight: Some(0), ..default }, "max_weight", 0.0);
    let none = Some(Duration::ZERO);
    check(BatchConfig { latency_objective: none, ..default }, "latency_objective", 0.0);
    let (second, two) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(2)));
    let longer = BatchConfig { latency_objective: second, max_linger: two, ..default };
    check(longer, "max_linger", 2.0);
    assert!(BatchSizer::new(BatchConfig { max_linger: none, ..default }).is_ok());
}

/// What may happen, with times of nothing, of years, and of all between.
#[derive(Clone, Debug)]
enum Step {
    Pass(Duration),
    Arrive(usize),
    Return(usize),
    TooLarge(u64),
    Slots(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![
        Just(Duration::ZERO),
        (0u64..1_000_000_000).prop_map(Duration::from_nanos),
        Just(Duration::from_secs(1 << 40)),
    ];
    prop_oneof![
        3 => time.prop_map(Step::Pass),
        6 => (1usize..200).prop_map(Step::Arrive),
        6 => (0usize..16).prop_map(Step::Return),
        1 => any::<u64>().prop_map(Step::TooLarge),
        1 => (1usize..16).prop_map(Step::Slots),
    ]
}

fn config() -> impl Strategy<Value = BatchConfig> {
    let sizing = prop_oneof![
        (1usize..1_000).prop_map(BatchSizing::Fixed),
        (0.001f64..0.9, 1usize..100_000)
            .prop_map(|(overhead, max_size)| BatchSizing::Adaptive { overhead, max_size }),
    ];
    let objective = proptest::option::of((1u64..1_000_000_000).prop_map(Duration::from_nanos));
    let weight = proptest::option::of(1u64..1_000_000);
    (sizing, objective, weight, any::<bool>()).prop_map(
        |(sizing, latency_objective, max_weight, probing)| BatchConfig {
            sizing,
            max_linger: None,
            latency_objective,
            max_weight,
            probing,
        },
    )
}

#[track_caller]
fn assert_sane(sizer: &BatchSizer, max_size: usize) {
    let estimate = sizer.estimate();
    let numbers = [
        estimate.overhead_seconds,
        estimate.work_seconds,
        estimate.avoided_seconds,
        estimate.residual,
    ];
    assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{estimate:?}");
    assert_eq!(estimate.overhead.is_some(), estimate.item_cost.is_some());
    assert!((1..=max_size).contains(&sizer.target().items), "{:?}", sizer.target());
    assert!(estimate.bounds.iter().flatten().all(|items| *items >= 1), "{estimate:?}");
    assert!(sizer.max_weight().is_none_or(|weight| weight >= 1));
}

proptest! {
    #[test]
    fn estimates_are_numbers_and_decisions_can_be_carried_out(
        config in config(), steps in proptest::collection::vec(step(), 1..400),
    ) {
        let mut sizer = BatchSizer::new(config).unwrap();
        let max_size = match config.sizing {
            BatchSizing::Fixed(size) => size,
            BatchSizing::Adaptive { max_size, .. } => max_size,
            _ => unreachable!(),
        };
        let mut now = Duration::ZERO;
        let (mut queued, mut arrived, mut oldest, mut slots) = (0, 0, now, 4);
        let mut running: Vec<BatchRun> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(time) => now = now.saturating_add(time),
                Step::Arrive(items) => {
                    oldest = if queued == 0 { now } else { oldest };
                    queued += items;
                    arrived += items as u64;
                }
                Step::Return(index) if index < running.len() => {
                    sizer.record(now, running.swap_remove(index));
                }
                Step::Return(_) => {}
                Step::TooLarge(weight) => sizer.too_large(weight),
                Step::Slots(now) => slots = now,
            }
            while queued > 0 && running.len() < slots {
                let queue = BatchQueue {
                    queued, weight: queued as u64, oldest, arrived, partitions: 1,
                    in_flight: running.len(), slots,
                };
                match sizer.decide(now, &queue) {
                    BatchDecision::Dispatch(dispatch) => {
                        prop_assert!((1..=queued.min(max_size)).contains(&dispatch.items));
                        queued -= dispatch.items;
                        let weight = dispatch.items as u64;
                        running.push(sizer.dispatched(now, dispatch, dispatch.items, weight));
                    }
                    BatchDecision::Wait { items, until } => {
                        prop_assert!(items > queued, "{items} of {queued}");
                        prop_assert!(until > now);
                        break;
                    }
                    _ => unreachable!(),
                }
            }
            assert_sane(&sizer, max_size);
        }
    }
}

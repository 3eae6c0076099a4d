//! The simulated downstream behaves as queueing theory says, whatever the rule.

use std::time::Duration;

use floodway_sim::batch::{Cost, Pattern, Plan, Ran, Rule, Setting, Shape, run, watch};

const RULES: [Rule; 7] = [
    Rule::UNBATCHED,
    Rule::NATURAL,
    Rule::Fixed { size: 8, linger: Duration::from_millis(2) },
    Rule::Joblib,
    Rule::Bento,
    Rule::Clipper,
    Rule::Adaptive,
];

fn setting(slots: usize, load: f64) -> Setting {
    let cost = Cost {
        overhead: Duration::from_millis(1),
        item: Duration::from_micros(200),
        outliers: false,
        shape: Shape::Plain,
    };
    Setting { slots, cost, pattern: Pattern::Poisson, load, objective: None }
}

fn settings() -> impl Iterator<Item = Setting> {
    let shapes = [
        Shape::Plain,
        Shape::Slowness,
        Shape::Step(5.0),
        Shape::Ramp(5.0),
        Shape::Bimodal,
        Shape::Knee,
        Shape::Contention,
    ];
    let shapes = shapes.map(|shape| {
        let setting = setting(4, 2.0);
        Setting { cost: Cost { shape, ..setting.cost }, ..setting }
    });
    let patterns =
        [(Pattern::Poisson, 9.0, 1), (Pattern::Bursts, 0.8, 4), (Pattern::Callers(64), 1.0, 4)];
    let patterns =
        patterns.map(|(pattern, load, slots)| Setting { pattern, ..setting(slots, load) });
    shapes.into_iter().chain(patterns)
}

#[test]
fn every_item_is_answered_once_or_rejected() {
    for setting in settings() {
        let plan = Plan::new(&setting, 1);
        for rule in RULES {
            let Ran { arrived, rejected, answered, .. } = run(&setting, &plan, rule);
            assert_eq!(arrived, rejected + answered, "{rule:?}, {setting:?}");
            assert!(answered > 1_000, "{rule:?}, {setting:?}: {answered}");
            let has_room = setting.load < 3.0 && rule != Rule::UNBATCHED;
            assert!(!has_room || rejected == 0, "{rule:?}, {setting:?}: {rejected} rejected");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for setting in settings().step_by(3) {
        for rule in RULES {
            let again = || run(&setting, &Plan::new(&setting, 7), rule);
            assert_eq!(again(), again(), "{rule:?}, {setting:?}");
        }
        let again = || watch(&setting, &Plan::new(&setting, 7));
        assert_eq!(again(), again(), "{setting:?}");
        assert_eq!(again().0, run(&setting, &Plan::new(&setting, 7), Rule::Adaptive));
    }
}

/// Mean of some seeds.
fn mean(setting: &Setting, rule: Rule, of: fn(&Ran) -> f64) -> f64 {
    let seeds = 1..=10;
    let count = seeds.clone().count() as f64;
    seeds.map(|seed| of(&run(setting, &Plan::new(setting, seed), rule))).sum::<f64>() / count
}

#[track_caller]
fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value / expected - 1.0).abs() < tolerance, "{value} instead of {expected}");
}

#[test]
fn one_slot_without_batches_waits_as_pollaczek_and_khinchine_say() {
    for load in [0.3, 0.6, 0.8] {
        let setting = setting(1, load);
        let service = setting.cost.mean(1);
        // Of a log-normal, the mean of squares is the square of the mean times exp(σ²).
        let squares = service * service * (0.3_f64 * 0.3).exp();
        let wait = setting.rate() * squares / (2.0 * (1.0 - load));
        near(mean(&setting, Rule::UNBATCHED, |ran| ran.mean), service + wait, 0.03);
    }
}

#[test]
fn many_slots_without_load_do_not_wait() {
    let setting = setting(16, 0.3);
    near(mean(&setting, Rule::UNBATCHED, |ran| ran.mean), setting.cost.mean(1), 0.01);
}

#[test]
fn work_is_that_of_the_items_and_outliers_are_in_the_mean() {
    let mut setting = setting(4, 2.0);
    setting.cost.outliers = true;
    for rule in RULES {
        let batches = mean(&setting, rule, |ran| ran.busy * ran.size);
        let size = mean(&setting, rule, |ran| ran.size);
        let one = setting.cost.mean(1);
        // Linear in the size: α + β·b, where β is a sixth of the time of one.
        near(batches, one * (5.0 + size) / 6.0, 0.03);
    }
}

#[test]
fn natural_batches_are_as_large_as_the_load_asks_for() {
    // In equilibrium b = λ·(α + β·b) / k.
    let setting = setting(1, 3.0);
    let [overhead, item] =
        [setting.cost.overhead, setting.cost.item].map(|cost| cost.as_secs_f64());
    let rate = setting.rate();
    let size = rate * overhead / (1.0 - rate * item);
    near(mean(&setting, Rule::NATURAL, |ran| ran.size), size, 0.15);
}

#[test]
fn a_linger_ends_at_a_whole_millisecond() {
    let mut setting = setting(16, 0.000_1);
    setting.cost.item = Duration::from_nanos(1);
    setting.cost.overhead = Duration::from_nanos(1);
    // One item every ten thousand times its own time; it waits for another in vain, until half a
    // millisecond is over and then to the next millisecond, half of one on average.
    let waits = |linger| Rule::Fixed { size: 1_000, linger: Duration::from_micros(linger) };
    setting.load = 2e-9 * 5.0 / 16.0;
    near(mean(&setting, waits(500), |ran| ran.p50), 1e-3, 0.1);
    assert!(mean(&setting, waits(500), |ran| ran.p99) < 1.6e-3);
    assert!(mean(&setting, Rule::NATURAL, |ran| ran.p99) < 1e-6);
}

#[test]
fn callers_are_never_more_than_there_are() {
    let mut setting = setting(16, 1.0);
    setting.pattern = Pattern::Callers(64);
    // Little's law: those in the system are throughput times latency.
    for rule in RULES {
        let callers = mean(&setting, rule, |ran| ran.goodput * ran.mean);
        near(callers, 64.0, 0.02);
    }
}

//! The scenarios of the simulations with the real layer, in tokio's paused time: what was promised of
//! an algorithm in a simulation holds behind the limiter too.
//!
//! Arrivals and work are those of the simulation. The rest is not: a real limiter reads the
//! calendar once, so probes fall on other moments in each run, and timers end on whole
//! milliseconds. The bounds leave room for that.

mod backend;
mod play;

use floodway::{AnchoredGradient, Queue};
use floodway_metrics::catalogue::limiter as metrics;
use floodway_sim::{Algorithm, Scenario, run};

use self::play::{Played, play};
use crate::support::ms;

/// Mean service time, in seconds.
const MEAN: f64 = 0.020;

/// What the real layer has to reach of the simulation's goodput, in each scenario and on average.
/// In four runs of each with this seed it was at least 0.92, and 0.99 on average.
const GOODPUT: f64 = 0.88;
const MEAN_GOODPUT: f64 = 0.96;
const SEED: u64 = 1;

fn scenario(workers: usize, id: &str) -> Scenario {
    let all = Scenario::all(workers, MEAN).into_iter();
    all.into_iter().find(|scenario| scenario.id == id).expect("a scenario of this name")
}

/// The same events with twenty seconds for each at most, and fewer bursts.
fn shortened(workers: usize, id: &str) -> Scenario {
    let mut scenario = scenario(workers, id);
    scenario.phases.truncate(12);
    scenario.with_lengths(|seconds| seconds.min(20.0))
}

async fn play_without_queue(scenario: &Scenario) -> Played {
    play(scenario, SEED, None, |builder| {
        builder.algorithm(AnchoredGradient::default()).queue(Queue::none())
    })
    .await
}

async fn check_goodput(workers: usize) {
    let mut ratios = Vec::new();
    for id in ["A", "B", "C", "D", "E", "F", "G", "H", "I"] {
        let scenario = shortened(workers, id);
        let simulated = run(&scenario, SEED, &|| Algorithm::AnchoredGradient.build());
        let real = play_without_queue(&scenario).await.trace;
        assert_eq!(real.offered, simulated.offered, "the same arrivals");
        let ratio = real.good() as f64 / simulated.good() as f64;
        assert!(ratio > GOODPUT, "{id}: {} instead of {}", real.good(), simulated.good());
        ratios.push(ratio);
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!(mean > MEAN_GOODPUT, "{ratios:.3?}");
}

#[tokio::test(start_paused = true)]
async fn with_four_workers_the_layer_is_as_good_as_the_simulation() {
    check_goodput(4).await;
}

#[tokio::test(start_paused = true)]
async fn with_sixteen_workers_the_layer_is_as_good_as_the_simulation() {
    check_goodput(16).await;
}

#[tokio::test(start_paused = true)]
async fn where_nobody_answers_the_limit_is_at_its_minimum_within_five_seconds() {
    for workers in [4, 16] {
        let trace = play_without_queue(&shortened(workers, "I")).await.trace;
        let limits: Vec<_> = trace.seconds[20..].iter().map(|second| second.limit()).collect();
        assert!(limits[0] > 1.5, "{limits:.1?}");
        assert!(limits[5..].iter().all(|&limit| limit < 1.5), "{limits:.1?}");
    }
}

/// Some hang up while they wait, others while they are served.
#[tokio::test(start_paused = true)]
async fn callers_who_hang_up_are_counted_and_leave_nothing_behind() {
    let played = play(&shortened(4, "C"), SEED, Some(ms(30)), |builder| {
        builder.algorithm(AnchoredGradient::default())
    })
    .await;
    let bench = &played.benches[0];
    assert!(bench.number(&metrics::CANCELLED, &[]) > 0.0);
    assert!(bench.number(&metrics::COMPLETED, &["ignore"]) > 0.0);
    assert!(played.trace.good() > 4_000);
}

/// At four fifths of the capacity, of those who come after `from` seconds.
async fn check_rejections(workers: usize, seconds: f64, from: usize) {
    for id in ["S", "T"] {
        let scenario = scenario(workers, id).with_lengths(|_| seconds);
        let played =
            play(&scenario, SEED, None, |builder| builder.algorithm(AnchoredGradient::default()));
        let trace = played.await.trace;
        let rejected: u32 = trace.seconds[from..].iter().map(|second| second.rejected).sum();
        let share = f64::from(rejected) / trace.offered as f64;
        assert!(share < 0.001, "{id}: {rejected} of {}", trace.offered);
    }
}

#[tokio::test(start_paused = true)]
async fn with_four_workers_the_default_queue_rejects_nobody_below_capacity() {
    check_rejections(4, 160.0, 0).await;
}

#[tokio::test(start_paused = true)]
async fn with_sixteen_workers_the_default_queue_rejects_nobody_below_capacity() {
    check_rejections(16, 60.0, 0).await;
}

/// Until it has found that limit: a backend of this size wants six times the initial one.
#[tokio::test(start_paused = true)]
async fn with_sixty_four_workers_the_default_queue_rejects_nobody_after_the_start() {
    check_rejections(64, 40.0, 3).await;
}

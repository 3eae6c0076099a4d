//! An algorithm that learns from what the limiter sees.

use floodway::{Aimd, LimitAlgorithm, Outcome, Queue, Reason, Window, WindowConfig};
use floodway_metrics::catalogue::limiter as metrics;
use tokio::time::advance;

use crate::support::{Bench, is_pending, ms, ready};

fn every_100ms() -> WindowConfig {
    WindowConfig::new(ms(100), 1)
}

#[tokio::test(start_paused = true)]
async fn aimd_grows_under_load_and_shrinks_on_overload_within_its_bounds() {
    let bench = Bench::new(|b| b.algorithm(Aimd::new(3).with_window(every_100ms())).bounds(3..=4));
    for (outcome, limit) in [
        (Outcome::Success, 4),
        (Outcome::Success, 4), // at the upper bound
        (Outcome::Ignore, 4),  // says nothing
        (Outcome::Overload, 3),
        (Outcome::Overload, 3), // at the lower bound
    ] {
        let permits: Vec<_> = (0..3).map(|_| bench.take()).collect();
        advance(ms(100)).await;
        for permit in permits {
            permit.complete(outcome);
        }
        assert_eq!(bench.limiter.limit(), limit, "after {outcome:?}");
    }
    assert_eq!(bench.number(&metrics::LIMIT_MIN, &[]), 3.0);
    assert_eq!(bench.number(&metrics::LIMIT_MAX, &[]), 4.0);
    assert_eq!(bench.number(&metrics::LIMIT_CHANGES, &["up"]), 1.0);
    assert_eq!(bench.number(&metrics::LIMIT_CHANGES, &["down"]), 1.0);
}

/// Answers every window as it is told to.
struct Unruly(fn() -> f64, f64);

impl LimitAlgorithm for Unruly {
    fn limit(&self) -> f64 {
        self.1
    }

    fn set_limit(&mut self, limit: f64) {
        self.1 = limit;
    }

    fn window(&self) -> Option<WindowConfig> {
        Some(WindowConfig::new(ms(0), 1))
    }

    fn on_window(&mut self, _: &Window) -> Reason {
        self.1 = (self.0)();
        Reason::Growth
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_a_number_leaves_the_old_one() {
    let bench = Bench::new(|b| b.algorithm(Unruly(|| f64::NAN, 5.0)));
    bench.take().complete(Outcome::Success);
    bench.check(5, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_out_of_bounds_stops_at_the_bound() {
    let bench = Bench::new(|b| b.algorithm(Unruly(|| 1e18, 5.0)).bounds(1..=9));
    bench.take().complete(Outcome::Success);
    bench.check(9, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn an_algorithm_that_panics_keeps_nobody_waiting() {
    let bench = Bench::new(|b| b.algorithm(Unruly(|| panic!("on purpose"), 1.0)).bounds(1..=9));
    let held = bench.take();
    let mut waiting = bench.limiter.acquire();
    assert!(is_pending(&mut waiting).await);
    let panicked = tokio::spawn(async move { held.complete(Outcome::Success) }).await;
    assert!(panicked.unwrap_err().is_panic());
    let _granted = ready(&mut waiting).await.unwrap();
    bench.check(1, 1, 0);
}

/// Who is refused before anything has ended has been held back too: else a limiter without a queue
/// would not grow.
#[tokio::test(start_paused = true)]
async fn a_refusal_before_the_first_completion_counts_as_held_back() {
    let bench = Bench::new(|b| {
        b.algorithm(Aimd::new(1).with_window(every_100ms())).bounds(1..=2).queue(Queue::none())
    });
    let permit = bench.take();
    assert!(bench.limiter.acquire().await.is_err());
    advance(ms(100)).await;
    permit.complete(Outcome::Success);
    assert_eq!(bench.number(&metrics::LIMITED, &[]), 1.0);
}

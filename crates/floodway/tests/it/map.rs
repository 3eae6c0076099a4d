//! One limiter per key.

use std::time::Duration;

use floodway::{Clock, LimiterMap, LimiterMapBuilder, Outcome, Registry};
use floodway_metrics::catalogue::limiter as metrics;
use tokio::time::advance;

use crate::support::ms;

/// A map of limits of 2 called `keys` with a registry of its own, on tokio's clock.
struct Keys {
    map: LimiterMap<u32>,
    registry: Registry,
}

impl Keys {
    fn new(describe: impl FnOnce(LimiterMapBuilder<u32>) -> LimiterMapBuilder<u32>) -> Self {
        let registry = Registry::new();
        let builder = LimiterMap::builder("keys", |_, limiter| limiter.limit(2));
        let builder = builder.registry(&registry).clock(Clock::tokio());
        Self { map: describe(builder).build().expect("a valid description"), registry }
    }

    #[track_caller]
    fn check(&self, metric: &'static floodway_metrics::Metric, expected: f64) {
        let number = self.registry.snapshot().number(metric, &["keys"]);
        assert_eq!(number, Some(expected), "{}", metric.name);
    }
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_limit_and_all_count_together() {
    let keys = Keys::new(|b| b);
    let first = keys.map.limiter(&1);
    let held: Vec<_> = (0..2).map(|_| first.try_acquire().unwrap()).collect();
    assert!(first.try_acquire().is_err());
    keys.map.limiter(&2).try_acquire().unwrap().complete(Outcome::Success);
    for (metric, expected) in [
        (&metrics::KEYS, 2.0),
        (&metrics::IN_FLIGHT, 2.0),
        (&metrics::LIMIT, 6.0), // two keys and the overflow
        (&metrics::ACQUIRED, 3.0),
        (&metrics::COMPLETED, 1.0),
        (&metrics::REJECTED, 1.0),
    ] {
        keys.check(metric, expected);
    }
    drop(held);
    keys.check(&metrics::COMPLETED, 3.0);
    keys.check(&metrics::IN_FLIGHT, 0.0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_key_goes_and_one_in_use_stays() {
    let keys = Keys::new(|b| b.idle_after(ms(1_000)));
    let permit = keys.map.limiter(&1).try_acquire().unwrap();
    let _handle = keys.map.limiter(&2);
    let _ = keys.map.limiter(&3);
    advance(ms(1_001)).await;
    keys.check(&metrics::KEYS, 2.0);
    assert_eq!(keys.map.limiter(&1).in_flight(), 1, "the same limiter as before");
    drop(permit);
    advance(ms(1_001)).await;
    keys.check(&metrics::KEYS, 1.0);
}

#[tokio::test(start_paused = true)]
async fn keys_are_bounded_and_the_excess_shares_one_limiter() {
    let keys = Keys::new(|b| b.max_keys(64));
    let permits: Vec<_> =
        (0..10_000).filter_map(|key| keys.map.limiter(&key).try_acquire().ok()).collect();
    assert_eq!(permits.len(), 64 + 2, "one of each key in use, and the overflow's limit");
    assert_eq!((keys.map.len(), keys.map.overflow().in_flight()), (64, 2));
    keys.check(&metrics::OVERFLOWED, f64::from(10_000 - 64));
    drop(permits);
    // Long enough for the map to search for keys that make room.
    advance(Duration::from_secs(1)).await;
    for key in 0..10_000 {
        drop(keys.map.limiter(&key).try_acquire().unwrap());
        assert!(keys.map.len() <= 64);
    }
    keys.check(&metrics::OVERFLOWED, f64::from(10_000 - 64));
}

#[tokio::test(start_paused = true)]
async fn a_key_without_a_valid_description_shares_the_overflow() {
    let registry = Registry::new();
    let map = LimiterMap::<u32>::builder("keys", |key, limiter| match key {
        Some(7) => limiter.limit(0),
        _ => limiter.limit(1),
    });
    let map = map.registry(&registry).build().unwrap();
    let _held = map.limiter(&7).try_acquire().unwrap();
    assert_eq!((map.len(), map.overflow().in_flight()), (0, 1));
}

#[test]
fn what_a_map_cannot_be_is_an_error() {
    let builder = || LimiterMap::<u32>::builder("keys", |_, limiter| limiter.limit(1));
    let invalid = LimiterMap::<u32>::builder("keys", |_, limiter| limiter.limit(0));
    for (builder, expected) in [
        (builder().max_keys(0), "max_keys: 0 is out of range, expected 1 to 1048576"),
        (builder().idle_after(ms(0)), "idle_after: 0ns is out of range, expected more than 0 s"),
        (invalid, "limit: 0 is out of range, expected 1 to 1048576"),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), expected);
    }
}

/// A key that goes while a ceiling of 0 keeps it saturated takes that along.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_is_not_saturated() {
    let (registry, ceiling) = (Registry::new(), floodway::Ceiling::new(0));
    let shared = ceiling.clone();
    let map = LimiterMap::<u32>::builder("keys", move |_, limiter| {
        limiter.limit(2).ceiling(shared.clone())
    });
    let map = map.idle_after(ms(1_000)).clock(Clock::tokio()).registry(&registry).build().unwrap();
    let saturated = || registry.snapshot().number(&metrics::SATURATED_SECONDS, &["keys"]).unwrap();
    let _ = map.limiter(&1);
    advance(ms(2_000)).await;
    assert!(saturated() > 1.0 && map.is_empty());
    ceiling.set(5);
    let before = saturated();
    advance(ms(10_000)).await;
    assert!(saturated() - before < 0.01, "{before} -> {}", saturated());
}

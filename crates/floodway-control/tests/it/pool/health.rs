//! How many may try to connect while connecting fails.

use std::time::Duration;

use floodway_control::ConnectHealth;
use proptest::prelude::*;

const MAX: u32 = 10;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Failing since 1 s, in its first pause of 100 ms.
fn paused() -> ConnectHealth {
    let mut health = ConnectHealth::new();
    for at in [1_000, 1_010, 1_020] {
        health.failed(millis(at), 0.999_999);
    }
    health
}

/// Failing and allowed one connection.
fn probing() -> ConnectHealth {
    let mut health = paused();
    assert_eq!(health.allowance(health.resumes_at().unwrap()), 1);
    health
}

#[test]
fn two_failures_in_a_row_are_borne() {
    let mut health = ConnectHealth::new();
    for _ in 0..5 {
        health.failed(millis(1), 0.0);
        health.failed(millis(2), 0.0);
        assert_eq!(health.failures(), 2);
        assert!(!health.is_failing());
        assert_eq!(health.allowance(millis(3)), u32::MAX);
        assert_eq!((health.failing_since(), health.resumes_at()), (None, None));
        health.succeeded(MAX);
        assert_eq!(health.failures(), 0);
    }
}

#[test]
fn the_third_failure_in_a_row_starts_a_pause() {
    let mut health = paused();
    assert!(health.is_failing());
    assert_eq!(health.failing_since(), Some(millis(1_000)));
    assert_eq!(health.allowance(millis(1_020)), 0);
    assert_eq!(health.allowance(millis(1_119)), 0);
    assert_eq!(health.allowance(millis(1_120)), 1);
    assert_eq!(health.resumes_at(), None);
}

#[test]
fn failed_probes_back_off_to_a_second_between_half_and_whole() {
    for (chance, share) in [(0.0, 0.5), (0.5, 0.75), (f64::NAN, 0.5), (7.0, 0.5)] {
        let (mut health, mut now) = (ConnectHealth::new(), Duration::ZERO);
        health.failed(now, chance);
        health.failed(now, chance);
        for whole in [100, 200, 400, 800, 1_000, 1_000] {
            health.failed(now, chance);
            let pause = health.resumes_at().unwrap() - now;
            assert_eq!(pause, millis(whole).mul_f64(share), "chance {chance}");
            now += pause;
            assert_eq!(health.allowance(now), 1);
        }
    }
}

#[test]
fn stragglers_do_not_lengthen_a_pause() {
    let mut health = paused();
    let end = health.resumes_at();
    for at in 1_021..1_200 {
        health.failed(millis(at), 0.9);
    }
    assert_eq!(health.resumes_at(), end);
    assert_eq!(health.failures(), 3 + 179);
    assert_eq!(health.allowance(millis(1_200)), 1);
}

#[test]
fn a_success_during_a_pause_ends_it() {
    let mut health = paused();
    health.succeeded(MAX);
    assert_eq!((health.resumes_at(), health.failures()), (None, 0));
    assert_eq!(health.allowance(millis(1_021)), 2);
    assert_eq!(health.failing_since(), Some(millis(1_000)));
}

#[test]
fn recovery_grows_by_one_with_each_success_until_the_pool_is_whole() {
    let mut health = probing();
    for allowance in 2..MAX {
        health.succeeded(MAX);
        assert_eq!(health.allowance(millis(2_000)), allowance);
        assert!(health.is_failing());
    }
    health.succeeded(MAX);
    assert!(!health.is_failing());
    assert_eq!(health.allowance(millis(2_000)), u32::MAX);
    assert_eq!(health.failing_since(), None);
}

#[test]
fn a_failure_while_recovering_halves_and_at_one_pauses_for_longer() {
    let mut health = probing();
    for _ in 0..6 {
        health.succeeded(MAX);
    }
    let now = millis(2_000);
    for allowance in [3, 1] {
        health.failed(now, 0.0);
        assert_eq!(health.allowance(now), allowance);
    }
    health.failed(now, 0.0);
    // Half of the second pause, of 200 ms.
    assert_eq!(health.resumes_at(), Some(millis(2_100)));
    assert_eq!(health.failing_since(), Some(millis(1_000)));
}

#[test]
fn a_recovery_that_was_completed_forgets_the_back_off() {
    let mut health = probing();
    for _ in 0..MAX {
        health.succeeded(MAX);
    }
    let now = millis(9_000);
    for _ in 0..3 {
        health.failed(now, 0.0);
    }
    assert_eq!(health.resumes_at(), Some(millis(9_050)));
    assert_eq!(health.failing_since(), Some(now));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Failed(f64),
    Succeeded,
    Nothing,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0.0..1.0).prop_map(Event::Failed),
        2 => Just(Event::Succeeded),
        1 => Just(Event::Nothing),
    ]
}

fn apply(health: &mut ConnectHealth, now: Duration, event: Event, max: u32) {
    match event {
        Event::Failed(chance) => health.failed(now, chance),
        Event::Succeeded => health.succeeded(max),
        Event::Nothing => {}
    }
}

proptest! {
    #[test]
    fn nobody_is_held_back_for_longer_than_a_second(
        events in proptest::collection::vec((0u64..600, event()), 1..200), max in 0u32..40,
    ) {
        let (mut health, mut now) = (ConnectHealth::new(), Duration::ZERO);
        let mut allowed = now;
        for (passed, event) in events {
            now += millis(passed);
            let allowance = health.allowance(now);
            match health.resumes_at() {
                Some(end) => prop_assert!(allowance == 0 && now < end && end <= now + millis(1_000)),
                None => prop_assert!(allowance > 0),
            }
            if allowance > 0 {
                allowed = now;
            }
            prop_assert!(now - allowed < millis(1_000), "nothing since {allowed:?} at {now:?}");
            prop_assert_eq!(health.is_failing(), allowance < u32::MAX);
            prop_assert!(!health.is_failing() || allowance < max.max(2));
            prop_assert_eq!(health.failing_since().is_some(), health.is_failing());
            prop_assert!(health.failing_since() <= Some(now));
            apply(&mut health, now, event, max);
        }
    }

    #[test]
    fn as_many_successes_as_connections_heal_whatever_was_before(
        events in proptest::collection::vec((0u64..600, event()), 0..100), max in 1u32..40,
    ) {
        let (mut health, mut now) = (ConnectHealth::new(), Duration::ZERO);
        for (passed, event) in events {
            now += millis(passed);
            health.allowance(now);
            apply(&mut health, now, event, max);
        }
        for _ in 0..max {
            prop_assert!(!health.is_failing() || health.allowance(now) < max.max(2));
            health.succeeded(max);
        }
        prop_assert!(!health.is_failing());
        prop_assert_eq!(health.allowance(now), u32::MAX);
        prop_assert_eq!((health.failures(), health.resumes_at()), (0, None));
    }

    #[test]
    fn without_three_failures_in_a_row_nobody_is_held_back(
        rows in proptest::collection::vec(0u32..3, 0..50),
    ) {
        let mut health = ConnectHealth::new();
        for row in rows {
            for _ in 0..row {
                health.failed(millis(1), 0.5);
                prop_assert_eq!(health.allowance(millis(1)), u32::MAX);
            }
            health.succeeded(MAX);
        }
    }
}

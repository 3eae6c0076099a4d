//! How much of a pool a limiter may hand out.

use std::time::Duration;

use floodway_control::{PoolCeiling, PoolUse};
use proptest::prelude::*;

const FULL: PoolUse = PoolUse { max: 10, open: 10, idle: 10, held: 0 };

#[test]
fn the_reserve_is_never_handed_out() {
    assert_eq!(PoolCeiling::new(2).observe(Duration::ZERO, FULL), 8);
}

#[test]
fn own_use_does_not_lower_the_limit_and_foreign_use_does() {
    let mut ceiling = PoolCeiling::new(0);
    let own = PoolUse { idle: 4, held: 6, ..FULL };
    assert_eq!(ceiling.observe(Duration::ZERO, own), 10);
    assert_eq!(ceiling.observe(Duration::ZERO, PoolUse { held: 1, ..own }), 5);
    assert_eq!(ceiling.foreign(), 5);
}

#[test]
fn a_foreign_peak_is_remembered_for_a_second_and_then_forgotten() {
    let mut ceiling = PoolCeiling::new(0);
    assert_eq!(ceiling.observe(Duration::from_millis(100), PoolUse { idle: 7, ..FULL }), 7);
    assert_eq!(ceiling.observe(Duration::from_millis(900), FULL), 7);
    assert_eq!(ceiling.observe(Duration::from_millis(1_100), FULL), 10);
}

#[test]
fn a_counter_that_wrapped_is_not_foreign_use() {
    let lying = PoolUse { idle: u32::MAX, ..FULL };
    assert_eq!(PoolCeiling::new(0).observe(Duration::ZERO, lying), 10);
}

proptest! {
    #[test]
    fn limit_plus_reserve_plus_foreign_never_exceeds_the_pool(
        max in 0u32..100, open in 0u32..200, idle in 0u32..200, held in 0u32..200,
        reserved in 0u32..20, millis in proptest::collection::vec(0u64..10_000, 1..20),
    ) {
        let mut ceiling = PoolCeiling::new(reserved);
        for at in millis {
            let pool = PoolUse { max, open, idle, held };
            let limit = ceiling.observe(Duration::from_millis(at), pool);
            prop_assert!(limit <= max);
            prop_assert!(limit == 0 || limit + reserved + pool.foreign() <= max);
        }
    }
}

#[test]
fn what_is_only_remembered_leaves_one() {
    let mut ceiling = PoolCeiling::new(1);
    let all = PoolUse { max: 4, open: 4, idle: 0, held: 0 };
    assert_eq!(ceiling.observe(Duration::ZERO, all), 0);
    let none = PoolUse { idle: 4, ..all };
    let later = Duration::from_millis(100);
    assert_eq!((ceiling.observe(later, none), ceiling.foreign()), (1, 4));
    assert_eq!(ceiling.observe(Duration::from_secs(2), none), 3);
}

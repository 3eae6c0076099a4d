//! What cannot be built, and what is said about it.

use std::time::Duration;

use floodway_fleet::{BudgetBuilder, BuildError, Fleet, MemoryStore};
use floodway_metrics::Registry;

fn fleet() -> Fleet {
    Fleet::builder(MemoryStore::new()).registry(&Registry::new()).build().unwrap()
}

#[track_caller]
fn check(permits: u32, describe: impl FnOnce(BudgetBuilder) -> BudgetBuilder, message: &str) {
    let error = describe(fleet().budget("db", permits)).build().unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn every_bad_field_is_named_with_its_value() {
    let secs = Duration::from_secs;
    check(0, |b| b, "budget: 0 is out of range, expected 1 to 268435455");
    check(4, |b| b.margin(4), "margin: 4 is out of range, expected less than the budget of 4");
    check(
        10,
        |b| b.margin(1).floor(10),
        "floor: 10 for each of 1 replicas is more than the 9 permits that may be leased, expected at \
         most 9; with more replicas than permits use 0",
    );
    check(
        10,
        |b| b.margin(1).floor(3).max_replicas(4),
        "floor: 3 for each of 4 replicas is more than the 9 permits that may be leased, expected at \
         most 2; with more replicas than permits use 0",
    );
    check(
        10,
        |b| b.ttl(secs(2)),
        "ttl: 2000 ms is out of range, expected at least 2667 ms: three quarters of it are used, \
         and two renewals at intervals of 1000 ms have to fit in",
    );
    check(
        10,
        |b| b.floor_ttl(secs(3)),
        "floor_ttl: 3000 ms is out of range, expected at least the ttl of 4000 ms",
    );
    check(10, |b| b.refresh(secs(0)), "refresh: 0 is out of range, expected 20 to 86400000");
    check(10, |b| b.share_without_lease(), "max_replicas: 0 is out of range, expected 1 to 9");
    check(10, |b| b.max_replicas(0), "max_replicas: 0 is out of range, expected 1 to 4294967295");
}

#[test]
fn names_have_to_fit_into_keys_and_connection_names() {
    let name = |name: &str| fleet().budget(name, 10).build().unwrap_err().to_string();
    assert_eq!(
        name("orders db"),
        "budget: \"orders db\" is not usable, expected 1 to 32 letters, digits, dots, dashes or \
         underscores"
    );
    assert!(name("").starts_with("budget: \"\""));
    let replica = Fleet::builder(MemoryStore::new()).replica("a/b").build().unwrap_err();
    assert!(matches!(replica, BuildError::Name { field: "replica", .. }), "{replica}");
    let weight = Fleet::builder(MemoryStore::new()).weight(0).build().unwrap_err();
    assert_eq!(weight.to_string(), "weight: 0 is out of range, expected 1 to 1000");
}

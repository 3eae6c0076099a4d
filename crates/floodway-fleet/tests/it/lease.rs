//! Leases while the engine can be reached.

use floodway_fleet::{GrantError, LeaseStore};
use floodway_metrics::catalogue::fleet as metrics;
use tokio::time::Instant;

use crate::support::{Cut, Replica, Way, go_on, memory, ms};

#[tokio::test(start_paused = true)]
async fn nothing_may_be_used_before_the_first_grant_and_all_of_it_alone() {
    let store = memory();
    let one = Replica::new(store, "one", |b| b);
    one.check(0, "none");
    assert_eq!(one.lease.granted(Instant::now() + ms(200)).await.unwrap(), 40);
    one.check(40, "leased");
    assert_eq!(one.lease.application_name().unwrap(), "fw/1/db/one");
    assert!(one.budget.lease(&one.load).is_err());
}

#[tokio::test(start_paused = true)]
async fn two_share_and_a_share_moves_only_once_it_is_free() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b);
    go_on(ms(500), &[&one]).await;
    one.load.stick(30);
    let two = Replica::new(store, "two", |b| b);
    go_on(ms(3_000), &[&one, &two]).await;
    one.check(20, "leased");
    two.check(10, "leased");
    // Its connections are closed at last.
    one.load.stick(0);
    go_on(ms(1_000), &[&one, &two]).await;
    two.check(20, "leased");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_moves_takes_its_share_along() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b);
    let two = Replica::new(store, "two", |b| b);
    two.load.set(1);
    go_on(ms(3_000), &[&one, &two]).await;
    one.check(39, "leased");
    one.load.set(1);
    two.load.set(100);
    go_on(ms(3_000), &[&one, &two]).await;
    one.check(1, "leased");
    two.check(39, "leased");
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_is_free_at_once() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b);
    let two = Replica::new(store.clone(), "two", |b| b);
    go_on(ms(3_000), &[&one, &two]).await;
    one.check(20, "leased");
    let Replica { lease, limiter, load, .. } = one;
    load.set(0);
    lease.release(Instant::now() + ms(100)).await.unwrap();
    assert_eq!(limiter.limit(), 0);
    go_on(ms(1_100), &[&two]).await;
    two.check(40, "leased");
    // Dropped, it goes as well.
    drop(two.lease);
    tokio::time::sleep(ms(1_100)).await;
    let status = store.status("db").await.unwrap().unwrap();
    assert!(status.replicas.is_empty(), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_process_of_the_name_ends_the_first() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b);
    go_on(ms(500), &[&one]).await;
    let again = Replica::new(store, "one", |b| b);
    go_on(ms(3_000), &[&one, &again]).await;
    one.check(0, "superseded");
    again.check(40, "leased");
    let refused = one.lease.granted(Instant::now() + ms(1_000)).await.unwrap_err();
    assert!(matches!(refused, GrantError::Superseded { .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_lower_of_two_budgets_is_in_force_and_an_operator_overrules_both() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b);
    let two = Replica::new(store.clone(), "two", |b| b.margin(22));
    go_on(ms(4_000), &[&one, &two]).await;
    one.check(10, "leased");
    two.check(10, "leased");
    let disagreement = one.lease.agreed().unwrap_err();
    assert_eq!(
        disagreement.to_string(),
        "replicas disagree: this one declares a budget of 42 less 2, in force is 42 less 22; deploy \
         the same everywhere, or set it for all"
    );
    two.lease.agreed().unwrap();
    store.set_budget("db", Some((32, 2))).await.unwrap();
    go_on(ms(2_000), &[&one, &two]).await;
    one.check(15, "leased");
    store.set_budget("db", None).await.unwrap();
    go_on(ms(2_000), &[&one, &two]).await;
    one.check(10, "leased");
}

#[tokio::test(start_paused = true)]
async fn who_gets_nothing_learns_why() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b.floor(0));
    one.load.stick(40);
    go_on(ms(500), &[&one]).await;
    let two = Replica::new(store, "two", |b| b.floor(0));
    let refused = two.lease.granted(Instant::now() + ms(500)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no permit of the budget \"db\" is free: 40 of 40 are leased to 2 replicas, 0 of them to \
         such as are gone"
    );
}

#[tokio::test(start_paused = true)]
async fn weights_divide_what_is_scarce() {
    let store = memory();
    let heavy = Replica::weighted(store.clone(), "heavy", 3, |b| b);
    let light = Replica::new(store, "light", |b| b);
    go_on(ms(4_000), &[&heavy, &light]).await;
    heavy.check(30, "leased");
    light.check(10, "leased");
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_a_lease_is_in_the_metrics() {
    let store = memory();
    let cut = Cut::new(&store);
    let one = Replica::new(cut.clone(), "one", |b| b.floor(2));
    go_on(ms(1_500), &[&one]).await;
    let number = |metric, labels: &[&str]| {
        let labels = [&["db"], labels].concat();
        one.registry.snapshot().number(metric, &labels).unwrap()
    };
    assert_eq!(number(&metrics::BUDGET, &[]), 42.0);
    assert_eq!(number(&metrics::GRANTED, &[]), 40.0);
    assert_eq!(number(&metrics::OUTSTANDING, &[]), 40.0);
    assert_eq!(number(&metrics::LEASE_INFO, &["leased"]), 1.0);
    assert_eq!(number(&metrics::RENEWALS, &["granted"]), 2.0);
    assert_eq!(number(&metrics::GRANT_CHANGES, &["up"]), 1.0);
    cut.set(Way::Refused);
    go_on(ms(4_000), &[&one]).await;
    assert_eq!(number(&metrics::LAPSES, &[]), 1.0);
    assert_eq!(number(&metrics::GRANT_CHANGES, &["down"]), 1.0);
    assert_eq!(number(&metrics::LEASE_INFO, &["floor"]), 1.0);
    assert!(number(&metrics::RENEWALS, &["failed"]) >= 8.0);
    assert!(number(&metrics::LEASE_AGE, &[]) > 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_an_operator_has_set_is_no_disagreement() {
    let store = memory();
    let one = Replica::new(store.clone(), "one", |b| b);
    store.set_budget("db", Some((12, 2))).await.unwrap();
    go_on(ms(1_500), &[&one]).await;
    one.check(10, "leased");
    one.lease.agreed().unwrap();
}

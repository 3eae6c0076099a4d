//! What operators change: budgets and leases.

use floodway_fleet::LeaseStore as _;
use floodway_test_support::Redis;

use super::run::{Asker, connect, run};

#[tokio::test]
async fn a_budget_is_set_above_the_heads_of_replicas() {
    let Some(redis) = Redis::start() else { return };
    let (store, url) = (connect(&redis).await, redis.url());
    let mut replica = Asker::new("orders-0");
    replica.request.want = 30;
    assert_eq!(replica.granted(&store).await.grant, 38);

    // More: at once, with the margin that there is.
    let said = run(&url, &["set-budget", "orders-db", "60"]).ended(0);
    assert_eq!(said.out, "orders-db: 60 permits, 2 of them margin, until --clear\n");
    assert_eq!(replica.ask(&store).await.grant, 58);
    replica.request.applied = 58;
    replica.ask(&store).await;

    // Less than what is out: not without a word.
    let said = run(&url, &["set-budget", "orders-db", "20", "--margin", "3"]).ended(1);
    assert!(said.err.contains("58 permits are out, 17 may be"), "{said:?}");
    assert!(said.err.contains("confirm with --yes") && said.out.is_empty(), "{said:?}");
    assert_eq!(replica.ask(&store).await.budget, 60, "nothing has changed");
    run(&url, &["set-budget", "orders-db", "20", "--margin", "3", "--yes"]).ended(0);
    let reply = replica.ask(&store).await;
    assert_eq!((reply.budget, reply.margin, reply.grant), (20, 3, 17));
    let text = run(&url, &["status"]).ended(0).out;
    assert!(text.contains("budget 20, margin 3, set by an operator"), "{text}");
    assert!(text.contains("declared: 40 less 2 by 1 replica"), "{text}");

    let said = run(&url, &["set-budget", "orders-db", "--clear"]).ended(0);
    assert!(said.out.contains("now 40 permits, 2 of them margin"), "{said:?}");
    assert_eq!(replica.ask(&store).await.budget, 40);
    let said = run(&url, &["set-budget", "orders-db", "--clear"]).ended(0);
    assert!(said.out.contains("was not set"), "{said:?}");
}

#[tokio::test]
async fn floors_that_would_not_fit_have_to_be_confirmed() {
    let Some(redis) = Redis::start() else { return };
    let (store, url) = (connect(&redis).await, redis.url());
    let mut replica = Asker::new("orders-0");
    (replica.request.floor, replica.request.want) = (9, 0);
    replica.granted(&store).await;
    let said = run(&url, &["set-budget", "orders-db", "8"]).ended(1);
    assert!(
        said.err.contains("floors of the replicas are 9 together, 6 may be leased"),
        "{said:?}"
    );
}

#[tokio::test]
async fn what_no_replica_has_named_has_to_be_confirmed() {
    let Some(redis) = Redis::start() else { return };
    let (store, url) = (connect(&redis).await, redis.url());
    let said = run(&url, &["set-budget", "orders-db", "30"]).ended(1);
    assert!(said.err.contains("no replica has named it yet"), "{said:?}");
    assert_eq!(store.status("orders-db").await.expect("an answer"), None);
    run(&url, &["set-budget", "orders-db", "30", "--yes"]).ended(0);
    let status = store.status("orders-db").await.expect("an answer").expect("known");
    assert_eq!((status.budget, status.margin), (30, 2), "5 %, rounded up");

    let said = run(&url, &["set-budget", "orders-db", "30", "--margin", "30"]).ended(2);
    assert!(said.err.contains("--margin: 30 is out of range, expected less than 30"), "{said:?}");
    let said = run(&url, &["set-budget", "orders db", "30", "--yes"]).ended(2);
    assert!(said.err.contains("not a name"), "{said:?}");
}

#[tokio::test]
async fn the_floor_of_a_replica_that_is_gone_comes_back_by_eviction() {
    let Some(redis) = Redis::start() else { return };
    let (store, url) = (connect(&redis).await, redis.url());
    let mut gone = Asker::new("gone");
    gone.request.floor = 30;
    gone.granted(&store).await;
    let mut alive = Asker::new("alive");
    (alive.request.sent, alive.request.want) = (gone.request.sent, 40);
    alive.ask(&store).await;
    for _ in 0..3 {
        alive.later(&store, 6_000);
        alive.ask(&store).await;
    }
    assert_eq!(alive.ask(&store).await.grant, 8, "the floor is kept for ten minutes");

    let said = run(&url, &["evict", "orders-db", "gone"]).ended(0);
    assert!(
        said.out.starts_with("gone: evicted, 30 of its permits count for 1 s more"),
        "{said:?}"
    );
    alive.later(&store, 2_000);
    alive.ask(&store).await;
    assert_eq!(alive.ask(&store).await.grant, 38);
}

#[tokio::test]
async fn what_waits_for_a_fence_is_given_up_only_on_demand() {
    let Some(redis) = Redis::start() else { return };
    let (store, url) = (connect(&redis).await, redis.url());
    let mut gone = Asker::new("gone");
    (gone.request.fenced, gone.request.floor) = (true, 0);
    let grant = gone.granted(&store).await.grant;
    let mut alive = Asker::new("alive");
    (alive.request.sent, alive.request.want) = (gone.request.sent, 40);
    alive.ask(&store).await;
    alive.later(&store, 6_000);
    assert_eq!(alive.ask(&store).await.unfenced, grant);

    let said = run(&url, &["evict", "orders-db", "gone"]).ended(1);
    assert!(said.err.contains(&format!("left {grant} permits behind")), "{said:?}");
    alive.later(&store, 1_000);
    assert_eq!(alive.ask(&store).await.unfenced, grant, "nothing has changed");
    let said = run(&url, &["evict", "orders-db", "gone", "--yes"]).ended(0);
    assert!(said.out.contains("counts no more"), "{said:?}");
    alive.later(&store, 1_000);
    assert_eq!(alive.ask(&store).await.unfenced, 0);
}

//! What `doctor` finds in engines and budgets.

use std::time::Duration;

use floodway_test_support::{Redis, free_port};
use serde_json::Value;
use tokio::{task::spawn_blocking, time::Instant};

use super::run::{Asker, connect, run};
use crate::support::Replica;

/// Keeps what it knows.
pub(super) const DURABLE: &[(&str, &str)] = &[("appendonly", "yes")];

/// The findings of that check: level, what was found and what to change.
pub(super) fn findings(document: &Value, check: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = document["findings"].as_array().expect("a list").iter();
    let ours = all.filter(|finding| finding["check"] == check);
    ours.map(|one| (text(&one["level"]), text(&one["found"]), text(&one["change"]))).collect()
}

/// The only finding of that check is of `level` and contains `found` and `change`.
#[track_caller]
pub(super) fn finds(document: &Value, check: &str, level: &str, found: &str, change: &str) {
    let all = findings(document, check);
    let [(is, says, to)] = &*all else { panic!("{check}: {document:#}") };
    assert!(is == level && says.contains(found) && to.contains(change), "{check}: {document:#}");
}

/// Nothing was looked at, or nothing was found.
#[track_caller]
pub(super) fn finds_nothing(document: &Value, check: &str) {
    assert_eq!(findings(document, check), [], "{document:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_healthy_fleet_is_fine() {
    let Some(redis) = Redis::start_with(DURABLE) else { return };
    let store = connect(&redis).await;
    let replica = Replica::new(store, "orders-0", |budget| budget);
    replica.lease.granted(Instant::now() + Duration::from_secs(20)).await.expect("a grant");
    let url = redis.url();
    let said = spawn_blocking(move || run(&url, &["doctor", "--json"])).await.expect("ran");
    let document = said.ended(0).json();
    finds(&document, "engine", "ok", "Redis", "");
    finds(&document, "durability", "ok", "across a restart", "");
    finds(&document, "round trip", "ok", "renewals wait 500 ms", "");
    finds(&document, "clock", "ok", "less than 2 s apart", "");
    finds(&document, "budget", "ok", "to 1 replica that want 100", "");
    let url = redis.url();
    let said = spawn_blocking(move || run(&url, &["doctor"])).await.expect("ran").ended(0);
    assert!(said.out.lines().all(|line| line.starts_with("ok ")), "{said:?}");
}

#[test]
fn engines_that_forget_or_evict_are_found() {
    let settings = &[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")];
    let Some(redis) = Redis::start_with(settings) else { return };
    let document = run(&redis.url(), &["doctor", "--json"]).ended(1).json();
    let warnings = findings(&document, "engine");
    let finds = |found: &str, change: &str| {
        warnings.iter().any(|(level, says, to)| {
            level == "warning" && says.contains(found) && to.contains(change)
        })
    };
    assert!(finds("allkeys-lru", "noeviction"), "{document:#}");
    assert!(finds("across a restart", "appendonly yes"), "{document:#}");
    let text = run(&redis.url(), &["doctor"]).ended(1).out;
    assert!(text.contains("warning  engine") && text.contains("-> "), "{text}");
}

#[test]
fn an_engine_that_is_not_reached_is_broken() {
    let url = format!("redis://:s3cret@127.0.0.1:{}/", free_port());
    let said = run(&url, &["doctor", "--json"]).ended(2);
    assert!(!said.out.contains("s3cret") && said.err.is_empty(), "{said:?}");
    finds(&said.json(), "engine", "broken", "cannot be reached", "check the URL");
}

#[test]
fn an_engine_that_is_too_slow_for_renewals_is_broken() {
    let Some(redis) = Redis::start_with(DURABLE) else { return };
    let said = run(&redis.url(), &["doctor", "--json", "--refresh", "1ms"]);
    // Nobody answers within a hundredth of that.
    let level = &findings(&said.json(), "round trip")[0].0;
    let took = &findings(&said.json(), "round trip")[0].1;
    let millis: f64 = took.split_whitespace().nth(2).expect("a number").parse().expect("a number");
    let expected = if millis >= 0.5 { "broken" } else { "warning" };
    assert!(level == expected || (0.1..0.2).contains(&millis), "{said:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_budget_is_found() {
    let Some(redis) = Redis::start_with(DURABLE) else { return };
    let store = connect(&redis).await;
    let mut first = Asker::new("orders-0");
    (first.request.budget, first.request.margin, first.request.want) = (4, 1, 3);
    first.granted(&store).await;
    let mut others = Vec::new();
    for name in ["orders-1", "orders-2", "orders-3"] {
        let mut other = Asker::new(name);
        (other.request.sent, other.request.floor) = (first.request.sent, 0);
        other.ask(&store).await;
        others.push(other);
    }
    let document = run(&redis.url(), &["doctor", "--json"]).ended(1).json();
    let declared = "replicas disagree: 4 less 1 by 1 replica, 40 less 2 by 3 replicas";
    finds(&document, "declared", "warning", declared, "set-budget orders-db");
    finds(&document, "replicas", "warning", "4 replicas share 3 permits", "PgBouncer");
    finds(&document, "renewals", "warning", "none of 4 replicas has renewed", "--refresh");
    finds_nothing(&document, "shares");
    finds_nothing(&document, "lapsed");

    run(&redis.url(), &["set-budget", "orders-db", "2", "--margin", "1", "--yes"]).ended(0);
    let document = run(&redis.url(), &["doctor", "--json"]).ended(1).json();
    finds(&document, "declared", "ok", "an operator has set 2 less 1", "");
    finds(&document, "outstanding", "warning", "3 permits are out, 1 may be", "wait");
    finds(&document, "floors", "warning", "floors take 1 of 1 permits", "raise the budget");

    // The first is never seen again; another keeps the fleet's time going.
    run(&redis.url(), &["set-budget", "orders-db", "--clear"]).ended(0);
    let mut other = others.swap_remove(0);
    for _ in 0..3 {
        other.later(&store, 6_000);
        other.ask(&store).await;
    }
    let document = run(&redis.url(), &["doctor", "--json"]).ended(1).json();
    let found = "1 replica not seen for a lease's length, such as \"orders-0\"";
    finds(&document, "lapsed", "warning", found, "evict orders-db orders-0");
}

#[tokio::test]
async fn what_no_fence_closes_is_found() {
    let Some(redis) = Redis::start_with(DURABLE) else { return };
    let store = connect(&redis).await;
    let mut gone = Asker::new("gone");
    (gone.request.fenced, gone.request.floor) = (true, 0);
    gone.granted(&store).await;
    let mut alive = Asker::new("alive");
    alive.request.sent = gone.request.sent;
    alive.ask(&store).await;
    alive.later(&store, 6_000);
    alive.ask(&store).await;
    let document = run(&redis.url(), &["doctor", "orders-db", "--json"]).ended(1).json();
    let found =
        format!("38 permits of leases that have ended, such as {} of \"gone\"", gone.request.epoch);
    finds(&document, "left behind", "warning", &found, "fence_failures");
}

#[tokio::test]
async fn an_engine_that_learns_says_so() {
    let Some(redis) = Redis::start_with(DURABLE) else { return };
    let store = connect(&redis).await;
    let reply = Asker::new("orders-0").ask(&store).await;
    assert!(reply.learning);
    let document = run(&redis.url(), &["doctor", "--json"]).ended(1).json();
    finds(&document, "learning", "warning", "grants nothing new yet", "wait");
}

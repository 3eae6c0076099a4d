//! What `status` shows.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
};

use floodway_fleet::LeaseStore as _;
use floodway_test_support::Redis;
use serde_json::{Value, json};

use super::run::{Asker, connect, program, run};

#[tokio::test]
async fn everybody_is_shown_with_what_he_has() {
    let Some(redis) = Redis::start() else { return };
    let store = connect(&redis).await;
    let mut first = Asker::new("orders-0");
    first.request.want = 100;
    assert_eq!(first.granted(&store).await.grant, 38);
    let mut second = Asker::new("orders-1");
    second.request.sent = first.request.sent;
    second.request.weight = 3;
    second.ask(&store).await;

    let status = run(&redis.url(), &["status", "--json"]).ended(0).json();
    let budget = &status["budgets"][0];
    assert_eq!(budget["name"], "orders-db");
    let numbers = ["budget", "margin", "usable", "outstanding"].map(|field| budget[field].as_u64());
    assert_eq!(numbers, [Some(40), Some(2), Some(38), Some(38)]);
    assert_eq!(budget["declared"], json!([[40, 2, 2]]));
    assert_eq!((&budget["learning"], &budget["set_by_operator"]), (&json!(false), &json!(false)));
    let [one, other] = &**budget["replicas"].as_array().expect("a list") else {
        panic!("{budget}")
    };
    let fields = ["replica", "grant", "held", "want", "floor", "weight", "hungry", "lapsed"];
    let of = |replica: &Value| fields.map(|field| replica[field].clone());
    let expected = json!(["orders-0", 38, 38, 100, 1, 1, false, false]);
    assert_eq!(json!(of(one)), expected);
    let expected = json!(["orders-1", 0, 0, 10, 0, 3, true, false]);
    assert_eq!(json!(of(other)), expected);
    assert!(one["epoch"].as_u64() < other["epoch"].as_u64());
    assert_eq!(other["age_ms"], 0);
    assert_eq!(other["remaining_ms"], 4_000);

    let text = run(&redis.url(), &["status", "orders-db"]).ended(0).out;
    let head = "orders-db: 38 of 38 out, to 2 replicas (budget 40, margin 2)\n";
    assert!(text.starts_with(head), "{text}");
    let row = text.lines().find(|line| line.contains("orders-1")).expect("a row");
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(
        cells[2..],
        ["0", "0", "10", "0", "3", "0", "ms", "ago", "4", "s", "hungry"],
        "{text}"
    );
}

#[tokio::test]
async fn what_was_left_behind_is_shown() {
    let Some(redis) = Redis::start() else { return };
    let store = connect(&redis).await;
    let mut gone = Asker::new("gone");
    (gone.request.fenced, gone.request.floor) = (true, 0);
    let grant = gone.granted(&store).await.grant;
    let epoch = gone.request.epoch;
    let mut alive = Asker::new("alive");
    alive.request.sent = gone.request.sent;
    alive.ask(&store).await;
    alive.later(&store, 6_000);
    alive.ask(&store).await;

    let status = run(&redis.url(), &["status", "orders-db", "--json"]).ended(0).json();
    let left = json!([{"replica": "gone", "epoch": epoch, "permits": grant, "remaining_ms": null}]);
    assert_eq!(status["budgets"][0]["remnants"], left);
    let text = run(&redis.url(), &["status"]).ended(0).out;
    assert!(text.contains("until it is closed"), "{text}");
}

#[test]
fn an_empty_engine_has_nothing_to_show() {
    let Some(redis) = Redis::start() else { return };
    for url in [redis.url(), redis.unix_url()] {
        assert_eq!(run(&url, &["status", "--json"]).ended(0).json(), json!({"budgets": []}));
        let text = run(&url, &["status"]).ended(0).out;
        assert_eq!(text, "no replica has leased anything yet\n");
    }
}

#[tokio::test]
async fn who_watches_sees_changes_and_outages() {
    let Some(mut redis) = Redis::start() else { return };
    let store = connect(&redis).await;
    store.set_budget("orders-db", Some((40, 2))).await.expect("sets");
    let mut watching = program()
        .args(["--store", &redis.url(), "--timeout", "500ms", "status", "--json", "--watch=50ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(watching.stdout.take().expect("piped")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("goes on").expect("UTF-8");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(next()["budgets"][0]["budget"], 40);
    store.set_budget("orders-db", Some((50, 2))).await.expect("sets");
    // What was written before is read first.
    let raised = (0..1_000).any(|_| next()["budgets"][0]["budget"] == 50);
    assert!(raised);
    redis.stop();
    let mut first = [0; 120];
    watching.stderr.as_mut().expect("piped").read_exact(&mut first[..40]).expect("complains");
    let complaint = String::from_utf8_lossy(&first);
    assert!(complaint.starts_with("floodway-fleet: "), "{complaint}");
    assert!(watching.try_wait().expect("its state").is_none(), "goes on");
    watching.kill().expect("SIGKILL");
    watching.wait().expect("ended");
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let Some(redis) = Redis::start() else { return };
    let mut watching = program()
        .args(["--store", &redis.url(), "status", "--watch=20ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut line = String::new();
    BufReader::new(watching.stdout.take().expect("piped")).read_line(&mut line).expect("UTF-8");
    let output = watching.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

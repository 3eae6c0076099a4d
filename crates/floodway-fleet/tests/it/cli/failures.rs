//! One clear line for everything that cannot be done, and no password in it.

use std::net::TcpListener;

use floodway_fleet::LeaseStore as _;
use floodway_test_support::{Redis, free_port};

use super::run::{Said, connect, program, run, said};

/// Exit code 2, nothing on standard output, one line that contains `part`, and no secret.
#[track_caller]
fn fails(said: &Said, part: &str) {
    assert_eq!((said.code, &*said.out), (2, ""), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    assert!(said.err.starts_with("floodway-fleet: ") && said.err.contains(part), "{said:?}");
    assert!(!said.err.contains("s3cret"), "{said:?}");
}

const COMMANDS: [&[&str]; 3] =
    [&["status"], &["set-budget", "orders-db", "40"], &["evict", "orders-db", "orders-0"]];

#[test]
fn engines_that_cannot_be_used_are_told_apart() {
    let Some(redis) = Redis::start() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("bound").port();
    let silent = format!("redis://:s3cret@127.0.0.1:{silent}/");
    let closed = format!("redis://:s3cret@127.0.0.1:{}/", free_port());
    let locked = format!("redis://:s3cret@127.0.0.1:{}/", redis.port());
    for command in COMMANDS {
        let mut impatient = vec!["--timeout", "300ms"];
        impatient.extend(command);
        fails(&run(&silent, &impatient), "has not answered within 300 ms");
        fails(&run(&closed, command), "cannot be reached");
        fails(&run(&locked, command), "refuses the credentials");
        fails(&run("http://me:s3cret@host/", command), "does not name an engine");
        fails(&run("redis://:s3cret@:bad:/", command), "does not name an engine");
        let mut without = program();
        without.args(command);
        fails(&said(without), "give --store URL or set FLOODWAY_FLEET_STORE");
        fails(&run("", command), "give --store URL");
    }
}

#[tokio::test]
async fn an_unknown_budget_is_named_beside_those_that_there_are() {
    let Some(redis) = Redis::start() else { return };
    let store = connect(&redis).await;
    let url = redis.url();
    fails(&run(&url, &["status", "orders"]), "no replica has leased anything yet");
    for known in ["orders-db", "users-db"] {
        store.set_budget(known, Some((40, 2))).await.expect("sets");
    }
    for command in [
        &["status", "orders"][..],
        &["set-budget", "orders", "--clear"],
        &["evict", "orders", "orders-0"],
        &["doctor", "orders"],
    ] {
        let part = "budget \"orders\" is unknown; there are: orders-db, users-db";
        fails(&run(&url, command), part);
    }
    let known = run(&url, &["evict", "orders-db", "orders-0"]);
    fails(&known, "replica \"orders-0\" has nothing of budget \"orders-db\"; there are: none");
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, part) in [
        (&["set-budget", "orders-db"][..], "<PERMITS>"),
        (&["set-budget", "orders-db", "0"], "0 is not in 1..=268435455"),
        (&["set-budget", "orders-db", "many"], "invalid digit"),
        (&["set-budget", "orders-db", "4", "--clear"], "cannot be used with"),
        (&["status", "--watch=never"], "expected a time above 0"),
        (&["evict", "orders-db"], "<REPLICA>"),
        (&["stats"], "status"),
        (&[], "Usage"),
    ] {
        let said = run("redis://:s3cret@127.0.0.1:1/", arguments).ended(2);
        assert!(said.err.contains(part), "{part}: {said:?}");
        assert!(!said.err.contains("s3cret"), "{said:?}");
    }
    for command in ["status", "set-budget", "evict", "doctor"] {
        let help = run("redis://:s3cret@127.0.0.1:1/", &[command, "--help"]).ended(0).out;
        assert!(help.contains("FLOODWAY_FLEET_STORE") && !help.contains("s3cret"), "{help}");
    }
}

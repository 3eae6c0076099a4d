//! Jobs that nobody disturbs.

use std::fs;

use redis::Commands;

use crate::support::{World, check_said, said};

#[test]
fn every_item_has_one_outcome_and_poisoned_ones_fail_after_their_attempts() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "3001", "--chunk", "10", "--unread", "20", "--work", "none"];
    let bad = ["--poison", "4", "--attempts", "3", "--workers", "2", "--keep"];
    let output = world.coordinator(&[&size[..], &bad].concat()).output().expect("starts");
    check_said(
        said(&output).as_bytes(),
        &["tested-1", "tested-2", "2997 succeeded, 4 failed", "3001 bits", "8 because they failed"],
    );
    world.check_complete(3_001, 4);
    // Each was delivered twice more.
    assert_eq!(world.count("retried"), 8);
    assert_eq!(world.count("suppressed"), 0);
    // A job that is done is reported again, and then removed.
    let again = world.coordinator(&["--workers", "1"]).output().expect("starts");
    check_said(said(&again).as_bytes(), &["2997 succeeded, 4 failed"]);
    let keys: Vec<String> = world.connection().keys("*distributed-fan-out*").expect("keys");
    assert_eq!(keys, [""; 0]);
}

#[test]
fn what_waits_in_redis_is_bounded() {
    let Some(mut world) = World::new() else { return };
    let arguments =
        ["--items", "1000", "--chunk", "10", "--unread", "7", "--work", "none", "--workers", "0"];
    let mut command = world.coordinator(&arguments);
    command.arg("--keep");
    let coordinator = crate::support::Running::spawn(command);
    world.until(|world| world.count("next") == 70);
    let entries: u64 = world.connection().xlen(World::key("stream")).expect("a stream");
    assert_eq!(entries, 7);
    let worker = world.worker("alone", 3);
    said(&coordinator.output());
    said(&worker.output());
    world.check_complete(1_000, 0);
    // Entries are deleted with their last outcome.
    let entries: u64 = world.connection().xlen(World::key("stream")).expect("a stream");
    assert_eq!(entries, 0);
}

#[test]
fn a_comparison_is_written_as_json() {
    let Some(mut world) = World::new() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ratio.json");
    let mut command = world.coordinator(&["--compare-workers", "--rounds", "1", "--items", "400"]);
    let output = command.arg("--json").arg(&path).output().expect("starts");
    check_said(said(&output).as_bytes(), &["1 worker", "2 workers", "goal 1.6"]);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(path).expect("written")).expect("JSON");
    assert_eq!(json["suite"], "distributed-fan-out");
    let figure = &json["results"][0];
    assert_eq!(figure["id"], "two-workers/io:2ms");
    assert_eq!(figure["unit"], "ratio");
    assert_eq!(figure["goal"], 1.6);
    assert_eq!(figure["better"], "higher");
    assert!(figure["value"].as_f64().is_some_and(|ratio| ratio > 0.0), "{json}");
    let keys: Vec<String> = world.connection().keys("*distributed-fan-out*").expect("keys");
    assert_eq!(keys, [""; 0]);
}

//! Items that are delivered more than once.

use redis::Commands;
use rustix::process::Signal;

use crate::support::{Running, World, check_said, said};

#[test]
fn an_item_that_is_delivered_after_its_outcome_counts_once() {
    let Some(mut world) = World::new() else { return };
    let size =
        ["--items", "100", "--chunk", "10", "--unread", "5", "--work", "none", "--workers", "0"];
    let mut command = world.coordinator(&size);
    command.arg("--keep");
    let coordinator = Running::spawn(command);
    world.until(|world| world.count("next") == 50);
    // Between the entries that are there and those that there will be room for.
    let entry = [("first", 0), ("count", 5), ("delivery", 1)];
    let _: String = world.connection().xadd(World::key("stream"), "*", &entry).expect("added");
    let worker = world.worker("alone", 1);
    check_said(
        said(&coordinator.output()).as_bytes(),
        &["100 succeeded, 0 failed", "5 duplicates were suppressed"],
    );
    said(&worker.output());
    world.check_complete(100, 0);
}

#[test]
fn a_worker_that_was_paused_and_replaced_changes_no_outcome() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "300", "--chunk", "2", "--work", "io:50ms", "--workers", "0", "--keep"];
    let coordinator = Running::spawn(world.coordinator(&size));
    let (paused, other) = (world.worker("paused", 2), world.worker("other", 10));
    world.until(|world| world.recorded_by("paused") >= 3 && world.recorded_by("other") >= 3);
    // Items take most of its time, so it has some in hand.
    paused.signal(Signal::STOP);
    world.until_recorded(300);
    world.check_complete(300, 0);
    assert_eq!(world.count("suppressed"), 0);
    paused.signal(Signal::CONT);
    said(&paused.output());
    assert!(world.count("suppressed") > 0);
    world.check_complete(300, 0);
    check_said(said(&coordinator.output()).as_bytes(), &["300 succeeded, 0 failed"]);
    said(&other.output());
}

#[test]
fn an_item_that_ends_its_workers_fails_and_its_neighbours_do_not() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "400", "--chunk", "8", "--work", "io:2ms", "--workers", "2", "--keep"];
    let bad = ["--lethal", "1", "--attempts", "2"];
    let output = world.coordinator(&[&size[..], &bad].concat()).output().expect("starts");
    check_said(said(&output).as_bytes(), &["399 succeeded, 1 failed", "2 died"]);
    world.check_complete(400, 1);
    // The last of all.
    let failed: bool = world.connection().getbit(World::key("failed"), 399).expect("a bit");
    assert!(failed);
}

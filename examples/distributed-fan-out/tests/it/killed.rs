//! Workers and coordinators that are killed, and connections that are lost.

use rustix::process::Signal;

use crate::support::{Running, World, check_said, said, until_ended};

#[test]
fn a_worker_that_is_killed_loses_nothing() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "2000", "--chunk", "8", "--work", "io:2ms", "--workers", "0", "--keep"];
    let coordinator = Running::spawn(world.coordinator(&size));
    let (killed, other) = (world.worker("killed", 4), world.worker("other", 4));
    world.until_recorded(300);
    killed.signal(Signal::KILL);
    check_said(
        said(&coordinator.output()).as_bytes(),
        &["2000 succeeded, 0 failed", "killed", "other"],
    );
    said(&other.output());
    world.check_complete(2_000, 0);
    // It had at least one item in hand, and nothing that others would not have redone.
    assert!(world.count("lost") > 0);
}

#[test]
fn workers_that_are_killed_again_and_again_are_replaced() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "8000", "--chunk", "8", "--work", "io:2ms", "--workers", "3", "--keep"];
    let mut command = world.coordinator(&size);
    let output = command.args(["--kill-every", "600ms"]).output().expect("starts");
    let said = said(&output);
    assert!(said.contains("8000 succeeded, 0 failed"), "{said}");
    assert!(!said.contains(" 0 workers were killed"), "{said}");
    world.check_complete(8_000, 0);
    // Of 40, two are the margin; what the dead had counts until it is free.
    assert!((1..=38).contains(&world.count("outstanding")), "{said}");
}

#[test]
fn a_coordinator_that_is_killed_takes_its_workers_along_and_the_next_goes_on() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "20000", "--chunk", "8", "--work", "io:2ms", "--workers", "2"];
    let coordinator = Running::spawn(world.coordinator(&size));
    world.until_recorded(500);
    let workers = coordinator.children();
    assert_eq!(workers.len(), 2, "{workers:?}");
    coordinator.signal(Signal::KILL);
    until_ended(&workers);
    let before = world.recorded();
    assert!((500..20_000).contains(&before), "{before}");

    let output = world.coordinator(&["--workers", "2", "--concurrency", "64", "--keep"]).output();
    let output = output.expect("starts");
    check_said(&output.stderr, &[&format!("{before} of 20000 items have an outcome")]);
    check_said(said(&output).as_bytes(), &["20000 succeeded, 0 failed"]);
    world.check_complete(20_000, 0);
    // Workers that are told to stop finish what they have in hand.
    assert_eq!(world.count("lost") + world.count("suppressed"), 0);
}

#[test]
fn ctrl_c_leaves_a_job_to_go_on_with() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "20000", "--chunk", "8", "--workers", "1"];
    let coordinator = Running::spawn(world.coordinator(&size));
    world.until_recorded(100);
    coordinator.signal(Signal::INT);
    let output = coordinator.output();
    assert_eq!(output.status.code(), Some(130));
    check_said(&output.stdout, &["of 20000 items have an outcome. The same command goes on"]);
    assert!(world.recorded() < 20_000);

    let other = world.coordinator(&["--items", "5"]).output().expect("starts");
    assert_eq!(other.status.code(), Some(1));
    check_said(&other.stderr, &["--items 5: job tested was begun with 20000", "--fresh"]);
    let fresh = ["--fresh", "--items", "50", "--work", "none", "--workers", "1"];
    let output = world.coordinator(&fresh).output().expect("starts");
    check_said(said(&output).as_bytes(), &["50 succeeded, 0 failed"]);
}

#[test]
fn lost_connections_are_made_again() {
    let Some(mut world) = World::new() else { return };
    let size = ["--items", "6000", "--chunk", "8", "--workers", "2", "--keep"];
    let coordinator = Running::spawn(world.coordinator(&size));
    world.until_recorded(500);
    let closed: u64 = redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .query(world.connection())
        .expect("a number");
    assert!(closed >= 3, "{closed}");
    check_said(said(&coordinator.output()).as_bytes(), &["6000 succeeded, 0 failed"]);
    world.check_complete(6_000, 0);
}

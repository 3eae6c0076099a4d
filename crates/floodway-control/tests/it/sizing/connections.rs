//! Connections to begin with.

use std::{num::NonZeroUsize, time::Duration};

use floodway_control::sizing::{connections_for_nested, connections_needed, suggest_connections};

use super::{MILLI, count, near, refused};

#[test]
fn suggestions_follow_their_formulas() {
    let all = suggest_connections(count(8), 30 * MILLI, 10 * MILLI).unwrap();
    assert_eq!((all.busy.get(), all.hikari.get()), (32, 16));
    let disks = all.with_spindles(4);
    assert_eq!((disks.busy.get(), disks.hikari.get()), (32, 20));
    let none_to_wait_for = suggest_connections(count(8), Duration::ZERO, MILLI).unwrap();
    assert_eq!(none_to_wait_for.busy.get(), 8);
    let huge = suggest_connections(NonZeroUsize::MAX, MILLI, MILLI).unwrap().with_spindles(1);
    assert_eq!((huge.busy, huge.hikari), (NonZeroUsize::MAX, NonZeroUsize::MAX));
    refused(suggest_connections(count(8), MILLI, Duration::ZERO), "compute", 0.0);
}

#[test]
fn instances_share_and_have_one_at_least() {
    let all = suggest_connections(count(4), 3 * MILLI, MILLI).unwrap();
    let shares = |instances| {
        let each = all.per_instance(count(instances));
        (each.busy.get(), each.hikari.get())
    };
    assert_eq!(shares(1), (16, 8));
    assert_eq!(shares(5), (3, 1));
    assert_eq!(shares(100), (1, 1));
}

#[test]
fn connections_in_use_are_rate_times_hold() {
    near(connections_needed(1_000.0, 20 * MILLI).unwrap(), 20.0);
    near(connections_needed(0.0, MILLI).unwrap(), 0.0);
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        refused(connections_needed(rate, MILLI), "rate", rate);
    }
}

#[test]
fn nested_connections_have_one_to_spare() {
    let least = |operations, each| connections_for_nested(count(operations), count(each)).get();
    // HikariCP's example: three threads with four connections each.
    assert_eq!(least(3, 4), 10);
    assert_eq!(least(100, 1), 1);
    assert_eq!(connections_for_nested(NonZeroUsize::MAX, NonZeroUsize::MAX), NonZeroUsize::MAX);
}

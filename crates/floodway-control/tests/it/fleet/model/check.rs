//! What holds in every state, and that the search finds what does not.

use super::{
    explore::{Explored, explore},
    fleet::{Fleet, Mutation, Setting},
};

const SETTING: Setting = Setting { budget: 4, floor: 0, begun: 3, loses: false, mutation: None };

#[track_caller]
#[expect(clippy::print_stderr, reason = "how much was visited belongs to what was found")]
fn holds(setting: Setting, faults: u32, ticks: u64) {
    let Explored { states, wrong, last } = explore(Fleet::new(setting, faults), ticks);
    eprintln!(
        "{setting:?}, {faults} faults in {ticks} ticks: {states} states, {} at the end",
        last.len()
    );
    assert!(wrong.is_none(), "{wrong:#?}");
    assert!(states > 1_000 && !last.is_empty());
    // From every state the whole budget is granted and used again.
    for state in last {
        let rested = state.clone().rest(24);
        assert_eq!(rested.in_use(), setting.budget, "{state:#?}");
    }
}

#[test]
fn the_budget_holds_in_every_state() {
    holds(SETTING, 1, 8);
}

#[test]
fn it_holds_with_floors_in_every_state() {
    holds(Setting { floor: 1, ..SETTING }, 1, 8);
}

#[test]
fn it_holds_whenever_the_engine_loses_what_it_knows() {
    holds(Setting { loses: true, ..SETTING }, 1, 8);
}

#[test]
fn it_holds_while_a_third_replica_joins() {
    holds(Setting { begun: 2, ..SETTING }, 1, 7);
}

/// `cargo test --release -p floodway-control --test it fleet::model`: minutes without optimization.
#[cfg(not(debug_assertions))]
#[test]
fn it_holds_after_two_faults() {
    for setting in [SETTING, Setting { floor: 1, ..SETTING }, Setting { loses: true, ..SETTING }] {
        holds(setting, 2, 8);
    }
}

#[track_caller]
fn finds(mutation: Mutation) {
    let setting = Setting { mutation: Some(mutation), begun: 2, ..SETTING };
    let explored = explore(Fleet::new(setting, 1), 9);
    assert!(explored.wrong.is_some(), "{} states, nothing found", explored.states);
}

#[test]
fn the_search_finds_a_shrink_that_counts_at_once() {
    finds(Mutation::ShrinkCountsAtOnce);
}

#[test]
fn the_search_finds_answers_that_count_late() {
    finds(Mutation::LateAnswerCounts);
}

#[test]
fn the_search_finds_a_lease_that_ends_without_a_linger() {
    finds(Mutation::NoLinger);
}

//! What every storage does, whatever it computes with.

mod clocks;
mod ending;
mod losing;
mod operating;
mod sharing;
mod stage;

use std::{pin::Pin, sync::Arc};

use floodway_fleet::{LeaseStore, MemoryStore};

pub(crate) use self::stage::{Replica, Stage};

type Case = fn(Stage) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((stringify!($name), |stage| Box::pin($module::$name(stage)))),*]
    };
}

const CASES: &[(&str, Case)] = cases![
    sharing::one_replica_gets_all_but_the_margin,
    sharing::shares_are_fair_by_weight,
    sharing::a_shrink_counts_once_connections_are_closed,
    sharing::more_replicas_than_permits_take_turns,
    losing::a_repetition_changes_nothing,
    losing::a_lost_reply_is_not_granted_twice,
    losing::a_late_request_frees_nothing,
    losing::an_engine_that_lost_what_it_knew_learns,
    ending::who_leaves_gives_back_what_is_closed,
    ending::a_burst_lapses_to_its_floor,
    ending::what_nobody_can_close_lingers,
    ending::what_somebody_can_close_counts_until_it_is_closed,
    ending::another_process_takes_a_name_over,
    operating::a_replica_is_evicted,
    operating::an_operator_sets_the_budget,
    operating::the_lowest_declared_budget_is_in_force,
    operating::status_shows_everybody,
    clocks::steps_of_the_wall_clock_end_no_lease,
    clocks::steps_of_the_wall_clock_keep_no_lease,
];

/// Plays every case on a budget of its own. `store` gives a new storage on the same engine.
pub(crate) async fn check<S: LeaseStore>(store: impl AsyncFn() -> S) {
    for (name, case) in CASES {
        let stage = Stage::warm(Arc::new(store().await), name).await;
        case(stage).await;
    }
}

#[tokio::test]
async fn memory_conforms() {
    check(async || MemoryStore::new()).await;
}

//! Fleets on virtual time: the budget holds, and runs repeat.

use floodway_sim::fleet::{HAPPENS, Happening, Plan, run};

#[test]
fn whatever_happens_the_budget_holds_and_is_used_again() {
    for happening in Happening::ALL {
        let ran = run(Plan { replicas: 20, happening, seed: 7 });
        assert_eq!(ran.exceeded, 0, "{happening:?}: {} too many", ran.excess);
        if happening != Happening::Crowded {
            let settles = ran.until(happening.over(), 0.95);
            assert!(settles < 8.0, "{happening:?}: {settles} s");
        }
    }
}

#[test]
fn what_happens_is_seen() {
    // Otherwise a run shows nothing: half of what was in use is in the wrong place, or dead.
    let ran = run(Plan { replicas: 20, happening: Happening::Killed, seed: 7 });
    let (before, after) =
        (ran.least(HAPPENS - 2_000, HAPPENS - 100), ran.least(HAPPENS, HAPPENS + 1_000));
    assert!(before > 0.95 && after < 0.75, "{before} {after}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let plan = Plan { replicas: 15, happening: Happening::LoadMovesWithLosses, seed: 3 };
    assert_eq!(run(plan).moments, run(plan).moments);
    assert_ne!(run(plan).moments, run(Plan { seed: 4, ..plan }).moments);
}

//! How many may nest their acquisitions: a model of the bound, over every order of events.
//!
//! Operations take their connections one after the other, up to as many as each announced, and give
//! all back once they have them. None can wait for ever as long as Σ(kᵢ − 1) ≤ C − 1: if every
//! operation has all but one, a connection is left for one of them, which then finishes. For equal
//! kᵢ that is HikariCP's Tn × (Cm − 1) + 1 ≤ C ("pool-locking" in
//! <https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing>).

use std::{collections::HashSet, num::NonZeroUsize};

use floodway_control::sizing::connections_for_nested;
use proptest::prelude::*;

/// Operations that each take up to `claims` connections of a pool, one at a time.
#[derive(Clone)]
struct Model {
    connections: usize,
    claims: Vec<usize>,
    /// What each has now; `None` once it has finished.
    held: Vec<Option<usize>>,
}

impl Model {
    fn new(connections: usize, claims: Vec<usize>) -> Self {
        let held = vec![Some(0); claims.len()];
        Self { connections, claims, held }
    }

    fn free(&self) -> usize {
        self.connections - self.held.iter().flatten().sum::<usize>()
    }

    /// Who could do something now: take one more, or finish.
    fn movable(&self) -> Vec<usize> {
        let free = self.free() > 0;
        let each = self.held.iter().zip(&self.claims).enumerate();
        each.filter_map(|(index, (held, claim))| {
            held.is_some_and(|held| held == *claim || free).then_some(index)
        })
        .collect()
    }

    fn step(&mut self, index: usize) {
        let held = self.held[index].unwrap();
        self.held[index] = (held < self.claims[index]).then_some(held + 1);
    }

    fn is_finished(&self) -> bool {
        self.held.iter().all(Option::is_none)
    }

    fn is_within_bound(&self) -> bool {
        let all_but_one: usize = self.claims.iter().map(|claim| claim - 1).sum();
        all_but_one < self.connections
    }

    /// Whether some order of events ends with everybody waiting, by trying all of them.
    fn can_deadlock(&self) -> bool {
        let mut seen = HashSet::new();
        let mut todo = vec![self.clone()];
        while let Some(model) = todo.pop() {
            if !seen.insert(model.held.clone()) {
                continue;
            }
            let movable = model.movable();
            if movable.is_empty() && !model.is_finished() {
                return true;
            }
            todo.extend(movable.into_iter().map(|index| {
                let mut next = model.clone();
                next.step(index);
                next
            }));
        }
        false
    }
}

#[test]
fn within_the_bound_no_order_of_events_deadlocks_and_beyond_it_one_does() {
    let mut deadlocks = 0;
    for connections in 1..=5 {
        for a in 1..=connections {
            for b in 1..=connections {
                for c in 1..=connections {
                    let model = Model::new(connections, vec![a, b, c]);
                    let deadlock = model.can_deadlock();
                    assert_eq!(deadlock, !model.is_within_bound(), "{connections}: {a} {b} {c}");
                    deadlocks += u32::from(deadlock);
                }
            }
        }
    }
    assert!(deadlocks > 0);
}

#[test]
fn the_bound_for_equal_operations_is_hikaris() {
    for operations in 1..=4 {
        for each in 1..=3 {
            let [count, most] = [operations, each].map(|n| NonZeroUsize::new(n).unwrap());
            let least = connections_for_nested(count, most).get();
            assert!(!Model::new(least, vec![each; operations]).can_deadlock());
            // With one less each can have all but one, provided that one operation has enough at all.
            let scarce = least - 1;
            let deadlocks =
                scarce >= each && Model::new(scarce, vec![each; operations]).can_deadlock();
            assert_eq!(deadlocks, operations > 1 && each > 1, "{operations} × {each}");
        }
    }
}

proptest! {
    /// Many operations, more than there is room for, of which so many are let in as the bound allows:
    /// whatever happens in whatever order, all finish.
    #[test]
    fn operations_that_are_let_in_by_the_bound_all_finish(
        connections in 1usize..24,
        claims in proptest::collection::vec(1usize..8, 1..60),
        choices in proptest::collection::vec(any::<proptest::sample::Index>(), 1..64),
    ) {
        let mut waiting: Vec<usize> = claims.iter().map(|claim| *claim.min(&connections)).collect();
        let mut model = Model::new(connections, Vec::new());
        for choice in choices.iter().cycle() {
            while let Some(next) = waiting.pop() {
                let mut with_next = model.clone();
                with_next.claims.push(next);
                with_next.held.push(Some(0));
                if !with_next.is_within_bound() {
                    waiting.push(next);
                    break;
                }
                model = with_next;
            }
            if waiting.is_empty() && model.is_finished() {
                break;
            }
            let movable = model.movable();
            prop_assert!(!movable.is_empty(), "{:?} of {:?}", model.held, model.claims);
            let index = movable[choice.index(movable.len())];
            model.step(index);
            // Who has finished makes room for somebody else.
            if model.held[index].is_none() {
                model.claims.swap_remove(index);
                model.held.swap_remove(index);
            }
        }
        prop_assert!(waiting.is_empty());
    }

    #[test]
    fn beyond_the_bound_all_but_one_of_each_leave_nothing(
        claims in proptest::collection::vec(2usize..6, 2..8),
    ) {
        let all_but_one: usize = claims.iter().map(|claim| claim - 1).sum();
        let mut model = Model::new(all_but_one, claims.clone());
        for (index, claim) in claims.iter().enumerate() {
            (1..*claim).for_each(|_| model.step(index));
        }
        prop_assert!(model.movable().is_empty() && !model.is_finished());
    }
}

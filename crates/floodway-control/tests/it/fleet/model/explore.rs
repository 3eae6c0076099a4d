//! Visits every state once, breadth first.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use super::fleet::{Action, Fleet};

/// What came of a search.
#[derive(Debug)]
pub(super) struct Explored {
    pub(super) states: usize,
    /// How the budget was exceeded first: the actions that lead there.
    pub(super) wrong: Option<(Vec<Action>, Box<Fleet>)>,
    /// The states in which the time was up.
    pub(super) last: Vec<Fleet>,
}

/// All states that follow from `first` within `ticks`. States are told apart by a hash of 64 bits: with a
/// million of them, the chance that two share one is less than one in ten million.
pub(super) fn explore(first: Fleet, ticks: u64) -> Explored {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let end = first.now + ticks * super::fleet::TICK;
    let mut seen = HashSet::new();
    seen.insert(hasher.hash_one(&first));
    // Of every step: where it came from, and what was done.
    let mut steps: Vec<(usize, Action)> = Vec::new();
    let mut layer = vec![(first, usize::MAX)];
    let (mut last, mut actions) = (Vec::new(), Vec::new());
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (state, from) in layer {
            actions.clear();
            state.actions(&mut actions);
            for &action in &actions {
                if action == Action::Tick && state.now >= end {
                    last.push(state.clone());
                    continue;
                }
                let mut after = state.clone();
                after.act(action);
                if !seen.insert(hasher.hash_one(&after)) {
                    continue;
                }
                steps.push((from, action));
                if after.in_use() > after.setting.budget {
                    let path = path(&steps, steps.len() - 1);
                    let wrong = Some((path, Box::new(after)));
                    return Explored { states: seen.len(), wrong, last };
                }
                next.push((after, steps.len() - 1));
            }
        }
        layer = next;
    }
    Explored { states: seen.len(), wrong: None, last }
}

fn path(steps: &[(usize, Action)], mut at: usize) -> Vec<Action> {
    let mut path = Vec::new();
    while let Some((from, action)) = steps.get(at) {
        path.push(*action);
        at = *from;
    }
    path.reverse();
    path
}

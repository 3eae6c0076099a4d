//! Who has what of the pool, and since when.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use slab::Slab;
use tokio::task;

use crate::limiter::Site;

/// Connections that are held, and attempts to obtain one that take long.
#[derive(Default)]
pub(super) struct Holds(Mutex<Slab<Hold>>);

struct Hold {
    /// In nanoseconds of the limiter's clock.
    since: u64,
    phase: Phase,
    /// Who asked for it.
    task: Option<task::Id>,
    site: Site,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The pool opens or checks a connection.
    Obtaining,
    /// A caller has it.
    Held,
    /// The pool takes it back.
    Returning,
}

/// What is out for longer than somebody could wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overdue {
    /// Held by callers.
    pub(super) held: u32,
    /// With the pool, which neither delivers nor takes back.
    pub(super) stuck: u32,
    /// How long the oldest of those held is out.
    pub(super) oldest: Duration,
    /// How long the pool has been busy with the oldest of those stuck.
    pub(super) oldest_stuck: Duration,
}

impl Holds {
    /// Returns where it is kept, and how many there are with it.
    pub(super) fn begin(&self, since: u64, phase: Phase, site: Site) -> (usize, u32) {
        let hold = Hold { since, phase, task: task::try_id(), site };
        let mut holds = self.lock();
        let key = holds.insert(hold);
        (key, u32::try_from(holds.len()).unwrap_or(u32::MAX))
    }

    /// Goes on to `phase` at `since`.
    pub(super) fn move_on(&self, key: usize, since: u64, phase: Phase) {
        let mut holds = self.lock();
        holds[key].since = since;
        holds[key].phase = phase;
    }

    pub(super) fn end(&self, key: usize) {
        self.lock().remove(key);
    }

    /// How long the connection that is held longest has been held.
    pub(super) fn oldest(&self, now: u64) -> Duration {
        self.overdue(now, Duration::ZERO).oldest
    }

    pub(super) fn overdue(&self, now: u64, patience: Duration) -> Overdue {
        let mut overdue = Overdue::default();
        for (_, hold) in self.lock().iter() {
            let age = Duration::from_nanos(now.saturating_sub(hold.since));
            let (count, oldest) = match hold.phase {
                Phase::Held => (&mut overdue.held, &mut overdue.oldest),
                _ => (&mut overdue.stuck, &mut overdue.oldest_stuck),
            };
            if age >= patience {
                *count += 1;
                *oldest = age.max(*oldest);
            }
        }
        overdue
    }

    /// Where the calling task asked for a connection that it holds.
    pub(super) fn of_this_task(&self) -> Option<Site> {
        let task = task::try_id()?;
        let holds = self.lock();
        let mut held = holds.iter().filter(|(_, hold)| hold.phase == Phase::Held);
        held.find(|(_, hold)| hold.task == Some(task)).map(|(_, hold)| hold.site)
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

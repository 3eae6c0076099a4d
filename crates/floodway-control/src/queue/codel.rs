//! Controlled delay: tells a queue that absorbs a burst from one that stands.

use std::time::Duration;

/// The state of [`Discipline::CoDel`](super::Discipline::CoDel) for one line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CoDel {
    interval_ends: Duration,
    /// The shortest wait in this interval; `None` until somebody came by.
    shortest: Option<Duration>,
    standing: bool,
}

impl CoDel {
    /// Whether who has waited for `waited` and whose turn it is at `now` is to be shed.
    pub(super) fn sheds(
        &mut self,
        now: Duration,
        waited: Duration,
        target: Duration,
        interval: Duration,
    ) -> bool {
        if now >= self.interval_ends {
            self.standing = self.shortest.is_some_and(|shortest| shortest > target);
            self.interval_ends = now + interval;
            // One alone in an interval says nothing about a standing queue: it is never shed.
            self.shortest = Some(waited);
            return false;
        }
        self.shortest = Some(self.shortest.map_or(waited, |shortest| shortest.min(waited)));
        self.standing && waited > target * 2
    }
}

//! The engine's time, which does not follow steps of its wall clock.

/// How far the engine's time may be ahead of what the clock of the asking replica proves, in
/// milliseconds: how much longer one request may be under way than another.
const SLACK: u64 = 250;

/// The time of a fleet, in milliseconds.
///
/// Databases have no clock but the wall clock, which operators and time daemons step. Were leases to
/// end by it, a step forward would end all of them while they are in use. So this time goes on by what
/// the wall clock has moved, but never back, and never further than the clock of the asking replica
/// proves: every replica's clock runs at its own distance from this time, which only shrinks, and this
/// time may be ahead of that by a little, for requests that take different ways. What is not proven is
/// lost: the fleet's time then lags, and leases end late, which is safe. However often the wall clock
/// steps, a replica's lease ends early by that little at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FleetClock {
    /// The time.
    pub now: u64,
    /// The wall clock when the time last went on; 0 before.
    pub wall: u64,
}

impl FleetClock {
    /// A request came while the wall clock showed `wall`; `proven` is the time by the clock of the
    /// asking replica. A newcomer proves nothing, and what has passed before it is lost: it may get a
    /// lease, which begins now, and would end early if the time caught up with what was before.
    pub fn advance(&mut self, wall: u64, proven: Option<u64>) {
        let moved = if self.wall == 0 { 0 } else { wall.saturating_sub(self.wall) };
        self.wall = wall;
        if let Some(proven) = proven {
            self.now = self.now.max((self.now + moved).min(proven + SLACK));
        }
    }
}

impl FleetClock {
    /// The latest that [`now`](Self::now) can be once a request has come while the wall clock showed
    /// `wall`; where an engine begins to learn, that is a millisecond.
    #[must_use]
    pub const fn latest(&self, wall: u64) -> u64 {
        self.now + 1 + if self.wall == 0 { 0 } else { wall.saturating_sub(self.wall) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_wall_clock_are_not_followed() {
        let mut clock = FleetClock::default();
        clock.advance(1_000_000, None);
        clock.advance(1_001_000, Some(1_000));
        assert_eq!(clock.now, 1_000);
        // Five minutes forward: the slack is gained, once.
        clock.advance(1_302_000, Some(2_000));
        assert_eq!(clock.now, 2_250);
        clock.advance(1_303_000, Some(3_000));
        assert_eq!(clock.now, 3_250);
        // And back: nothing is lost but what passed in between.
        clock.advance(1_003_000, Some(4_000));
        assert_eq!(clock.now, 3_250);
        clock.advance(1_004_000, Some(5_000));
        assert_eq!(clock.now, 4_250);
    }

    #[test]
    fn newcomers_prove_nothing_and_time_does_not_catch_up_with_what_was_before_them() {
        let mut clock = FleetClock::default();
        clock.advance(1_000_000, None);
        clock.advance(1_060_000, None);
        assert_eq!(clock.now, 0);
        clock.advance(1_061_000, Some(61_000));
        assert_eq!(clock.now, 1_000);
    }
}

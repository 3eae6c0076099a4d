//! What may happen to a fleet.

use proptest::prelude::*;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Time goes on, in milliseconds.
    Pass(u64),
    /// A replica could use so much from now on.
    Want(usize, u32),
    /// A replica does nothing for so long; its clock runs.
    Pause(usize, u64),
    /// A process is gone.
    Crash(usize),
    /// A process begins where one is gone, under the same name or a new one.
    Start { slot: usize, same: bool },
    /// A replica gives everything back; its process ends once it has closed everything.
    Leave(usize),
    /// An operator takes the leases of all processes that are gone.
    EvictDead,
    /// The engine begins with nothing.
    Lose,
    /// The engine's state is copied, for a later [`Restore`](Self::Restore).
    Copy,
    /// The engine begins with the copy.
    Restore,
    /// The engine's wall clock is so much away from the truth from now on.
    WallClock(i64),
    /// An operator sets what may be leased, or leaves it to the replicas.
    Budget(Option<u32>),
    /// From now on, so many of a hundred requests and replies are lost, and requests repeated.
    Network(Network),
}

/// How messages travel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Network {
    /// Of a hundred.
    pub(super) lose: u8,
    /// Of a hundred requests.
    pub(super) repeat: u8,
    /// Of a hundred messages.
    pub(super) late: u8,
    /// How late those are at most, in milliseconds.
    pub(super) delay: u64,
}

pub(super) fn step(slots: usize) -> impl Strategy<Value = Step> {
    let slot = 0..slots;
    let network = (0u8..40, 0u8..40, 0u8..60, 0u64..12_000)
        .prop_map(|(lose, repeat, late, delay)| Network { lose, repeat, late, delay });
    prop_oneof![
        12 => (1u64..3_000).prop_map(Step::Pass),
        3 => (3_000u64..30_000).prop_map(Step::Pass),
        8 => (slot.clone(), 0u32..60).prop_map(|(slot, want)| Step::Want(slot, want)),
        5 => (slot.clone(), 1u64..30_000).prop_map(|(slot, length)| Step::Pause(slot, length)),
        3 => slot.clone().prop_map(Step::Crash),
        5 => (slot.clone(), any::<bool>()).prop_map(|(slot, same)| Step::Start { slot, same }),
        3 => slot.prop_map(Step::Leave),
        1 => Just(Step::EvictDead),
        2 => Just(Step::Lose),
        2 => Just(Step::Copy),
        2 => Just(Step::Restore),
        2 => (-300_000i64..300_000).prop_map(Step::WallClock),
        2 => proptest::option::of(0u32..60).prop_map(Step::Budget),
        3 => network.prop_map(Step::Network),
        2 => Just(Step::Network(Network::default())),
    ]
}

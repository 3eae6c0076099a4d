//! What happens to a fleet.

use super::HAPPENS;

/// How long replicas are watched while they take turns, in milliseconds: many turns.
pub const CROWDED: u64 = 240_000;

/// What happens, twenty seconds after the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The load moves from half of the replicas to the other half.
    LoadMoves,
    /// The same, while one in twenty messages is lost and one in twenty requests arrives twice.
    LoadMovesWithLosses,
    /// Three in ten replicas are killed. Their connections close with them.
    Killed,
    /// The same, but their connections stay open until somebody closes them: another replica, which
    /// takes a tenth of a second.
    KilledAndFenced,
    /// The engine is away for half a minute and comes back with nothing.
    EngineLost,
    /// The same, but it comes back with all it knew.
    EngineBack,
    /// Within half a minute every replica goes and another one begins.
    Deploy {
        /// Whether those that go give everything back; they are killed otherwise.
        graceful: bool,
    },
    /// Nothing: there are twice as many replicas as permits, and each could use two.
    Crowded,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::LoadMoves,
        Self::LoadMovesWithLosses,
        Self::Killed,
        Self::KilledAndFenced,
        Self::EngineLost,
        Self::EngineBack,
        Self::Deploy { graceful: true },
        Self::Deploy { graceful: false },
        Self::Crowded,
    ];

    /// For identifiers of figures and names of files.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::LoadMoves => "load_moves",
            Self::LoadMovesWithLosses => "load_moves_with_losses",
            Self::Killed => "killed",
            Self::KilledAndFenced => "killed_and_fenced",
            Self::EngineLost => "engine_lost",
            Self::EngineBack => "engine_back",
            Self::Deploy { graceful: true } => "deploy",
            Self::Deploy { graceful: false } => "deploy_killed",
            Self::Crowded => "crowded",
        }
    }

    /// How long the engine is away, or a deploy takes, in milliseconds.
    pub(super) const LENGTH: u64 = 30_000;

    /// When it is over, after the beginning, in milliseconds.
    #[must_use]
    pub const fn over(self) -> u64 {
        match self {
            Self::EngineLost | Self::EngineBack | Self::Deploy { .. } => HAPPENS + Self::LENGTH,
            _ => HAPPENS,
        }
    }

    /// How long to look, in milliseconds.
    pub(super) const fn end(self) -> u64 {
        self.over() + if matches!(self, Self::Crowded) { CROWDED } else { 20_000 }
    }
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many replicas there are.
    pub replicas: usize,
    /// What happens to them.
    pub happening: Happening,
    /// Of chance.
    pub seed: u64,
}

impl Plan {
    /// The budget: four permits for each replica, or one for every two.
    #[must_use]
    pub fn budget(&self) -> u32 {
        let replicas = self.replicas as u32;
        if self.is_crowded() { replicas.div_ceil(2) } else { 4 * replicas }
    }

    /// What of it is never leased.
    #[must_use]
    pub fn margin(&self) -> u32 {
        self.budget().div_ceil(20).max(1)
    }

    /// What may be leased.
    #[must_use]
    pub fn usable(&self) -> u32 {
        self.budget() - self.margin()
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.happening == Happening::Crowded
    }

    /// What a replica could use.
    pub(super) fn want(&self, slot: usize, happened: bool) -> u32 {
        match self.happening {
            Happening::LoadMoves | Happening::LoadMovesWithLosses => {
                let loaded = (slot < self.replicas / 2) != happened;
                if loaded { 20 } else { 0 }
            }
            Happening::Crowded => 2,
            _ => 8,
        }
    }

    /// What one replica has at all times.
    pub(super) fn floor(&self) -> u32 {
        u32::from(!self.is_crowded())
    }
}

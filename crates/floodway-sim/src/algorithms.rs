//! The algorithms under test.

use floodway_control::{Aimd, AnchoredGradient, Fixed, Gradient2, LimitAlgorithm, Vegas};

/// The initial limit of those that have none of their own: Netflix's.
const INITIAL: u32 = 20;

/// An algorithm with its published parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// [`floodway_control::Fixed`] at this limit.
    Fixed(u32),
    /// [`floodway_control::Aimd`].
    Aimd,
    /// [`floodway_control::Vegas`].
    Vegas,
    /// [`floodway_control::Gradient2`].
    Gradient2,
    /// [`floodway_control::AnchoredGradient`].
    AnchoredGradient,
}

impl Algorithm {
    /// All that adapt, ours last.
    pub const ADAPTIVE: [Self; 4] =
        [Self::Aimd, Self::Vegas, Self::Gradient2, Self::AnchoredGradient];

    /// For tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed(_) => "best fixed",
            Self::Aimd => "Aimd",
            Self::Vegas => "Vegas",
            Self::Gradient2 => "Gradient2",
            Self::AnchoredGradient => "AnchoredGradient",
        }
    }

    /// A new one.
    #[must_use]
    pub fn build(self) -> Box<dyn LimitAlgorithm> {
        match self {
            Self::Fixed(limit) => Box::new(Fixed::new(limit)),
            Self::Aimd => Box::new(Aimd::new(INITIAL)),
            Self::Vegas => Box::new(Vegas::new(INITIAL)),
            Self::Gradient2 => Box::new(Gradient2::new(INITIAL)),
            Self::AnchoredGradient => Box::new(AnchoredGradient::default()),
        }
    }
}

//! The algorithms under test.

use floodway_control::{Aimd, AnchoredGradient, Fixed, Gradient2, LimitAlgorithm, Vegas};

/// The initial limit of those that have none of their own: Netflix's.
const INITIAL: u32 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Fixed(u32),
    Aimd,
    Vegas,
    Gradient2,
    AnchoredGradient,
}

impl Algorithm {
    /// All that adapt, ours last.
    pub(crate) const ADAPTIVE: [Self; 4] =
        [Self::Aimd, Self::Vegas, Self::Gradient2, Self::AnchoredGradient];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fixed(_) => "best fixed",
            Self::Aimd => "Aimd",
            Self::Vegas => "Vegas",
            Self::Gradient2 => "Gradient2",
            Self::AnchoredGradient => "AnchoredGradient",
        }
    }

    pub(crate) fn build(self) -> Box<dyn LimitAlgorithm> {
        match self {
            Self::Fixed(limit) => Box::new(Fixed::new(limit)),
            Self::Aimd => Box::new(Aimd::new(INITIAL)),
            Self::Vegas => Box::new(Vegas::new(INITIAL)),
            Self::Gradient2 => Box::new(Gradient2::new(INITIAL)),
            Self::AnchoredGradient => Box::new(AnchoredGradient::default()),
        }
    }
}

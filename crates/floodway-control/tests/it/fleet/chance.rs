//! Chance that follows from what it is about, so that a run with a step less stays much the same.

/// A number that looks random and depends on `about` alone.
pub(super) fn draw(about: [u64; 4]) -> u64 {
    // SplitMix64, once per part.
    about.into_iter().fold(0x9E37_79B9_7F4A_7C15, |state, part| {
        let mut mixed = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}

/// Whether something happens that does so `percent` times of a hundred.
pub(super) fn happens(percent: u8, about: [u64; 4]) -> bool {
    draw(about) % 100 < u64::from(percent)
}

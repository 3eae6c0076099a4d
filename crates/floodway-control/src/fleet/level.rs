//! Max-min fair shares of what there is, in whole permits.

/// Replicas that ask for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Claim {
    /// Their share beside others that want more than there is.
    pub weight: u32,
    /// What they have at all times.
    pub floor: u32,
    /// What they could use.
    pub want: u32,
}

/// Steps of the level per permit and weight: fractions of a permit matter where weights are large.
pub(super) const SCALE: u64 = 1024;

/// How high everybody may go.
///
/// Integers only, so that every storage comes to the same shares, whatever it computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Level {
    /// What each unit of weight gets, in 1/1024 permits: at most that where there is not enough for
    /// all, so much beyond what is wanted where there is.
    pub per_weight: u64,
    /// Whether there is enough for all.
    pub plenty: bool,
    /// Whether all floors fit.
    pub floors_fit: bool,
}

impl Level {
    /// The level at which `claims`, each with how many replicas have it, use up `available` as far as
    /// whole permits allow.
    #[must_use]
    pub fn of(claims: &[(Claim, u64)], available: u64) -> Self {
        let sum = |of: &dyn Fn(&Claim) -> u64| -> u64 {
            claims.iter().map(|(claim, count)| of(claim) * count).sum()
        };
        let floors_fit = sum(&|claim| u64::from(claim.floor)) <= available;
        let plenty = Self { per_weight: 0, plenty: true, floors_fit };
        let wanted = sum(&|claim| plenty.share(claim));
        if wanted <= available {
            let weights = sum(&|claim| u64::from(claim.weight));
            let per_weight = ((available - wanted) * SCALE).checked_div(weights).unwrap_or(0);
            return Self { per_weight, ..plenty };
        }
        // The sum of the shares grows with the level: the highest level at which it fits.
        let at = |per_weight| Self { per_weight, plenty: false, floors_fit };
        let (mut fits, mut exceeds) = (0, available * SCALE + SCALE);
        while exceeds - fits > 1 {
            let middle = u64::midpoint(fits, exceeds);
            if sum(&|claim| at(middle).share(claim)) <= available {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        at(fits)
    }

    /// What a replica with `claim` gets, in permits.
    #[must_use]
    pub fn share(&self, claim: &Claim) -> u64 {
        let floor = if self.floors_fit { u64::from(claim.floor) } else { 0 };
        let level = self.per_weight * u64::from(claim.weight) / SCALE;
        let want = u64::from(claim.want);
        if self.plenty { want.max(floor) + level } else { want.min(level).max(floor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(weight: u32, floor: u32, want: u32) -> Claim {
        Claim { weight, floor, want }
    }

    #[track_caller]
    fn check(claims: &[(u32, u32, u32)], available: u64, shares: &[u64]) {
        let claims: Vec<_> = claims.iter().map(|&(w, f, n)| (claim(w, f, n), 1)).collect();
        let level = Level::of(&claims, available);
        let got: Vec<_> = claims.iter().map(|(claim, _)| level.share(claim)).collect();
        assert_eq!(got, shares, "{level:?}");
    }

    #[test]
    fn who_wants_little_gets_it_and_the_rest_is_equal() {
        check(&[(1, 1, 2), (1, 1, 50), (1, 1, 50)], 20, &[2, 9, 9]);
    }

    #[test]
    fn weights_divide_what_is_scarce() {
        check(&[(1, 0, 100), (3, 0, 100)], 40, &[10, 30]);
    }

    #[test]
    fn floors_come_first_while_they_fit() {
        check(&[(1, 5, 0), (1, 1, 100), (1, 1, 100)], 11, &[5, 3, 3]);
        check(&[(1, 5, 50), (1, 5, 50), (1, 5, 50)], 12, &[4, 4, 4]);
    }

    #[test]
    fn what_nobody_wants_is_spread() {
        check(&[(1, 1, 2), (1, 1, 0), (2, 1, 2)], 21, &[6, 5, 10]);
    }

    #[test]
    fn more_replicas_than_permits_have_no_share() {
        check(&[(1, 0, 1); 5], 4, &[0; 5]);
        check(&[], 4, &[]);
    }
}

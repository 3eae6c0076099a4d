//! Max-min fair shares by filling, without the arithmetic of the code under test.

/// Somebody who shares: weight, floor and what it could use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimant {
    pub(super) weight: f64,
    pub(super) floor: f64,
    pub(super) want: f64,
}

/// What each gets of `available` where that is less than all want together.
pub(super) fn shares(claimants: &[Claimant], available: f64) -> Vec<f64> {
    let floors_fit = claimants.iter().map(|one| one.floor).sum::<f64>() <= available;
    let share = |one: &Claimant, level: f64| {
        one.want.min(level * one.weight).max(if floors_fit { one.floor } else { 0.0 })
    };
    let sum = |level: f64| claimants.iter().map(|one| share(one, level)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if sum(middle) <= available { low = middle } else { high = middle }
    }
    claimants.iter().map(|one| share(one, low)).collect()
}

#[test]
fn filling_stops_where_somebody_has_enough() {
    let claimant = |want| Claimant { weight: 1.0, floor: 1.0, want };
    let shares = shares(&[claimant(2.0), claimant(50.0), claimant(50.0)], 20.0);
    let expected = [2.0, 9.0, 9.0];
    assert!(shares.iter().zip(expected).all(|(share, is)| (share - is).abs() < 1e-6), "{shares:?}");
}

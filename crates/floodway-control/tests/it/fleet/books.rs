//! The sums of an account beside those of what they are about.

use std::collections::BTreeMap;

use floodway_control::fleet::{Account, Ledger};

/// What is wrong with the sums.
pub(super) fn check(ledger: &Ledger) -> Result<(), String> {
    let account = ledger.account();
    let bounds: u64 = ledger.members().map(|one| u64::from(one.bound)).sum();
    let left: u64 = ledger.remnants().map(|one| u64::from(one.permits)).sum();
    let lapsed = || ledger.members().filter(|one| one.lapsed);
    let running = || ledger.members().filter(|one| !one.lapsed);
    let floors: u64 = lapsed().map(|one| u64::from(one.bound)).sum();
    let sums = [
        ("total", account.total, bounds + left),
        ("remnants", account.remnants, left),
        ("lapsed floors", account.lapsed_floors, floors),
        ("floors", account.floors, ledger.members().map(|one| u64::from(one.keep)).sum()),
        ("lapsed", u64::from(account.lapsed), lapsed().count() as u64),
        ("members", u64::from(account.members), running().count() as u64),
        ("hungry", u64::from(account.hungry), running().filter(|one| one.hungry).count() as u64),
    ];
    for (name, kept, real) in sums {
        if kept != real {
            return Err(format!("{name}: {kept} are kept, {real} are there"));
        }
    }
    let claims = counted(running().map(|one| one.claim()));
    let declared = counted(running().map(|one| one.declares()));
    if account.claims() != claims || account.declared() != declared {
        return Err(format!("{:?} {:?}", account.claims(), account.declared()));
    }
    bounds_cover(ledger)
}

fn counted<K: Ord>(kinds: impl Iterator<Item = K>) -> Vec<(K, u64)> {
    let mut counted = BTreeMap::new();
    kinds.for_each(|kind| *counted.entry(kind).or_insert(0) += 1);
    counted.into_iter().collect()
}

fn bounds_cover(ledger: &Ledger) -> Result<(), String> {
    let short = ledger.members().find(|one| one.bound < one.grant || one.bound < one.keep);
    short.map_or(Ok(()), |one| Err(format!("more granted than counted: {one:?}")))
}

/// Whether nothing is decided at the moment by what was before: no budget above what may be leased, no
/// engine that learns.
pub(super) fn settled(account: &Account, engine: &str) -> bool {
    // One that has not been asked yet knows nothing of answers that are still under way.
    let begun = account.engine == engine;
    begun && account.total <= account.usable() && !account.is_learning()
}

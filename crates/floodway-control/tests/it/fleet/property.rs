//! The budget holds at every moment, and all of it is used once nothing happens.

use floodway_control::fleet::Outage;
use proptest::{collection::vec, prelude::*};

use super::{
    fair::{Claimant, shares},
    step::{Step, step},
    world::{Common, Declared, TTL, World},
};

fn declared() -> impl Strategy<Value = Vec<Declared>> {
    let one = |budget: u32| {
        // One in eight declares another budget.
        let budget = prop_oneof![7 => Just(budget), 1 => 0u32..50];
        (1u32..4, 0u32..4, budget, 0u32..60, any::<bool>()).prop_map(
            |(weight, floor, budget, want, greedy)| Declared {
                weight,
                floor,
                budget,
                want,
                greedy,
            },
        )
    };
    (0u32..50).prop_flat_map(move |budget| vec(one(budget), 1..7))
}

fn common() -> impl Strategy<Value = Common> {
    let outage = prop_oneof![
        3 => Just(Outage::Floor),
        1 => (1u64..5_000).prop_map(Outage::Reuse),
        1 => Just(Outage::Nothing),
    ];
    (0u32..3, 100u64..2_000, TTL..25_000, outage, any::<bool>(), any::<u64>()).prop_map(
        |(margin, linger, floor_ttl, outage, fenced, seed)| Common {
            margin,
            linger,
            floor_ttl,
            outage,
            fenced,
            seed,
        },
    )
}

fn run() -> impl Strategy<Value = (Common, Vec<Declared>, Vec<Step>)> {
    (common(), declared()).prop_flat_map(|(common, declared)| {
        let steps = vec(step(declared.len()), 1..60);
        (Just(common), Just(declared), steps)
    })
}

/// What is wrong with how the budget is divided.
fn divided(world: &World) -> Result<(), String> {
    let account = world.ledger.account();
    let usable = account.usable() as f64;
    let mut claimants = Vec::new();
    let mut grants = Vec::new();
    for (slot, one) in world.slots.iter().enumerate() {
        let Some(one) = one.as_ref().filter(|one| !one.is_leaving()) else { continue };
        let declared = world.declared(slot);
        claimants.push(Claimant {
            weight: f64::from(declared.weight),
            floor: f64::from(declared.floor),
            want: f64::from(declared.want.min(declared.budget)),
        });
        grants.push(f64::from(one.cap(world.now)));
    }
    if claimants.is_empty() {
        return Ok(());
    }
    let floors_fit = claimants.iter().map(|one| one.floor).sum::<f64>() <= usable;
    let needs = |one: &Claimant| one.want.max(if floors_fit { one.floor } else { 0.0 });
    let useful: f64 = claimants.iter().map(needs).sum();
    let granted: f64 = grants.iter().sum();
    if granted < useful.min(usable) {
        return Err(format!(
            "{granted} of {usable} are granted, {useful} are wanted: {claimants:?} {grants:?} {account:?}"
        ));
    }
    let fair = shares(&claimants, useful.min(usable));
    // With less than one for each, they take turns.
    let unfair = fair.iter().zip(&grants).find(|(fair, grant)| **grant < **fair - 1.0 - 1e-6);
    unfair.map_or(Ok(()), |_| {
        Err(format!("{grants:?} are granted, {fair:?} are fair: {claimants:?}"))
    })
}

fn play(common: Common, declared: Vec<Declared>, steps: &[Step]) -> Result<(), String> {
    let floor_ttl = common.floor_ttl;
    let mut world = World::new(common, declared);
    for step in steps {
        world.step(step)?;
    }
    world.rest(floor_ttl + 60_000)?;
    let left: Vec<_> = world.ledger.remnants().collect();
    if !left.is_empty() {
        return Err(format!("never released: {left:?}"));
    }
    // While a turn passes on, nobody has the permit for as long as it takes to close a connection.
    for _ in 0..80 {
        if divided(&world).is_ok() {
            return Ok(());
        }
        world.pass(250)?;
    }
    divided(&world)
}

proptest! {


    #[test]
    fn the_budget_holds_and_is_used((common, declared, steps) in run()) {
        if let Err(wrong) = play(common, declared, &steps) {
            return Err(TestCaseError::fail(wrong));
        }
    }
}

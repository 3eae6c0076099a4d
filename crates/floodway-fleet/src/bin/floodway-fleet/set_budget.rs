//! `set-budget`: an operator's word above that of the replicas.

use floodway_fleet::Status;

use crate::{
    Outcome, arguments,
    engine::Engine,
    failure::Failure,
    output::{complain, say},
};

pub(crate) async fn run(
    engine: &Engine,
    command: &arguments::SetBudget,
) -> Result<Outcome, Failure> {
    let budget = &*command.budget;
    check_name(budget)?;
    let known = engine.find(budget).await?;
    let Some(permits) = command.permits else {
        return clear(engine, budget, known).await;
    };
    let margin = margin(command, permits, known.as_ref())?;
    let doubts = doubts(budget, permits - margin, known.as_ref());
    for doubt in &doubts {
        complain(doubt);
    }
    if !doubts.is_empty() && !command.yes {
        complain("nothing was set; confirm with --yes");
        return Ok(Outcome::Warned);
    }
    engine.set_budget(budget, Some((permits, margin))).await?;
    say(format_args!("{budget}: {permits} permits, {margin} of them margin, until --clear"))?;
    Ok(Outcome::Fine)
}

async fn clear(engine: &Engine, budget: &str, known: Option<Status>) -> Result<Outcome, Failure> {
    let status = match known {
        Some(status) => status,
        None => engine.status(budget).await?,
    };
    if !status.set_by_operator {
        say(format_args!("{budget}: was not set, replicas decide"))?;
        return Ok(Outcome::Fine);
    }
    engine.set_budget(budget, None).await?;
    let Status { budget: permits, margin, .. } = engine.status(budget).await?;
    say(format_args!(
        "{budget}: replicas decide again, now {permits} permits, {margin} of them margin"
    ))?;
    Ok(Outcome::Fine)
}

fn margin(
    command: &arguments::SetBudget,
    permits: u32,
    known: Option<&Status>,
) -> Result<u32, Failure> {
    if let Some(margin) = command.margin {
        let fits = margin < permits;
        let refused =
            || format!("--margin: {margin} is out of range, expected less than {permits}");
        return fits.then_some(margin).ok_or_else(|| Failure::Refused(refused()));
    }
    let now = known.map(|status| status.margin).filter(|margin| *margin < permits);
    // Without a replica there is no margin either: what a replica would declare.
    let now = now.filter(|_| known.is_some_and(|status| status.budget > 0));
    Ok(now.unwrap_or_else(|| permits.div_ceil(20).min(permits - 1)))
}

/// What speaks against `usable` permits.
fn doubts(budget: &str, usable: u32, known: Option<&Status>) -> Vec<String> {
    let Some(status) = known else {
        return vec![format!("budget {budget:?}: no replica has named it yet")];
    };
    let mut doubts = Vec::new();
    let outstanding = status.outstanding;
    if outstanding > u64::from(usable) {
        doubts.push(format!(
            "{outstanding} permits are out, {usable} may be: replicas get no more until {} have come back",
            outstanding - u64::from(usable)
        ));
    }
    let floors: u64 = status.replicas.iter().map(|one| u64::from(one.floor)).sum();
    if floors > u64::from(usable) {
        doubts.push(format!(
            "the floors of the replicas are {floors} together, {usable} may be leased: no replica has a floor \
             then"
        ));
    }
    doubts
}

/// A name that no replica could have would stay for ever.
fn check_name(budget: &str) -> Result<(), Failure> {
    let usable = |c: u8| c.is_ascii_alphanumeric() || b".-_".contains(&c);
    if (1..=32).contains(&budget.len()) && budget.bytes().all(usable) {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "budget {budget:?}: not a name, expected 1 to 32 letters, digits, dots, dashes or underscores"
    )))
}

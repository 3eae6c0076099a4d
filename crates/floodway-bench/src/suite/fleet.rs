//! One budget across a fleet: what a leased permit costs, what a renewal costs the engine, and whether the
//! budget holds while processes die and engines go away.

mod chaos;
mod outage;
mod permits;
mod scale;
pub(crate) mod worker;
mod world;

use crate::{measure::Effort, report::Report};

type Part = fn(Effort, &mut Report) -> anyhow::Result<()>;

const PARTS: [(&str, Part); 4] = [
    ("permits", permits::measure),
    ("scale", scale::measure),
    ("chaos", chaos::measure),
    ("outage", outage::measure),
];

pub(crate) fn run(effort: Effort, only: Option<&str>) -> anyhow::Result<Report> {
    let parts = PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
    let mut report = Report::new("fleet");
    let mut measured = false;
    for (_, measure) in parts {
        measure(effort, &mut report)?;
        measured = true;
    }
    let names = PARTS.map(|(name, _)| name).join(", ");
    anyhow::ensure!(measured, "--only: the parts of the fleet suite are {names}");
    Ok(report)
}

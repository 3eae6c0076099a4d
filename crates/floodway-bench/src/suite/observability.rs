//! What measuring costs: a permit, a page, scrapes under overload, memory while nobody scrapes.

mod memory;
mod page;
mod permits;
mod scrapes;

use crate::{measure::Effort, report::Report};

type Part = fn(Effort, &mut Report) -> anyhow::Result<()>;

const PARTS: [(&str, Part); 4] = [
    ("permits", permits::measure),
    ("page", page::measure),
    ("scrapes", scrapes::measure),
    ("memory", memory::measure),
];

pub(crate) fn run(effort: Effort, only: Option<&str>) -> anyhow::Result<Report> {
    let parts = PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
    let mut report = Report::new("observability");
    let mut measured = false;
    for (_, measure) in parts {
        measure(effort, &mut report)?;
        measured = true;
    }
    let names = PARTS.map(|(name, _)| name).join(", ");
    anyhow::ensure!(measured, "--only: the parts of the observability suite are {names}");
    Ok(report)
}

//! The page on fleets.

use std::{
    fmt::{Result, Write},
    fs,
};

use anyhow::Context;
use floodway_sim::fleet::{Happening, Ran};

use super::{Figures, fleet_charts, folder, write};
use crate::fleets::{Row, SIZES};

const INTRODUCTION: &str = include_str!("fleet/introduction.md");
const CLOSING: &str = include_str!("fleet/closing.md");

/// What the report on fleets is made of.
pub(crate) struct FleetReport<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) figures: &'a Figures,
    pub(crate) seeds: u64,
}

impl FleetReport<'_> {
    /// Writes the page, its charts and its figures.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let pictures = folder().join("fleet");
        fs::create_dir_all(&pictures)
            .with_context(|| format!("cannot create {}", pictures.display()))?;
        for happening in Happening::ALL {
            let runs: Vec<_> = self.of(happening).filter_map(|row| row.runs.first()).collect();
            let name = format!("{}.svg", happening.id());
            write(&pictures.join(name), &fleet_charts::draw(&runs)?)?;
        }
        write(&folder().join("fleet.md"), &self.page()?)?;
        self.figures.write(&folder().join("fleet.json"))
    }

    fn of(&self, happening: Happening) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.happening == happening)
    }

    fn page(&self) -> std::result::Result<String, std::fmt::Error> {
        let mut page = INTRODUCTION.to_owned();
        self.goals(&mut page)?;
        for happening in Happening::ALL {
            self.happening(&mut page, happening)?;
        }
        page.push_str(CLOSING);
        Ok(page)
    }

    fn goals(&self, page: &mut String) -> Result {
        let figures = &self.figures.results;
        let met = figures.iter().filter(|figure| figure.is_met() == Some(true)).count();
        let all = figures.iter().filter(|figure| figure.goal.is_some()).count();
        writeln!(
            page,
            "\n## Goals\n\nThe budget is never exceeded. 95 % of what may be leased is in use within 3 s \
             after a load has moved, within ttl + linger + 2 s after three in ten replicas were killed, and \
             within 5 s after the engine has come back. Jain's index of fairness is 0.95 at least. Always \
             the worst of {} seeds, or one of 10,000 replicas. {met} of {all} are met.\n",
            self.seeds
        )?;
        let missed: Vec<_> =
            figures.iter().filter(|figure| figure.is_met() == Some(false)).collect();
        if !missed.is_empty() {
            writeln!(page, "Missed:\n\n| figure | goal | reached |\n|---|--:|--:|")?;
        }
        for figure in missed {
            let id = figure.id.trim_start_matches("sim.fleet.");
            let goal = figure.goal.unwrap_or_default();
            writeln!(page, "| {id} | {goal} | **{}** |", figure.value)?;
        }
        Ok(())
    }

    fn happening(&self, page: &mut String, happening: Happening) -> Result {
        let (title, text) = describe(happening);
        writeln!(page, "\n## {title}\n\n{text}\n\n![{title}](fleet/{}.svg)\n", happening.id())?;
        let crowded = happening == Happening::Crowded;
        let used = if crowded { "in use, mean" } else { "in use, least" };
        writeln!(
            page,
            "| replicas | over budget | 95 % in use after | {used} | floors of the dead | Jain | requests/s | peak |"
        )?;
        writeln!(page, "|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in
            SIZES.iter().filter_map(|size| self.of(happening).find(|row| row.replicas == *size))
        {
            let exceeded = row.most(|ran| ran.exceeded as f64);
            let settles =
                if crowded { "–".to_owned() } else { format!("{:.1} s", row.settles()) };
            let fairness = row.fairness().map_or("–".to_owned(), |jain| format!("{jain:.3}"));
            writeln!(
                page,
                "| {} | {exceeded:.0} | {settles} | {:.1} % | {:.1} % | {fairness} | {:.0} | {:.0} |",
                row.replicas,
                100.0 * row.used(),
                100.0 * row.most(Ran::reserved),
                row.most(Ran::renewals),
                row.most(|ran| ran.peak() as f64),
            )?;
        }
        Ok(())
    }
}

fn describe(happening: Happening) -> (&'static str, &'static str) {
    match happening {
        Happening::LoadMoves => (
            "A load moves",
            "Half of the replicas could use more than there is, the others nothing; then the other way \
             round. Fairness is measured three seconds later.",
        ),
        Happening::LoadMovesWithLosses => (
            "A load moves, and messages are lost",
            "The same, while 5 % of the requests and 5 % of the answers are lost and 5 % of the requests \
             arrive twice. Without a goal for the time: a replica that is owed permits waits for one whose \
             answer was lost.",
        ),
        Happening::Killed => (
            "Three in ten are killed",
            "Their connections close with them. What they had counts until their leases have ended and \
             lingered.",
        ),
        Happening::KilledAndFenced => (
            "Three in ten are killed, their connections stay",
            "The server notices nothing, and what they had open counts until another replica has had it \
             closed, which takes a tenth of a second.",
        ),
        Happening::EngineLost => (
            "The engine is away and comes back with nothing",
            "For half a minute; then it listens for a lease before it grants anything new. Replicas use \
             their floors meanwhile.",
        ),
        Happening::EngineBack => (
            "The engine is away and comes back with what it knew",
            "For half a minute. Replicas use their floors meanwhile.",
        ),
        Happening::Deploy { graceful: true } => (
            "Every replica is replaced",
            "One after another within half a minute. Each closes what it has, gives it back and is \
             replaced at once.",
        ),
        Happening::Deploy { graceful: false } => (
            "Every replica is replaced, and killed",
            "The same, but none gives anything back: at any time, what was leased within the last ttl + \
             linger to those that are gone is idle.",
        ),
        Happening::Crowded => (
            "More replicas than permits",
            "Two replicas for each permit, floors of 0: they take turns of ten seconds. Fairness is that \
             of what each has had within four minutes.",
        ),
    }
}

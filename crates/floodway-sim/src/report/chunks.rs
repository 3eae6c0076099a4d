//! The page on chunks.

use std::fmt::{Result, Write};

use floodway_sim::chunk::Rule;

use super::{Figures, folder, write};
use crate::{
    chunks::{Row, Study, WORKERS},
    figures::{mean, most},
};

const INTRODUCTION: &str = include_str!("chunks/introduction.md");
const CLOSING: &str = include_str!("chunks/closing.md");

/// The workers of the tables that show all rules.
const SHOWN: usize = 8;

/// What the report on chunks is made of.
pub(crate) struct ChunkReport<'a> {
    pub(crate) studies: &'a [Study],
    pub(crate) figures: &'a Figures,
    pub(crate) seeds: u64,
}

impl ChunkReport<'_> {
    /// Writes the page and its figures.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        write(&folder().join("chunks.md"), &self.page()?)?;
        self.figures.write(&folder().join("chunks.json"))
    }

    fn page(&self) -> std::result::Result<String, std::fmt::Error> {
        let mut page = String::new();
        page.push_str(INTRODUCTION);
        self.goals(&mut page)?;
        self.ours(&mut page)?;
        self.summary(&mut page)?;
        for known in [true, false] {
            self.rules(&mut page, known)?;
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
            "\n## Goals\n\nAt most 1.1 times as long as the best fixed chunk if the length is known, \
             1.25 times if it is not, mean of {} seeds. {met} of {all} are met. Missed:\n",
            self.seeds
        )?;
        writeln!(page, "| figure | goal | reached |\n|---|--:|--:|")?;
        for figure in figures.iter().filter(|figure| figure.is_met() == Some(false)) {
            let id = figure.id.trim_start_matches("sim.chunk.");
            writeln!(
                page,
                "| {id} | {} | **{}** |",
                figure.goal.unwrap_or_default(),
                figure.value
            )?;
        }
        Ok(())
    }

    /// The studies of the variant that the report is about.
    fn main(&self) -> impl Iterator<Item = &Study> {
        self.studies.iter().filter(|study| study.variant.id.is_empty())
    }

    fn ours(&self, page: &mut String) -> Result {
        writeln!(
            page,
            "\n## Adaptive\n\nTime as a multiple of the best fixed chunk's, mean of {} seeds \
             (worst, where seeds differ).\n",
            self.seeds
        )?;
        write!(page, "| |")?;
        for length in ["known", "unknown"] {
            WORKERS.iter().try_for_each(|workers| write!(page, " {length}, {workers} |"))?;
        }
        write!(page, "\n|---|--:|--:|--:|--:|--:|--:|")?;
        let Some(first) = self.main().next() else {
            return Ok(());
        };
        for (index, row) in first.rows.iter().enumerate() {
            write!(page, "\n| {} |", row.workload.title())?;
            for study in self.main() {
                cell(page, &study.rows[index])?;
            }
        }
        writeln!(page)
    }

    fn summary(&self, page: &mut String) -> Result {
        let mut variants: Vec<_> = self.studies.iter().map(|study| study.variant).collect();
        variants.dedup();
        writeln!(page, "\n## All rules\n\nWorst workload / geometric mean of the workloads.")?;
        for variant in variants {
            writeln!(page, "\nHere {}.\n", variant.title)?;
            let studies: Vec<_> =
                self.studies.iter().filter(|study| study.variant == variant).collect();
            write!(page, "| |")?;
            for study in &studies {
                let length = if study.setting.known { "known" } else { "unknown" };
                write!(page, " {length}, {} |", study.setting.workers)?;
            }
            write!(page, "\n|---|--:|--:|--:|--:|--:|--:|")?;
            for (rule, _) in &studies[0].rows[0].rules {
                write!(page, "\n| {} |", bold(*rule))?;
                for study in &studies {
                    overall(page, study.rows.iter().filter_map(|row| row.of(*rule)))?;
                }
            }
            write!(page, "\n| Adaptive, a second run |")?;
            for study in &studies {
                overall(page, study.rows.iter().map(|row| &row.again[..]))?;
            }
            writeln!(page)?;
        }
        Ok(())
    }

    fn rules(&self, page: &mut String, known: bool) -> Result {
        let length = if known { "known" } else { "unknown" };
        writeln!(page, "\n## {SHOWN} workers, length {length}\n")?;
        let study = self
            .main()
            .find(|study| study.setting.known == known && study.setting.workers.get() == SHOWN);
        let Some(study) = study else {
            return Ok(());
        };
        write!(page, "| | best chunk | its time |")?;
        let rules = &study.rows[0].rules;
        rules.iter().try_for_each(|(rule, _)| write!(page, " {} |", bold(*rule)))?;
        write!(page, "\n|---|--:|--:|")?;
        rules.iter().try_for_each(|_| write!(page, "--:|"))?;
        for row in &study.rows {
            let time = row.best.ran.makespan;
            let time = format!("{time:.1?}");
            write!(page, "\n| {} | {} | {time} |", row.workload.title(), row.best.items)?;
            for (_, ratios) in &row.rules {
                write!(page, " {:.2} |", mean(ratios))?;
            }
        }
        writeln!(page)
    }
}

fn bold(rule: Rule) -> String {
    if rule == Rule::Adaptive { format!("**{}**", rule.name()) } else { rule.name() }
}

fn cell(page: &mut String, row: &Row) -> Result {
    let ours = row.of(Rule::Adaptive).unwrap_or_default();
    write!(page, " {:.3}", mean(ours))?;
    if row.workload.is_random() {
        write!(page, " ({:.3})", most(ours))?;
    }
    write!(page, " |")
}

/// Of the workloads' means.
fn overall<'a>(page: &mut String, rows: impl Iterator<Item = &'a [f64]>) -> Result {
    let means: Vec<_> = rows.map(mean).collect();
    if means.is_empty() {
        return write!(page, " |");
    }
    let logarithms: Vec<_> = means.iter().map(|mean| mean.ln()).collect();
    write!(page, " {:.2} / {:.2} |", most(&means), mean(&logarithms).exp())
}

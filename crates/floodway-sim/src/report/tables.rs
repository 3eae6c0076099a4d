//! The page itself: words and tables.

use std::fmt::{Result, Write};

use floodway_sim::{Algorithm, Asks, Returns};

use super::Report;
use crate::{
    figures::{Figures, least, mean},
    study::{Outcome, Study},
};

const INTRODUCTION: &str = include_str!("introduction.md");
const STORMS: &str = include_str!("storms.md");
const CLOSING: &str = include_str!("closing.md");

pub(super) fn page(report: &Report<'_>) -> std::result::Result<String, std::fmt::Error> {
    let mut page = String::new();
    page.push_str(INTRODUCTION);
    goals(&mut page, report)?;
    scenarios(&mut page, report)?;
    for study in report.tuned {
        compared(&mut page, study, report.seeds)?;
    }
    untuned(&mut page, report)?;
    storms(&mut page, report)?;
    charts(&mut page, report)?;
    page.push_str(CLOSING);
    Ok(page)
}

fn goals(page: &mut String, report: &Report<'_>) -> Result {
    writeln!(page, "\n## Goals\n")?;
    writeln!(
        page,
        "Of `AnchoredGradient`, mean of {} seeds (drift and floor: the worst). `c16.D.goodput` is \
         scenario D with 16 workers.\n",
        report.seeds
    )?;
    let figures = &report.figures.results;
    let met = figures.iter().filter(|figure| figure.is_met() == Some(true)).count();
    let all = figures.iter().filter(|figure| figure.goal.is_some()).count();
    writeln!(page, "{met} of {all} goals are met. Missed:\n")?;
    writeln!(page, "| figure | goal | reached |\n|---|--:|--:|")?;
    for figure in figures.iter().filter(|figure| figure.is_met() == Some(false)) {
        let id = figure.id.trim_start_matches("sim.");
        writeln!(page, "| {id} | {} | **{}** |", figure.goal.unwrap_or_default(), figure.value)?;
    }
    writeln!(page, "\n<details><summary>All goals</summary>\n")?;
    writeln!(page, "| figure | goal | reached |\n|---|--:|--:|")?;
    for figure in figures {
        if let Some(goal) = figure.goal {
            let id = figure.id.trim_start_matches("sim.");
            writeln!(page, "| {id} | {goal} | {} |", figure.value)?;
        }
    }
    writeln!(page, "\n</details>")
}

fn scenarios(page: &mut String, report: &Report<'_>) -> Result {
    writeln!(
        page,
        "\n## Scenarios\n\n| | what happens | best fixed limit, 16 workers |\n|---|---|--:|"
    )?;
    let study = report.tuned.iter().find(|study| study.id == "c16");
    for outcome in study.into_iter().flat_map(|study| &study.results) {
        let scenario = &outcome.scenario;
        let each = if scenario.replicas() > 1 { " each" } else { "" };
        writeln!(
            page,
            "| {} | {} | {:.1}{each} |",
            scenario.id, scenario.title, outcome.best_limit
        )?;
    }
    Ok(())
}

fn is_compared(outcome: &Outcome) -> bool {
    !matches!(outcome.scenario.asks, Asks::Rejections | Asks::Floor { .. })
}

/// All algorithms in one setting.
fn compared(page: &mut String, study: &Study, seeds: u64) -> Result {
    let workers = study.id.trim_start_matches('c');
    writeln!(page, "\n## {workers} workers\n")?;
    writeln!(page, "Goodput in % of the best fixed limit, mean (worst) of {seeds} seeds.\n")?;
    table(page, study, is_compared, |figures| {
        format!("{:.0} ({:.0})", 100.0 * mean(&figures.goodput), 100.0 * least(&figures.goodput))
    })?;
    writeln!(page, "\n99th percentile of latency, as a multiple of the best fixed limit's.\n")?;
    table(page, study, is_compared, |figures| format!("{:.2}", mean(&figures.p99)))?;
    writeln!(
        page,
        "\nGoodput 10 to 15 s after the trouble, in parts of the best fixed limit's (A, B, H); \
         drift of the limit (E); Jain's index (F, L); seconds until the limit is 1 (I); share \
         rejected at four fifths of the capacity (S, T).\n"
    )?;
    let asks = |outcome: &Outcome| outcome.scenario.asks != Asks::Nothing;
    table(page, study, asks, |figures| format!("{:.3}", mean(&figures.answer)))?;
    let steady = study.results.iter().filter(|o| o.scenario.asks == Asks::Rejections);
    for outcome in steady {
        writeln!(
            page,
            "\nIn {}, the fixed limit with the best goodput rejects {:.2} %.",
            outcome.scenario.id,
            100.0 * outcome.best_rejected
        )?;
    }
    Ok(())
}

fn table(
    page: &mut String,
    study: &Study,
    shown: impl Fn(&Outcome) -> bool,
    cell: impl Fn(&Figures) -> String,
) -> Result {
    let outcomes: Vec<_> = study.results.iter().filter(|outcome| shown(outcome)).collect();
    let algorithms = outcomes.first().map_or(&[][..], |outcome| &outcome.figures);
    write!(page, "| |")?;
    outcomes.iter().try_for_each(|outcome| write!(page, " {} |", outcome.scenario.id))?;
    write!(page, "\n|---|")?;
    outcomes.iter().try_for_each(|_| write!(page, "--:|"))?;
    for (algorithm, _) in algorithms {
        let bold = if *algorithm == Algorithm::AnchoredGradient { "**" } else { "" };
        write!(page, "\n| {bold}{}{bold} |", algorithm.name())?;
        for outcome in &outcomes {
            let figures = outcome.of(*algorithm).map(&cell).unwrap_or_default();
            write!(page, " {figures} |")?;
        }
    }
    writeln!(page)
}

fn untuned(page: &mut String, report: &Report<'_>) -> Result {
    writeln!(page, "\n## Not tuned for\n")?;
    writeln!(
        page,
        "Seeds, numbers of workers, service times and distributions that no constant was chosen \
         with. `AnchoredGradient`, goodput in % of the best fixed limit, mean (worst) of {} seeds. \
         Deadlines and added delays scale with the service time.\n",
        report.untuned_seeds
    )?;
    let Some(first) = report.untuned.first() else {
        return Ok(());
    };
    let outcomes = || first.results.iter().filter(|outcome| is_compared(outcome));
    write!(page, "| |")?;
    outcomes().try_for_each(|outcome| write!(page, " {} |", outcome.scenario.id))?;
    write!(page, "\n|---|")?;
    outcomes().try_for_each(|_| write!(page, "--:|"))?;
    for study in report.untuned {
        write!(page, "\n| {} |", study.id)?;
        for outcome in outcomes() {
            let same = study.results.iter().find(|other| other.scenario.id == outcome.scenario.id);
            match same.and_then(|other| other.of(Algorithm::AnchoredGradient)) {
                Some(figures) => write!(
                    page,
                    " {:.0} ({:.0}) |",
                    100.0 * mean(&figures.goodput),
                    100.0 * least(&figures.goodput)
                )?,
                None => write!(page, " |")?,
            }
        }
    }
    writeln!(page)
}

fn storms(page: &mut String, report: &Report<'_>) -> Result {
    page.push_str(STORMS);
    writeln!(
        page,
        "| refusing costs | callers come back | served | refusals per caller | calm again | last 30 s |\n\
         |--:|---|--:|--:|--:|--:|"
    )?;
    for storm in report.storms {
        writeln!(
            page,
            "| {:.0} % | {} | {:.0} % | {:.1} | {:.0} s | {:.0} % |",
            100.0 * storm.refusal,
            match storm.returns {
                Returns::Impatient => "after 100 ms",
                Returns::Depth => "when the queue has drained",
                Returns::Paced => "one after the other",
            },
            100.0 * storm.served,
            storm.refusals_per_caller,
            storm.calm_after,
            100.0 * storm.end
        )?;
    }
    Ok(())
}

fn charts(page: &mut String, report: &Report<'_>) -> Result {
    writeln!(page, "\n## Over time\n\nSixteen workers, the first seed.")?;
    for outcome in report.tuned.iter().flat_map(|study| &study.results) {
        if !outcome.traces.is_empty() {
            let (id, title) = (outcome.scenario.id, outcome.scenario.title);
            let file = id.to_lowercase();
            writeln!(page, "\n### {id}: {title}\n\n![{title}](limits/{file}.svg)")?;
        }
    }
    Ok(())
}

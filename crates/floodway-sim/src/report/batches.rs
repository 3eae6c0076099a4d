//! The page on batches.

mod charts;

use std::{
    fmt::{Result, Write},
    fs,
};

use anyhow::Context;
use floodway_sim::batch::{Ran, Rule};

use super::{Figures, folder, write};
use crate::{
    batches::{Group, RULES, Row},
    goals::{Better, Figure},
};

const INTRODUCTION: &str = include_str!("batches/introduction.md");
const CLOSING: &str = include_str!("batches/closing.md");

/// What the report on batches is made of.
pub(crate) struct BatchReport<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) figures: &'a Figures,
    /// What a quick run is compared with.
    pub(crate) quick: &'a Figures,
    pub(crate) seeds: u64,
}

/// The goals: the ends of the figures' identifiers, and what is asked.
const GOALS: [(&str, &str); 13] = [
    ("goodput", "goodput beside the best tuned"),
    ("p99", "99th percentile of latency beside the best tuned"),
    ("p50_unbatched", "median latency beside no batching, light load or nothing to save"),
    ("p99_unbatched", "99th percentile beside no batching, nothing to save"),
    ("late", "answers later than the objective"),
    ("cold", "batches until sizes are right, from the start"),
    ("within", "batches of the right size, from then on"),
    ("step", "batches until sizes are right, after a step of the overhead"),
    ("step_within", "batches of the right size, from then on"),
    ("overhead_error", "error of the overhead α, median"),
    ("overhead_factor", "factor between the overhead α and its estimate, nine in ten"),
    ("item_error", "error of the item cost β, median"),
    ("item_factor", "factor between the item cost β and its estimate, nine in ten"),
];

impl BatchReport<'_> {
    /// Writes the page, its charts and its figures.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let pictures = folder().join("batching");
        fs::create_dir_all(&pictures)
            .with_context(|| format!("cannot create {}", pictures.display()))?;
        write(&pictures.join("sizes.svg"), &charts::sizes(self.rows)?)?;
        write(&pictures.join("load.svg"), &charts::load(self.rows)?)?;
        self.quick.write(&pictures.join("quick.json"))?;
        write(&folder().join("batching.md"), &self.page()?)?;
        self.figures.write(&folder().join("batching.json"))
    }

    fn page(&self) -> std::result::Result<String, std::fmt::Error> {
        let mut page = String::new();
        page.push_str(INTRODUCTION);
        self.goals(&mut page)?;
        self.missed(&mut page)?;
        for group in Group::ALL {
            self.compared(&mut page, group)?;
        }
        self.objectives(&mut page)?;
        self.sizes(&mut page)?;
        page.push_str(CLOSING);
        Ok(page)
    }

    fn goals(&self, page: &mut String) -> Result {
        let figures = || self.figures.results.iter().filter(|figure| figure.goal.is_some());
        let met = figures().filter(|figure| figure.is_met() == Some(true)).count();
        let all = figures().count();
        let seeds = self.seeds;
        writeln!(page, "\n## Goals\n\nMeans of {seeds} seeds. {met} of {all} are met.\n")?;
        writeln!(page, "| | goal | met | worst | there |\n|---|--:|--:|--:|---|")?;
        for (name, title) in GOALS {
            let all: Vec<_> = figures().filter(|figure| kind(figure) == name).collect();
            let worst = all.iter().max_by(|one, other| excess(one).total_cmp(&excess(other)));
            let Some(worst) = worst else {
                continue;
            };
            let met = all.iter().filter(|figure| figure.is_met() == Some(true)).count();
            let sign = if worst.better == Better::Higher { "≥" } else { "≤" };
            let goal = worst.goal.unwrap_or_default();
            let (value, place) = (worst.value, setting(worst));
            let all = all.len();
            writeln!(page, "| {title} | {sign} {goal} | {met} of {all} | {value} | {place} |")?;
        }
        Ok(())
    }

    fn missed(&self, page: &mut String) -> Result {
        writeln!(page, "\n<details><summary>What is missed</summary>\n")?;
        writeln!(page, "| setting | figure | goal | reached |\n|---|---|--:|--:|")?;
        for figure in self.figures.results.iter().filter(|figure| figure.is_met() == Some(false)) {
            let (goal, value) = (figure.goal.unwrap_or_default(), figure.value);
            writeln!(page, "| {} | {} | {goal} | **{value}** |", setting(figure), kind(figure))?;
        }
        writeln!(page, "\n</details>")
    }

    fn rows(&self, group: Group) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.cell.group == group)
    }

    fn compared(&self, page: &mut String, group: Group) -> Result {
        writeln!(page, "\n## {}\n", group.title())?;
        writeln!(
            page,
            "Goodput / 99th percentile of latency, as multiples of the best tuned's.\n"
        )?;
        write!(page, "| setting | best tuned | offered | p50 | p99 |")?;
        RULES.iter().try_for_each(|rule| write!(page, " {} |", bold(*rule)))?;
        write!(page, "\n|---|---|--:|--:|--:|")?;
        RULES.iter().try_for_each(|_| write!(page, "--:|"))?;
        for row in self.rows(group) {
            let (rule, best) = &row.best;
            write!(page, "\n| {} | {} |", row.cell.title, rule.name())?;
            write!(page, " {} | {} | {} |", offered(row), time(best.p50), time(best.p99))?;
            for rule in RULES {
                let Some(ran) = row.of(rule) else {
                    write!(page, " |")?;
                    continue;
                };
                write!(
                    page,
                    " {:.2} / {} |",
                    ran.goodput / best.goodput,
                    multiple(ran.p99 / best.p99)
                )?;
            }
        }
        writeln!(page, "\n\nThe same of the slots' time per item / items per batch.\n")?;
        write!(page, "| setting | best tuned |")?;
        RULES.iter().try_for_each(|rule| write!(page, " {} |", bold(*rule)))?;
        write!(page, "\n|---|--:|")?;
        RULES.iter().try_for_each(|_| write!(page, "--:|"))?;
        for row in self.rows(group) {
            let best = &row.best.1;
            write!(page, "\n| {} | {} / {} |", row.cell.title, time(best.busy), items(best))?;
            for rule in RULES {
                match row.of(rule) {
                    Some(ran) => write!(page, " {:.2} / {} |", ran.busy / best.busy, items(ran))?,
                    None => write!(page, " |")?,
                }
            }
        }
        writeln!(page)?;
        if group == Group::Load {
            writeln!(page, "\n![latency and slot time against load](batching/load.svg)")?;
        }
        Ok(())
    }

    fn objectives(&self, page: &mut String) -> Result {
        writeln!(page, "\nShare of answers later than the objective.\n")?;
        write!(page, "| setting | best tuned |")?;
        RULES.iter().try_for_each(|rule| write!(page, " {} |", bold(*rule)))?;
        write!(page, "\n|---|--:|")?;
        RULES.iter().try_for_each(|_| write!(page, "--:|"))?;
        for row in self.rows(Group::Objective) {
            let possible = if row.is_feasible() { "" } else { " (none keeps it)" };
            write!(page, "\n| {} | {}{possible} |", row.cell.title, percent(row.best.1.late))?;
            for rule in RULES {
                let late = row.of(rule).map_or_else(String::new, |ran| percent(ran.late));
                write!(page, " {late} |")?;
            }
        }
        writeln!(page)
    }

    fn sizes(&self, page: &mut String) -> Result {
        writeln!(
            page,
            "\n## Sizes and estimates\n\nOf Adaptive. *Cold* and *step*: batches answered until sizes \
             are right, nine seeds in ten; then the share that is. Estimates: median error, and the \
             factor that nine in ten keep to. Bold: missed.\n\n\
             ![sizes of batches over time](batching/sizes.svg)\n"
        )?;
        writeln!(page, "| setting | cold | right | step | right | α | β |")?;
        write!(page, "|---|--:|--:|--:|--:|--:|--:|")?;
        for row in self.rows.iter().filter(|row| row.sized.is_some()) {
            let value = |name: &str| {
                let id = format!("sim.batch.{}.{name}", row.cell.id);
                let figure = self.figures.results.iter().find(|figure| figure.id == id)?;
                let text = match name {
                    "cold" | "step" => format!("{}", figure.value),
                    "within" | "step_within" | "overhead_error" | "item_error" => {
                        percent(figure.value)
                    }
                    _ => format!("{:.2}", figure.value),
                };
                Some(if figure.is_met() == Some(false) { format!("**{text}**") } else { text })
            };
            let one = |name| value(name).unwrap_or_default();
            let two = |[one, other]: [&str; 2]| match (value(one), value(other)) {
                (Some(one), Some(other)) => format!("{one}, {other}"),
                _ => String::new(),
            };
            write!(page, "\n| {} | {} | {} |", row.cell.title, one("cold"), one("within"))?;
            write!(page, " {} | {} |", one("step"), one("step_within"))?;
            write!(page, " {} |", two(["overhead_error", "overhead_factor"]))?;
            write!(page, " {} |", two(["item_error", "item_factor"]))?;
        }
        writeln!(page)
    }
}

/// The end of a figure's identifier.
fn kind(figure: &Figure) -> &str {
    figure.id.rsplit('.').next().unwrap_or_default()
}

/// The rest of it.
fn setting(figure: &Figure) -> &str {
    let id = figure.id.trim_start_matches("sim.batch.");
    id.rsplit_once('.').map_or(id, |(setting, _)| setting)
}

/// How far from its goal, as a part of it; less than zero if it is met.
fn excess(figure: &Figure) -> f64 {
    let goal = figure.goal.unwrap_or(1.0);
    match figure.better {
        Better::Lower => figure.value / goal - 1.0,
        Better::Higher => 1.0 - figure.value / goal,
    }
}

fn bold(rule: Rule) -> String {
    if rule == Rule::Adaptive { format!("**{}**", rule.name()) } else { rule.name() }
}

/// Items per second.
fn offered(row: &Row) -> String {
    if row.cell.has_callers() {
        return "as answered".to_owned();
    }
    let rate = row.cell.setting.rate();
    match rate {
        rate if rate >= 1e6 => format!("{:.1} M/s", rate * 1e-6),
        rate if rate >= 1e4 => format!("{:.0},{:03.0}/s", (rate / 1e3).floor(), rate % 1e3),
        rate => format!("{rate:.0}/s"),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.01 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds >= 0.001 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds >= 0.000_1 => format!("{:.0} µs", seconds * 1e6),
        seconds => format!("{:.1} µs", seconds * 1e6),
    }
}

fn multiple(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn items(ran: &Ran) -> String {
    if ran.size < 100.0 { format!("{:.1}", ran.size) } else { format!("{:.0}", ran.size) }
}

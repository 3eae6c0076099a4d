//! Limit algorithms, chunks of fan-outs, batches and fleets, simulated: `cargo xtask sim`.
#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

mod batches;
mod check;
mod chunks;
mod figures;
mod fleets;
mod goals;
mod oracle;
mod report;
mod storm;
mod study;

use std::{iter, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use floodway_sim::{Algorithm, Scenario, Service};

use crate::{
    batches::Plans,
    check::{Tolerance, regressions},
    chunks::Variant,
    goals::{Demand, figures},
    report::{BatchReport, ChunkReport, Figures, FleetReport, Report, folder},
    study::{Setting, Study},
};

/// Milliseconds, as seconds.
const MEAN: f64 = 0.020;

/// Seeds of the report, and of the settings that nothing was tuned for.
const SEEDS: u64 = 20;
const UNTUNED_SEEDS: u64 = 10;
const STORM_SEEDS: u64 = 3;
const CHUNK_SEEDS: u64 = 20;
const BATCH_SEEDS: u64 = 5;
const BATCH_SIZED_SEEDS: u64 = 20;
const FLEET_SEEDS: u64 = 3;
const FIRST_UNTUNED: u64 = 1_000_001;

/// Plays every scenario with every algorithm, every fan-out and every batcher with every
/// rule, and fleets of all sizes, and writes docs/reports/limits.md, chunks.md, batching.md and fleet.md.
#[derive(Parser)]
struct Arguments {
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Few seeds and ours alone: compares with the committed figures and writes no report.
    #[arg(long)]
    quick: bool,
    /// Compares with the committed report and leaves it as it is.
    #[arg(long)]
    check: bool,
    /// One of the reports.
    report: Option<Part>,
    /// The same.
    #[arg(long, value_name = "REPORT", conflicts_with = "report")]
    only: Option<Part>,
    /// Of batches, the settings whose identifier contains this: prints what each rule does, and writes
    /// no report.
    #[arg(long, value_name = "PART")]
    setting: Option<String>,
}

/// A report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Limits,
    Chunks,
    Batching,
    Fleet,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let parts = [Part::Limits, Part::Chunks, Part::Batching, Part::Fleet].into_iter();
    let only = arguments.report.or(arguments.only);
    let mut results = Vec::new();
    let mut worse = Vec::new();
    for part in parts.filter(|part| only.is_none_or(|only| only == *part)) {
        // Before the run, which overwrites it.
        let committed = Figures::read(&folder().join(part.file(arguments.quick)));
        let figures = part.run(&arguments, committed.as_ref().ok())?;
        print(&figures);
        if part == Part::Fleet {
            // A budget that is exceeded is wrong, whatever was before.
            let missed = figures.results.iter().filter(|figure| figure.is_met() == Some(false));
            let missed = missed.filter(|one| arguments.quick || one.unit == "events");
            worse.extend(
                missed.map(|figure| {
                    format!("{}: {}, goal {:?}", figure.id, figure.value, figure.goal)
                }),
            );
        }
        worse.extend(compare(&figures, committed, &arguments)?);
        results.extend(figures.results);
    }
    if let Some(path) = &arguments.json {
        Figures::new(results).write(path)?;
    }
    for line in &worse {
        println!("worse: {line}");
    }
    Ok(if worse.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Part {
    fn file(self, quick: bool) -> &'static str {
        match self {
            // Latencies of few seeds are too far from those of more.
            Self::Batching if quick => "batching/quick.json",
            Self::Limits => "limits.json",
            Self::Chunks => "chunks.json",
            Self::Batching => "batching.json",
            Self::Fleet => "fleet.json",
        }
    }

    fn run(self, arguments: &Arguments, committed: Option<&Figures>) -> Result<Figures> {
        match self {
            Self::Limits if arguments.quick => Ok(quick()),
            Self::Limits => full(!arguments.check),
            Self::Chunks if arguments.quick => {
                Ok(chunks::figures(&chunks::run_all(Variant::QUICK, 1..4)))
            }
            Self::Chunks => full_chunks(!arguments.check),
            Self::Batching if arguments.quick => Ok(quick_batches(arguments, committed)),
            Self::Batching => full_batches(arguments),
            Self::Fleet if arguments.quick => {
                Ok(fleets::figures(&fleets::run_all(&fleets::QUICK_SIZES, FLEET_SEEDS)))
            }
            Self::Fleet => full_fleets(!arguments.check),
        }
    }
}

fn print(figures: &Figures) {
    for figure in figures.results.iter().filter(|figure| figure.goal.is_some()) {
        let verdict = if figure.is_met() == Some(true) { "met" } else { "MISSED" };
        let goal = figure.goal.unwrap_or_default();
        println!(
            "{:<42} {:>8.4} {:<6} goal {goal}, {verdict}",
            figure.id, figure.value, figure.unit
        );
    }
}

/// What got worse.
fn compare(
    figures: &Figures,
    committed: Result<Figures>,
    arguments: &Arguments,
) -> Result<Vec<String>> {
    let committed = match committed {
        Ok(committed) => committed,
        // The first report has none before it; whoever only compares needs one.
        Err(error) if !arguments.quick && !arguments.check => {
            println!("nothing to compare with: {error:#}");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.context("nothing to compare with")),
    };
    let tolerance = if arguments.quick {
        Tolerance { relative: 0.08, absolute: 0.02 }
    } else {
        Tolerance { relative: 0.02, absolute: 0.001 }
    };
    Ok(regressions(figures, &committed, tolerance))
}

fn full_chunks(write: bool) -> Result<Figures> {
    let studies = chunks::run_all(Variant::ALL, 1..1 + CHUNK_SEEDS);
    let figures = chunks::figures(&studies);
    if write {
        ChunkReport { studies: &studies, figures: &figures, seeds: CHUNK_SEEDS }.write()?;
    }
    Ok(figures)
}

fn full_fleets(write: bool) -> Result<Figures> {
    let rows = fleets::run_all(&fleets::SIZES, FLEET_SEEDS);
    let figures = fleets::figures(&rows);
    if write {
        FleetReport { rows: &rows, figures: &figures, seeds: FLEET_SEEDS }.write()?;
    }
    Ok(figures)
}

fn full_batches(arguments: &Arguments) -> Result<Figures> {
    let (seeds, sized) = (1..1 + BATCH_SEEDS, 1..1 + BATCH_SIZED_SEEDS);
    let setting = arguments.setting.as_deref().unwrap_or_default();
    let rows = batches::run_all(&Plans { seeds, sized, best: None, setting });
    let figures = batches::figures(&rows);
    if arguments.setting.is_some() {
        rows.iter().for_each(print_rules);
    } else if !arguments.check {
        let quick = quick_batches(arguments, Some(&figures));
        let seeds = BATCH_SEEDS;
        BatchReport { rows: &rows, figures: &figures, quick: &quick, seeds }.write()?;
    }
    Ok(figures)
}

fn print_rules(row: &batches::Row) {
    println!("{}, best tuned: {}", row.cell.title, row.best.0.name());
    let best = iter::once(("best tuned".to_owned(), &row.best.1));
    for (name, ran) in best.chain(row.rules.iter().map(|(rule, ran)| (rule.name(), ran))) {
        let [mean, p50, p99] = [ran.mean, ran.p50, ran.p99].map(|seconds| seconds * 1e3);
        println!(
            "  {name:<10} {:>9.0}/s, mean {mean:>8.3} p50 {p50:>8.3} p99 {p99:>8.3} ms, \
             {:>7.1} µs per item, {:>6.1} items, late {:.4}, {} rejected",
            ran.goodput,
            ran.busy * 1e6,
            ran.size,
            ran.late,
            ran.rejected
        );
    }
}

/// Few seeds of ours, beside what these figures found best.
fn quick_batches(arguments: &Arguments, best: Option<&Figures>) -> Figures {
    let setting = arguments.setting.as_deref().unwrap_or_default();
    batches::figures(&batches::run_all(&Plans { seeds: 1..3, sized: 1..5, best, setting }))
}

fn quick() -> Figures {
    let study = |workers| {
        Study::run(Setting {
            id: format!("c{workers}"),
            scenarios: Scenario::all(workers, MEAN),
            seeds: 1..4,
            algorithms: vec![Algorithm::AnchoredGradient],
            charts: false,
        })
    };
    let four = figures(&study(4), Demand::Less);
    let sixteen = figures(&study(16), Demand::Full);
    Figures::new([four, sixteen].concat())
}

fn full(write: bool) -> Result<Figures> {
    let study = |workers: usize| {
        Study::run(Setting {
            id: format!("c{workers}"),
            scenarios: Scenario::all(workers, MEAN),
            seeds: 1..1 + SEEDS,
            algorithms: Algorithm::ADAPTIVE.to_vec(),
            charts: workers == 16,
        })
    };
    let tuned = [study(16), study(4), study(64)];
    let untuned: Vec<_> = untuned().into_iter().map(Study::run).collect();
    let storms = storm::run_all(1..1 + STORM_SEEDS);
    let demands = [Demand::Full, Demand::Less, Demand::Less];
    let mut results: Vec<_> =
        tuned.iter().zip(demands).flat_map(|(study, demand)| figures(study, demand)).collect();
    results.extend(storms.iter().map(storm::Storm::figure));
    results.extend(untuned.iter().flat_map(|study| figures(study, Demand::Nothing)));
    let figures = Figures::new(results);
    if write {
        let report = Report {
            tuned: &tuned,
            untuned: &untuned,
            storms: &storms,
            figures: &figures,
            seeds: SEEDS,
            untuned_seeds: UNTUNED_SEEDS,
        };
        report.write()?;
    }
    Ok(figures)
}

/// What no constant was chosen with.
fn untuned() -> Vec<Setting> {
    let setting = |id: &str, scenarios| Setting {
        id: id.to_owned(),
        scenarios,
        seeds: FIRST_UNTUNED..FIRST_UNTUNED + UNTUNED_SEEDS,
        algorithms: vec![Algorithm::AnchoredGradient],
        charts: false,
    };
    // Where the distribution is not the scenario's point.
    let with = |service| {
        let scenarios = Scenario::all(16, MEAN).into_iter();
        let plain = scenarios.filter(|scenario| scenario.service == Service::Exponential);
        plain.map(|scenario| scenario.with_service(service)).collect()
    };
    vec![
        setting("8 workers", Scenario::all(8, MEAN)),
        setting("16 workers", Scenario::all(16, MEAN)),
        setting("32 workers", Scenario::all(32, MEAN)),
        setting("16 workers, 5 ms", Scenario::all(16, 0.005)),
        setting("16 workers, 80 ms", Scenario::all(16, 0.080)),
        setting("16 workers, constant service time", with(Service::Constant)),
        setting("16 workers, log-normal, σ = 1", with(Service::LogNormal { sigma: 1.0 })),
        setting(
            "16 workers, one in three 7 times as long",
            with(Service::Bimodal { share: 1.0 / 3.0, slow: 7.0 / 3.0 }),
        ),
    ]
}

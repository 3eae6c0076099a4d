//! The batcher beside calls without it, the best fixed setting found by trying, and the batchers of
//! others, on real databases and on one whose costs are known.

mod arms;
mod clockwork;
mod downstream;
mod in_flight;
mod lap;
mod load;
mod own_cost;
mod peers;
mod postgres;
mod redis;
mod sqlite;
mod synthetic;
mod tuning;

use std::time::Duration;

use tokio::runtime::Runtime;

use self::lap::{Arm, Trials};
use crate::{measure::Effort, report::Report};

type Part = fn(Plan, &mut Report) -> anyhow::Result<()>;

const PARTS: [(&str, Part); 7] = [
    ("own-cost", own_cost::measure),
    ("postgres", postgres::measure),
    ("redis", redis::measure),
    ("sqlite", sqlite::measure),
    ("synthetic", synthetic::measure),
    ("load", load::measure),
    ("in-flight", in_flight::measure),
];

/// Tasks that call, each its next item once it has its answer.
const CALLERS: usize = 64;

/// Batches in flight at once of every batcher, unless an arm says otherwise: the best fixed setting
/// with so many is within 7 % of the best with any number, as the part `in-flight` shows. SQLite,
/// which has one writer, is the exception.
const SLOTS: usize = 4;

/// What is tried for the best fixed setting, and for the peers.
const SIZES: [usize; 6] = [8, 16, 32, 64, 128, 256];
const LINGERS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(2), Duration::from_millis(5)];

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    /// What counts of a lap.
    lap: Duration,
    /// A lap of a setting that is tried.
    glance: Duration,
    effort: Effort,
}

impl Plan {
    fn new(effort: Effort) -> Self {
        let quick = effort.rounds <= Effort::QUICK.rounds;
        // Many short laps rather than a few long ones: disks and neighbours have their moods, which
        // last for seconds.
        let [lap, glance] = if quick { [120, 40] } else { [300, 120] };
        let rounds = if quick { 7 } else { 15 };
        let [lap, glance] = [lap, glance].map(Duration::from_millis);
        let effort = Effort { rounds, ..effort };
        Self { rounds, lap, glance, effort }
    }
}

pub(crate) fn run(effort: Effort, only: Option<&str>) -> anyhow::Result<Report> {
    let plan = Plan::new(effort);
    let mut report = Report::new("batching");
    let mut measured = false;
    for (_, measure) in PARTS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        measure(plan, &mut report)?;
        measured = true;
    }
    let names = PARTS.map(|(name, _)| name).join(", ");
    anyhow::ensure!(measured, "--only: the parts of the batching suite are {names}");
    Ok(report)
}

/// With input, output and time.
fn runtime(threads: usize) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(threads).enable_all().build()?)
}

/// Items a second, what a call takes and how large batches are, for each of `arms` by its short
/// name.
fn report_arms(report: &mut Report, prefix: &str, trials: &Trials, arms: &[(usize, &str)]) {
    for (arm, name) in arms {
        let id = |figure: &str| format!("{prefix}.{name}.{figure}");
        report.higher(id("per_s"), trials.median(*arm, |lap| lap.rate), "1/s", None);
        report.lower(id("p50"), trials.median(*arm, |lap| lap.p50), "ms", None);
        report.lower(id("p99"), trials.median(*arm, |lap| lap.p99), "ms", None);
        report.higher(id("batch_items"), trials.counts(*arm).mean(), "items", None);
    }
}

/// In turn, and printed.
fn trials(plan: Plan, what: &str, arms: &[Arm<'_>], between: impl FnMut()) -> Trials {
    let trials = lap::trials(plan.rounds, plan.lap, arms, between);
    println!("{what}\n{trials}");
    trials
}

/// Every setting of a batcher with a fixed size, and one that waits for nothing and takes all.
fn fixed_settings(slots: &[usize]) -> Vec<arms::Setting> {
    let all = slots.iter().flat_map(|slots| {
        let of = move |size, linger| arms::Setting::fixed(size, linger, *slots);
        SIZES.into_iter().flat_map(move |size| LINGERS.into_iter().map(move |at| of(size, at)))
    });
    all.collect()
}

//! Every fan-out with every rule, beside the best fixed chunk: the runs behind the report.

use std::{num::NonZeroUsize, ops::Range, time::Duration};

use floodway_sim::chunk::{Best, Rule, Setting, Workload, best_fixed, run, run_again};

use crate::{
    figures::{mean, most},
    goals::{Better, Figure},
    report::Figures,
};

/// How much longer ours may take than the best fixed chunk.
const KNOWN: f64 = 1.1;
const UNKNOWN: f64 = 1.25;

/// Workers, of whatever variant.
pub(crate) const WORKERS: [usize; 3] = [2, 8, 64];

/// What the rules of a study have to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// For identifiers, with a full stop.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    overhead: Duration,
    stagger: Duration,
    /// Whether there are goals.
    demanding: bool,
}

impl Variant {
    /// Handing over costs 2 µs (a task of its own, JoinSet and semaphore: 2.3 µs), starting a worker
    /// costs who starts it half a microsecond (0.4 to 0.65 µs).
    const MAIN: Self = Self {
        id: "",
        title: "workers start one after the other",
        overhead: Duration::from_micros(2),
        stagger: Duration::from_nanos(500),
        demanding: true,
    };
    const AT_ONCE: Self = Self {
        id: "at_once.",
        title: "all workers start at once",
        stagger: Duration::ZERO,
        ..Self::MAIN
    };
    const CHEAP: Self = Self {
        id: "200ns.",
        title: "handing over costs 200 ns",
        overhead: Duration::from_nanos(200),
        demanding: false,
        ..Self::MAIN
    };
    const DEAR: Self = Self {
        id: "20us.",
        title: "handing over costs 20 µs",
        overhead: Duration::from_micros(20),
        demanding: false,
        ..Self::MAIN
    };

    /// Those of the report.
    pub(crate) const ALL: &'static [Self] = &[Self::MAIN, Self::AT_ONCE, Self::CHEAP, Self::DEAR];
    /// Those with goals.
    pub(crate) const QUICK: &'static [Self] = &[Self::MAIN, Self::AT_ONCE];
}

/// What came of a setting.
pub(crate) struct Study {
    pub(crate) variant: Variant,
    pub(crate) setting: Setting,
    pub(crate) rows: Vec<Row>,
}

/// What came of a workload. Ratios are of the makespan to that of the best fixed chunk, a seed each.
pub(crate) struct Row {
    pub(crate) workload: Workload,
    /// Of the first seed.
    pub(crate) best: Best,
    pub(crate) rules: Vec<(Rule, Vec<f64>)>,
    /// Of a second run by ours.
    pub(crate) again: Vec<f64>,
}

impl Row {
    pub(crate) fn of(&self, rule: Rule) -> Option<&[f64]> {
        self.rules.iter().find(|(other, _)| *other == rule).map(|(_, ratios)| &ratios[..])
    }
}

/// The rules of the tables, ours last.
const RULES: [Rule; 8] = [
    Rule::Fixed(NonZeroUsize::MIN),
    Rule::Parts(1),
    Rule::Parts(4),
    Rule::Guided,
    Rule::Factoring,
    Rule::Joblib,
    Rule::Target,
    Rule::Adaptive,
];

/// All settings of these variants.
pub(crate) fn run_all(variants: &[Variant], seeds: Range<u64>) -> Vec<Study> {
    let mut studies = Vec::new();
    for &variant in variants {
        for known in [true, false] {
            for workers in WORKERS.into_iter().filter_map(NonZeroUsize::new) {
                let Variant { overhead, stagger, .. } = variant;
                let setting = Setting { workers, overhead, stagger, known };
                let play = |&workload| row(workload, setting, seeds.clone());
                let rows = Workload::ALL.iter().map(play).collect();
                studies.push(Study { variant, setting, rows });
            }
        }
    }
    studies
}

fn row(workload: Workload, setting: Setting, seeds: Range<u64>) -> Row {
    // Without chance, one seed says it all.
    let seeds = if workload.is_random() { seeds } else { seeds.start..seeds.start + 1 };
    let runs: Vec<_> = seeds
        .map(|seed| workload.items(setting.workers, seed))
        .map(|items| (best_fixed(&items, setting), items))
        .collect();
    let ratio =
        |best: &Best, makespan: Duration| makespan.as_secs_f64() / best.ran.makespan.as_secs_f64();
    let rules = RULES.into_iter().filter(|rule| rule.fits(&setting)).map(|rule| {
        let ratios = runs.iter().map(|(best, items)| {
            ratio(best, run(items, setting, &mut *rule.start(&setting)).makespan)
        });
        (rule, ratios.collect())
    });
    let rules = rules.collect();
    let again = runs.iter().map(|(best, items)| ratio(best, run_again(items, setting).makespan));
    let again = again.collect();
    Row { workload, best: runs[0].0, rules, again }
}

/// The figures of ours where there are goals: the mean of the seeds for each workload, and the worst
/// of them.
pub(crate) fn figures(studies: &[Study]) -> Figures {
    let mut figures = Vec::new();
    for study in studies.iter().filter(|study| study.variant.demanding) {
        let Study { variant, setting, rows } = study;
        let length = if setting.known { "known" } else { "unknown" };
        let id = format!("sim.chunk.p{}.{length}.{}", setting.workers, variant.id);
        let goal = if setting.known { KNOWN } else { UNKNOWN };
        for row in rows {
            let Some(ours) = row.of(Rule::Adaptive) else {
                continue;
            };
            let id = format!("{id}{}", row.workload.id());
            figures.push(
                Figure::new(id.clone(), mean(ours), "ratio", Better::Lower).with_goal(Some(goal)),
            );
            if row.workload.is_random() {
                let id = format!("{id}.worst");
                figures.push(Figure::new(id, most(ours), "ratio", Better::Lower));
            }
            let id = format!("{id}.again");
            figures.push(Figure::new(id, mean(&row.again), "ratio", Better::Lower));
        }
    }
    Figures::new(figures)
}

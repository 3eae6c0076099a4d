//! Every setting with every rule that batches, beside the best of the fixed sizes and lingers: the
//! runs behind the report.

mod cells;
mod sized;

use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use floodway_sim::batch::{Plan, Ran, Rule, Sent, run, watch};

use self::sized::Judge;
pub(crate) use self::{
    cells::{Cell, Group, all},
    sized::Sized,
};
use crate::{
    figures::mean,
    goals::{Better, Figure},
    report::Figures,
};

/// The rules of the tables beside the best fixed one, ours last.
pub(crate) const RULES: [Rule; 6] =
    [Rule::UNBATCHED, Rule::NATURAL, Rule::Joblib, Rule::Bento, Rule::Clipper, Rule::Adaptive];

/// The best tuned is one that keeps so much of the best goodput.
const ENOUGH: f64 = 0.99;

/// Share of late answers that an objective allows.
const LATE: f64 = 0.01;

/// What to play.
pub(crate) struct Plans<'a> {
    pub(crate) seeds: Range<u64>,
    /// Seeds of ours where sizes are judged.
    pub(crate) sized: Range<u64>,
    /// Ours alone, beside the fixed sizes and lingers that these found best.
    pub(crate) best: Option<&'a Figures>,
    /// Settings whose identifier contains this.
    pub(crate) setting: &'a str,
}

/// What came of a setting.
pub(crate) struct Row {
    pub(crate) cell: Cell,
    /// The best size and linger, and what it does.
    pub(crate) best: (Rule, Ran),
    /// Means of the seeds.
    pub(crate) rules: Vec<(Rule, Ran)>,
    /// Where ours is judged by its sizes and estimates.
    pub(crate) sized: Option<Sized>,
    /// Ours, of the first seed.
    pub(crate) log: Vec<Sent>,
}

impl Row {
    pub(crate) fn of(&self, rule: Rule) -> Option<&Ran> {
        self.rules.iter().find(|(other, _)| *other == rule).map(|(_, ran)| ran)
    }

    /// Whether the objective can be kept.
    pub(crate) fn is_feasible(&self) -> bool {
        self.cell.setting.objective.is_some() && self.best.1.late <= LATE
    }
}

/// All settings, on all processors.
pub(crate) fn run_all(plans: &Plans<'_>) -> Vec<Row> {
    let mut cells = all();
    cells.retain(|cell| cell.id.contains(plans.setting));
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let work = || {
        while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = row(cell, plans);
            if let Ok(mut rows) = rows.lock() {
                rows.push(row);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut rows = rows.into_inner().unwrap_or_default();
    rows.sort_by_key(|row: &Row| cells.iter().position(|cell| cell.id == row.cell.id));
    rows
}

fn row(cell: &Cell, plans: &Plans<'_>) -> Row {
    let setting = &cell.setting;
    let sweep = match plans.best {
        Some(figures) => vec![best_of(&cell.id, figures)],
        None => Rule::sweep(),
    };
    // What is not compared is not played.
    let compared = |rule| rule == Rule::UNBATCHED && (cell.is_light() || cell.pays_not());
    let others = RULES
        .into_iter()
        .filter(|rule| !sweep.contains(rule) && (plans.best.is_none() || compared(*rule)));
    let rules: Vec<_> = sweep.iter().copied().chain(others).collect();
    let mut rules: Vec<_> = rules.into_iter().filter(|rule| *rule != Rule::Adaptive).collect();
    let (mut rans, mut ours, mut log) = (vec![Vec::new(); rules.len()], Vec::new(), Vec::new());
    let mut judge = Judge::new(cell);
    for seed in plans.seeds.clone() {
        let plan = Plan::new(setting, seed);
        let (ran, sent) = watch(setting, &plan);
        ours.push(ran);
        judge.add(&sent);
        for (rule, rans) in rules.iter().zip(&mut rans) {
            rans.push(run(setting, &plan, *rule));
        }
        if log.is_empty() {
            log = sent;
            prune(&mut rules, &mut rans, setting.objective);
        }
    }
    for seed in plans.sized.clone().filter(|seed| cell.is_sized() && !plans.seeds.contains(seed)) {
        judge.add(&watch(setting, &Plan::new(setting, seed)).1);
    }
    let means: Vec<_> =
        rules.iter().zip(&rans).map(|(rule, rans)| (*rule, average(rans))).collect();
    let of_sweep: Vec<_> = means.iter().filter(|(rule, _)| sweep.contains(rule)).cloned().collect();
    let best = best(&of_sweep, setting.objective);
    let mut shown: Vec<_> = RULES
        .iter()
        .filter_map(|rule| means.iter().find(|(other, _)| other == rule).cloned())
        .collect();
    shown.push((Rule::Adaptive, average(&ours)));
    log.shrink_to_fit();
    Row { cell: cell.clone(), best, rules: shown, sized: judge.finish(), log }
}

/// Leaves out what will not be the best after one seed, and is not shown.
fn prune(rules: &mut Vec<Rule>, rans: &mut Vec<Vec<Ran>>, objective: Option<Duration>) {
    let all: Vec<_> = rules.iter().zip(&*rans).map(|(rule, rans)| (*rule, average(rans))).collect();
    let sweep = all.iter().filter(|(rule, _)| matches!(rule, Rule::Fixed { .. }));
    let (_, best) = best(&sweep.cloned().collect::<Vec<_>>(), objective);
    let stays = |ran: &Ran| ran.goodput >= 0.9 * best.goodput && ran.p99 <= 2.0 * best.p99;
    let stays: Vec<_> = all.iter().map(|(rule, ran)| RULES.contains(rule) || stays(ran)).collect();
    let mut stay = stays.iter();
    rules.retain(|_| stay.next() == Some(&true));
    let mut stay = stays.iter();
    rans.retain(|_| stay.next() == Some(&true));
}

/// Of those with enough of the best goodput, the one with the lowest 99th percentile; if there is an
/// objective, of those that keep it where there are any.
fn best(rans: &[(Rule, Ran)], objective: Option<Duration>) -> (Rule, Ran) {
    let keeps = |ran: &Ran| objective.is_some() && ran.late <= LATE;
    let some = rans.iter().any(|(_, ran)| keeps(ran));
    let fit = || rans.iter().filter(|(_, ran)| !some || keeps(ran));
    let most = fit().map(|(_, ran)| ran.goodput).fold(0.0, f64::max);
    let enough = fit().filter(|(_, ran)| ran.goodput >= ENOUGH * most);
    let best = enough.min_by(|(_, one), (_, other)| one.p99.total_cmp(&other.p99));
    best.cloned().unwrap_or((Rule::UNBATCHED, Ran::default()))
}

/// What was best in the committed report.
fn best_of(id: &str, figures: &Figures) -> Rule {
    let value = |name: &str| {
        let id = format!("sim.batch.{id}.{name}");
        figures.results.iter().find(|figure| figure.id == id).map(|figure| figure.value)
    };
    let (Some(size), Some(linger)) = (value("best_size"), value("best_linger")) else {
        return Rule::NATURAL;
    };
    Rule::Fixed { size: size as usize, linger: Duration::from_secs_f64(linger * 1e-3) }
}

fn average(rans: &[Ran]) -> Ran {
    let of = |value: fn(&Ran) -> f64| mean(&rans.iter().map(value).collect::<Vec<_>>());
    let sum = |value: fn(&Ran) -> u64| rans.iter().map(value).sum();
    Ran {
        arrived: sum(|ran| ran.arrived),
        rejected: sum(|ran| ran.rejected),
        answered: sum(|ran| ran.answered),
        batches: sum(|ran| ran.batches),
        goodput: of(|ran| ran.goodput),
        mean: of(|ran| ran.mean),
        p50: of(|ran| ran.p50),
        p99: of(|ran| ran.p99),
        busy: of(|ran| ran.busy),
        size: of(|ran| ran.size),
        late: of(|ran| ran.late),
    }
}

/// The figures of ours, with goals.
pub(crate) fn figures(rows: &[Row]) -> Figures {
    Figures::new(rows.iter().flat_map(of_row).collect())
}

fn of_row(row: &Row) -> Vec<Figure> {
    use Better::{Higher, Lower};
    let mut figures = Vec::new();
    let id = format!("sim.batch.{}", row.cell.id);
    let mut add = |name: &str, value: f64, unit: &str, better, goal| {
        figures.push(Figure::new(format!("{id}.{name}"), value, unit, better).with_goal(goal));
    };
    let Some(ours) = row.of(Rule::Adaptive) else {
        return figures;
    };
    let (rule, best) = &row.best;
    if let Rule::Fixed { size, linger } = rule {
        add("best_size", *size as f64, "items", Higher, None);
        add("best_linger", linger.as_secs_f64() * 1e3, "ms", Lower, None);
    }
    add("goodput", ours.goodput / best.goodput, "ratio", Higher, Some(0.95));
    add("p99", ours.p99 / best.p99, "ratio", Lower, Some(1.2));
    if let Some(unbatched) = row.of(Rule::UNBATCHED) {
        let never = row.cell.pays_not();
        if row.cell.is_light() || never {
            add("p50_unbatched", ours.p50 / unbatched.p50, "ratio", Lower, Some(1.05));
        }
        if never {
            add("p99_unbatched", ours.p99 / unbatched.p99, "ratio", Lower, Some(1.05));
        }
    }
    if row.cell.setting.objective.is_some() {
        add("late", ours.late, "share", Lower, row.is_feasible().then_some(LATE));
    }
    if let Some(sized) = &row.sized {
        for (name, value, unit, better, goal) in sized.figures() {
            add(name, value, unit, better, goal);
        }
    }
    figures
}

//! Whether the sizes of ours are what they should be, and what it believes true.

use floodway_sim::batch::Sent;

use super::Cell;
use crate::goals::Better;

/// A size that far from the ideal one costs little.
const NEAR: f64 = 2.0;

/// So many in a row are near before it counts as arrived, so that who passes through has not.
const ROW: usize = 8;

/// So many of the estimates of a run are looked at.
const ESTIMATES: usize = 1_000;

/// Instead of an estimate that there is none of.
const UNKNOWN: f64 = 100.0;

/// From some seeds.
pub(crate) struct Sized {
    /// Batches answered until sizes are near, from the start: of nine seeds in ten, at most.
    cold: Option<f64>,
    /// Share of the later batches that are near.
    within: Option<f64>,
    /// The same after the step: batches that were sent after it.
    step: Option<f64>,
    step_within: Option<f64>,
    /// Of the estimates: median of the error, and nine in ten of the factor. Overhead, item.
    errors: Option<[(f64, f64); 2]>,
}

/// Name, value, unit, and the goal.
type Value = (&'static str, f64, &'static str, Better, Option<f64>);

/// Takes one run after the other, as all of them together are large.
pub(super) struct Judge<'a> {
    cell: &'a Cell,
    cold: Vec<Course>,
    step: Vec<Course>,
    /// Overhead and item, divided by the truth.
    estimates: [Vec<Option<f64>>; 2],
}

impl<'a> Judge<'a> {
    pub(super) const fn new(cell: &'a Cell) -> Self {
        Self { cell, cold: Vec::new(), step: Vec::new(), estimates: [const { Vec::new() }; 2] }
    }

    pub(super) fn add(&mut self, log: &[Sent]) {
        let (cell, steps) = (self.cell, self.cell.steps());
        if cell.is_sized() {
            let before = |sent: &Sent| !steps || sent.share < 0.5;
            self.cold.push(Course::of(log, before, |sent| sent.answered));
        }
        if cell.is_sized() && steps {
            let after = |sent: &Sent| sent.share >= 0.5;
            self.step.push(Course::of(log, after, |sent| sent.answered_since));
        }
        if cell.is_estimated() {
            let later: Vec<_> = log.iter().filter(|sent| sent.share >= 0.1).collect();
            // No more than matter.
            let every = later.len().div_ceil(ESTIMATES).max(1);
            for sent in later.into_iter().step_by(every) {
                self.estimates[0].push(sent.overhead);
                self.estimates[1].push(sent.item);
            }
        }
    }

    /// If there is anything to judge.
    pub(super) fn finish(self) -> Option<Sized> {
        let [overhead, item] = &self.estimates;
        let some = |courses: &[Course]| !courses.is_empty();
        let ninth = |courses: &[Course]| {
            some(courses)
                .then(|| quantile(courses.iter().map(|course| course.arrived).collect(), 0.9))
        };
        let sized = Sized {
            cold: ninth(&self.cold),
            within: some(&self.cold).then(|| share(&self.cold)),
            step: ninth(&self.step),
            step_within: some(&self.step).then(|| share(&self.step)),
            errors: (!overhead.is_empty()).then(|| [errors(overhead), errors(item)]),
        };
        (sized.cold.is_some() || sized.errors.is_some()).then_some(sized)
    }
}

impl Sized {
    pub(super) fn figures(&self) -> impl Iterator<Item = Value> {
        use Better::{Higher, Lower};
        let error = |at: usize| self.errors.map(|errors| errors[at].0);
        let factor = |at: usize| self.errors.map(|errors| errors[at].1);
        let all = [
            ("cold", self.cold, "batches", Lower, 32.0),
            ("within", self.within, "share", Higher, 0.95),
            ("step", self.step, "batches", Lower, 64.0),
            ("step_within", self.step_within, "share", Higher, 0.95),
            ("overhead_error", error(0), "share", Lower, 0.2),
            ("overhead_factor", factor(0), "ratio", Lower, 2.0),
            ("item_error", error(1), "share", Lower, 0.2),
            ("item_factor", factor(1), "ratio", Lower, 2.0),
        ];
        all.into_iter().filter_map(|(name, value, unit, better, goal)| {
            Some((name, value?, unit, better, Some(goal)))
        })
    }
}

/// How one run goes.
struct Course {
    /// Batches answered until sizes are near; all, if they never are.
    arrived: f64,
    near: usize,
    later: usize,
}

impl Course {
    /// Of the regular batches within some stretch, those when twice the ideal size waited.
    fn of(log: &[Sent], stretch: impl Fn(&Sent) -> bool, clock: impl Fn(&Sent) -> u64) -> Self {
        let counted: Vec<_> = log
            .iter()
            .filter(|sent| stretch(sent) && !sent.probe && sent.queued >= 2 * sent.ideal)
            .collect();
        let near: Vec<_> = counted.iter().map(|sent| is_near(sent)).collect();
        let first = near.windows(ROW).position(|row| row.iter().all(|near| *near));
        let Some(first) = first else {
            let all = counted.last().map_or(0, |sent| clock(sent));
            return Self { arrived: all as f64, near: 0, later: near.len() };
        };
        let later = &near[first..];
        Self {
            arrived: clock(counted[first]) as f64,
            near: later.iter().filter(|near| **near).count(),
            later: later.len(),
        }
    }
}

/// By the most that would have been sent: a batch may have less, to leave some for other slots.
fn is_near(sent: &Sent) -> bool {
    let factor = sent.target.items as f64 / sent.ideal as f64;
    (1.0 / NEAR..=NEAR).contains(&factor)
}

fn share(courses: &[Course]) -> f64 {
    let near: usize = courses.iter().map(|course| course.near).sum();
    let later: usize = courses.iter().map(|course| course.later).sum();
    near as f64 / later.max(1) as f64
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or(UNKNOWN)
}

/// Median of the error and nine in ten of the factor, of estimates divided by the truth.
fn errors(parts: &[Option<f64>]) -> (f64, f64) {
    let error = parts.iter().map(|part| part.map_or(1.0, |part| (part - 1.0).abs()));
    let factor = parts.iter().map(|part| match part {
        Some(part) if *part > 0.0 => part.max(1.0 / part).min(UNKNOWN),
        _ => UNKNOWN,
    });
    (quantile(error.collect(), 0.5), quantile(factor.collect(), 0.9))
}

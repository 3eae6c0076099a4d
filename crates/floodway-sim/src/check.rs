//! Whether ours got worse than what is committed.

use crate::{
    goals::{Better, Figure},
    report::Figures,
};

/// How many of the figures may have moved by chance, in their own unit: a full run repeats the
/// committed one exactly unless something changed, a quick one has other, fewer seeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    /// Added to what is allowed, as a part of the committed value.
    pub(crate) relative: f64,
    /// As well, whatever the committed value.
    pub(crate) absolute: f64,
}

/// One line for each figure with a goal that is worse than the committed one by more than the
/// tolerance, or by half of it where the committed one met the goal and this one does not. Figures
/// without a goal are for reading.
pub(crate) fn regressions(now: &Figures, committed: &Figures, tolerance: Tolerance) -> Vec<String> {
    let find = |id: &str| committed.results.iter().find(|figure| figure.id == id);
    now.results
        .iter()
        .filter_map(|figure| Some((figure, find(&figure.id)?)))
        .filter(|(figure, _)| figure.goal.is_some())
        .filter(|(figure, before)| is_worse(figure, before, tolerance))
        .map(|(figure, before)| {
            format!("{}: {} was {}, goal {:?}", figure.id, figure.value, before.value, figure.goal)
        })
        .collect()
}

fn is_worse(now: &Figure, before: &Figure, tolerance: Tolerance) -> bool {
    let slack = tolerance.relative * before.value.abs() + tolerance.absolute;
    let by = match now.better {
        Better::Higher => before.value - now.value,
        Better::Lower => now.value - before.value,
    };
    let missed = now.is_met() == Some(false) && before.is_met() == Some(true);
    by > slack || (missed && by > slack / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(value: f64, better: Better, goal: Option<f64>) -> Figures {
        let mut figure = Figure::new("sim.x".to_owned(), value, "ratio", better);
        figure.goal = goal;
        Figures::new(vec![figure])
    }

    #[track_caller]
    fn check(before: f64, now: f64, better: Better, goal: f64, worse: bool) {
        let figures = |value| figures(value, better, Some(goal));
        let tolerance = Tolerance { relative: 0.02, absolute: 0.0 };
        let found = regressions(&figures(now), &figures(before), tolerance);
        assert_eq!(!found.is_empty(), worse, "{found:?}");
    }

    #[test]
    fn worse_is_in_the_direction_of_the_figure_and_beyond_the_tolerance() {
        check(1.0, 0.99, Better::Higher, 0.5, false);
        check(1.0, 0.97, Better::Higher, 0.5, true);
        check(1.0, 1.5, Better::Higher, 0.5, false);
        check(1.0, 1.03, Better::Lower, 2.0, true);
        check(1.0, 0.5, Better::Lower, 2.0, false);
    }

    #[test]
    fn a_goal_that_was_met_stays_met() {
        check(0.93, 0.915, Better::Higher, 0.92, true);
        check(0.90, 0.895, Better::Higher, 0.92, false);
    }

    #[test]
    fn figures_without_a_goal_fail_nothing() {
        let [before, now] = [1.0, 0.1].map(|value| figures(value, Better::Higher, None));
        let tolerance = Tolerance { relative: 0.02, absolute: 0.0 };
        assert_eq!(regressions(&now, &before, tolerance), [""; 0]);
    }
}

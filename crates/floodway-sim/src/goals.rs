//! What `AnchoredGradient` has to reach, and whether it does.

use floodway_sim::{Algorithm, Asks};
use serde::{Deserialize, Serialize};

use crate::{
    figures::{Figures, mean, most},
    study::{Outcome, Study},
};

/// One figure and what it should be; the format of all suites of figures in this workspace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Figure {
    pub(crate) id: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
    pub(crate) better: Better,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

impl Figure {
    pub(crate) fn new(id: String, value: f64, unit: &str, better: Better) -> Self {
        // Rounded, so that the file does not change with the last digit of a platform's logarithm.
        let value = (value * 1e4).round() / 1e4;
        Self { id, value, unit: unit.to_owned(), goal: None, better }
    }

    pub(crate) fn with_goal(mut self, goal: Option<f64>) -> Self {
        self.goal = goal;
        self
    }

    /// Whether the goal is met; `None` without one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.goal.map(|goal| match self.better {
            Better::Higher => self.value >= goal,
            Better::Lower => self.value <= goal,
        })
    }
}

/// The scenarios that the goals for goodput name.
pub(crate) const NAMED: &str = "ABCDEFGH";

/// How demanding the goals of a study are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Sixteen workers: 92 % each, 95 % on average, and everything else.
    Full,
    /// Other numbers of workers: 85 % each.
    Less,
    /// Settings that nothing was tuned for: figures without goals.
    Nothing,
}

/// The figures of ours in one study.
pub(crate) fn figures(study: &Study, demand: Demand) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut goodputs = Vec::new();
    for outcome in &study.results {
        let Some(ours) = outcome.of(Algorithm::AnchoredGradient) else {
            continue;
        };
        let id = format!("sim.{}.{}", study.id, outcome.scenario.id);
        let named = NAMED.contains(outcome.scenario.id);
        let goodput = mean(&ours.goodput);
        if named {
            goodputs.push(goodput);
        }
        if outcome.scenario.asks != Asks::Rejections && !is_floor(outcome) {
            let goal = match demand {
                Demand::Full => Some(0.92),
                Demand::Less => Some(0.85),
                Demand::Nothing => None,
            };
            figures.push(
                Figure::new(format!("{id}.goodput"), goodput, "ratio", Better::Higher)
                    .with_goal(goal.filter(|_| named)),
            );
            let goal =
                (demand == Demand::Full && named && outcome.scenario.id != "A").then_some(1.3);
            figures.push(
                Figure::new(format!("{id}.p99"), mean(&ours.p99), "ratio", Better::Lower)
                    .with_goal(goal),
            );
        }
        figures.extend(answer(&id, outcome, ours, demand));
    }
    let goal = (demand == Demand::Full).then_some(0.95);
    let id = format!("sim.{}.mean.goodput", study.id);
    figures.push(Figure::new(id, mean(&goodputs), "ratio", Better::Higher).with_goal(goal));
    figures
}

fn is_floor(outcome: &Outcome) -> bool {
    matches!(outcome.scenario.asks, Asks::Floor { .. })
}

fn answer(id: &str, outcome: &Outcome, ours: &Figures, demand: Demand) -> Option<Figure> {
    let named = demand == Demand::Full;
    Some(match outcome.scenario.asks {
        Asks::Nothing => return None,
        Asks::Recovery { .. } => {
            Figure::new(format!("{id}.recovery"), mean(&ours.answer), "ratio", Better::Higher)
                .with_goal(named.then_some(0.9))
        }
        Asks::Drift => {
            Figure::new(format!("{id}.drift"), most(&ours.answer), "ratio", Better::Lower)
                .with_goal(named.then_some(0.25))
        }
        Asks::Fairness => {
            let goal = (named && NAMED.contains(outcome.scenario.id)).then_some(0.95);
            Figure::new(format!("{id}.fairness"), mean(&ours.answer), "index", Better::Higher)
                .with_goal(goal)
        }
        Asks::Floor { .. } => {
            Figure::new(format!("{id}.floor"), most(&ours.answer), "s", Better::Lower)
                .with_goal((demand != Demand::Nothing).then_some(5.0))
        }
        Asks::Rejections => {
            Figure::new(format!("{id}.rejected"), mean(&ours.answer), "ratio", Better::Lower)
                .with_goal((demand != Demand::Nothing).then_some(0.001))
        }
    })
}

//! Every scenario, for some seeds, with some algorithms: the runs behind the report.

use floodway_sim::{Algorithm, Scenario, Trace, run};

use crate::{figures::Figures, oracle};

/// Where and with what the scenarios are played.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// For identifiers.
    pub(crate) id: String,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) seeds: std::ops::Range<u64>,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Whether the first seed's runs are kept for charts.
    pub(crate) charts: bool,
}

/// What came of a setting.
pub(crate) struct Study {
    pub(crate) id: String,
    pub(crate) results: Vec<Outcome>,
}

/// What came of a scenario.
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    /// The mean of the best fixed limits, and of the share that each rejected.
    pub(crate) best_limit: f64,
    pub(crate) best_rejected: f64,
    pub(crate) figures: Vec<(Algorithm, Figures)>,
    /// Of the first seed, the best fixed limit first.
    pub(crate) traces: Vec<(Algorithm, Trace)>,
}

impl Study {
    pub(crate) fn run(setting: Setting) -> Self {
        let Setting { id, scenarios, seeds, algorithms, charts } = setting;
        let results = scenarios
            .into_iter()
            .map(|scenario| play(scenario, seeds.clone(), &algorithms, charts))
            .collect();
        Self { id, results }
    }
}

fn play(
    scenario: Scenario,
    seeds: std::ops::Range<u64>,
    algorithms: &[Algorithm],
    charts: bool,
) -> Outcome {
    let mut outcome = Outcome {
        best_limit: 0.0,
        best_rejected: 0.0,
        figures: algorithms.iter().map(|&algorithm| (algorithm, Figures::default())).collect(),
        traces: Vec::new(),
        scenario,
    };
    let scenario = &outcome.scenario;
    let part = 1.0 / (seeds.end - seeds.start) as f64;
    // The best limits depend little on the seed.
    let starts = oracle::starts(scenario, seeds.start);
    for seed in seeds {
        let best = oracle::search(scenario, seed, &starts);
        outcome.best_limit += f64::from(best.limit) * part;
        outcome.best_rejected += best.trace.rejected as f64 / best.trace.offered as f64 * part;
        let keep = charts && outcome.traces.is_empty();
        let mut traces = Vec::new();
        for (algorithm, figures) in &mut outcome.figures {
            let trace = run(scenario, seed, &|| algorithm.build());
            figures.add(scenario, &trace, &best.trace);
            traces.push((*algorithm, trace));
        }
        if keep {
            outcome.traces.push((Algorithm::Fixed(best.limit), best.trace));
            outcome.traces.append(&mut traces);
        }
    }
    outcome
}

impl Outcome {
    pub(crate) fn of(&self, algorithm: Algorithm) -> Option<&Figures> {
        self.figures.iter().find(|(name, _)| *name == algorithm).map(|(_, figures)| figures)
    }
}

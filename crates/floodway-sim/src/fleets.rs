//! Fleets of all sizes with all that may happen to them: the runs behind the report.

use floodway_sim::fleet::{CROWDED, HAPPENS, Happening, LINGER, Plan, Ran, jain, run};

use crate::{
    figures::{least, most},
    goals::{Better, Figure},
    report::Figures,
};

/// Replicas of the fleets.
pub(crate) const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Of those that are played before every change.
pub(crate) const QUICK_SIZES: [usize; 2] = [10, 100];
/// From so many replicas on, one seed says it all.
const MANY: usize = 10_000;

/// What came of a fleet to which something happened, a run for each seed.
pub(crate) struct Row {
    pub(crate) happening: Happening,
    pub(crate) replicas: usize,
    pub(crate) runs: Vec<Ran>,
}

impl Row {
    /// The worst of all seeds.
    pub(crate) fn most(&self, of: impl Fn(&Ran) -> f64) -> f64 {
        most(&self.runs.iter().map(of).collect::<Vec<_>>())
    }

    /// The worst of all seeds, where less is worse.
    pub(crate) fn least(&self, of: impl Fn(&Ran) -> f64) -> f64 {
        least(&self.runs.iter().map(of).collect::<Vec<_>>())
    }

    /// Seconds until 95 % of what may be leased is in use again.
    pub(crate) fn settles(&self) -> f64 {
        self.most(|ran| ran.until(self.happening.over(), 0.95))
    }

    /// How equal replicas are three seconds after the load has moved, or over four minutes of turns.
    pub(crate) fn fairness(&self) -> Option<f64> {
        match self.happening {
            Happening::LoadMoves | Happening::LoadMovesWithLosses => {
                Some(self.least(|ran| ran.fairness_at(HAPPENS + 3_000)))
            }
            Happening::Crowded => Some(self.least(|ran| jain(ran.had.iter().copied()))),
            _ => None,
        }
    }

    /// The least that was in use from the time at which it happened until it was over; on average where
    /// replicas take turns.
    pub(crate) fn used(&self) -> f64 {
        let over = self.happening.over();
        match self.happening {
            Happening::Crowded => self.least(|ran| ran.mean(HAPPENS, HAPPENS + CROWDED)),
            _ => self.least(|ran| ran.least(HAPPENS, over + 5_000)),
        }
    }

    /// How long it may take until 95 % is in use again, in seconds. A burst lasts longer in a large fleet,
    /// so what the dead had comes back later.
    pub(crate) fn goal(&self) -> Option<f64> {
        match self.happening {
            Happening::LoadMoves => Some(3.0),
            Happening::Killed | Happening::KilledAndFenced => {
                let ttl = self.runs.iter().map(|ran| ran.ttl).max().unwrap_or(0);
                Some((ttl + LINGER) as f64 / 1e3 + 2.0)
            }
            Happening::EngineLost | Happening::EngineBack => Some(5.0),
            _ => None,
        }
    }
}

/// All that may happen, to fleets of these sizes.
pub(crate) fn run_all(sizes: &[usize], seeds: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for happening in Happening::ALL {
        for &replicas in sizes {
            let seeds = if replicas >= MANY { 1 } else { seeds };
            let runs = (1..=seeds).map(|seed| run(Plan { replicas, happening, seed })).collect();
            rows.push(Row { happening, replicas, runs });
        }
    }
    rows
}

pub(crate) fn figures(rows: &[Row]) -> Figures {
    let mut figures = Vec::new();
    for row in rows {
        let id = format!("sim.fleet.{}.n{}", row.happening.id(), row.replicas);
        let figure = |name: &str, value, unit, better, goal| {
            Figure::new(format!("{id}.{name}"), value, unit, better).with_goal(goal)
        };
        let exceeded = row.most(|ran| ran.exceeded as f64);
        figures.push(figure("exceeded", exceeded, "events", Better::Lower, Some(0.0)));
        if row.happening != Happening::Crowded {
            // Never is longer than anybody has looked.
            let settles = row.settles().min(1e3);
            figures.push(figure("settles", settles, "s", Better::Lower, row.goal()));
        }
        if let Some(fairness) = row.fairness() {
            figures.push(figure("fairness", fairness, "index", Better::Higher, Some(0.95)));
        }
        let goal = (row.happening == Happening::Crowded).then_some(0.95);
        figures.push(figure("used", row.used(), "ratio", Better::Higher, goal));
        let reserved = row.most(Ran::reserved);
        figures.push(figure("reserved", reserved, "ratio", Better::Lower, None));
        let renewals = row.most(Ran::renewals);
        figures.push(figure("renewals", renewals, "per s", Better::Lower, None));
    }
    Figures::new(figures)
}

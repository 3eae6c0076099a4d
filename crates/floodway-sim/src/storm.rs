//! Does it help if refused callers come back when they were told to?

use floodway_sim::{Algorithm, Clients, Returns, Scenario, Second, Trace, run};

use crate::{
    figures::mean,
    goals::{Better, Figure},
};

/// What came of callers of one kind, in front of a limiter whose refusals cost this much.
pub(crate) struct Storm {
    pub(crate) returns: Returns,
    /// In parts of the mean service time.
    pub(crate) refusal: f64,
    /// Share of the callers that were served before they lost patience.
    pub(crate) served: f64,
    pub(crate) refusals_per_caller: f64,
    /// Seconds from the end of the surge until refusals are rare; as many as there are if never.
    pub(crate) calm_after: f64,
    /// Operations that ended in time, of those that arrived in the last 30 seconds.
    pub(crate) end: f64,
}

/// When the surge ends, in seconds.
const SURGE_END: usize = 35;

/// Refusals are rare in a second with fewer of them than this part of its arrivals.
const RARE: f64 = 0.02;

impl Storm {
    pub(crate) fn figure(&self) -> Figure {
        let returns = self.returns.name();
        let id = format!("sim.storm.{returns}.refusal{}.served", self.refusal * 100.0);
        Figure::new(id, self.served, "ratio", Better::Higher)
    }
}

pub(crate) fn run_all(seeds: std::ops::Range<u64>) -> Vec<Storm> {
    let mut storms = Vec::new();
    for refusal in [0.0, 0.02, 0.05] {
        for returns in [Returns::Impatient, Returns::Depth, Returns::Paced] {
            storms.push(play(returns, refusal, seeds.clone()));
        }
    }
    storms
}

fn play(returns: Returns, refusal: f64, seeds: std::ops::Range<u64>) -> Storm {
    let clients = Clients { returns, queue: 32, refusal, patience: 30.0 };
    let scenario = Scenario::storm(16, 0.020, clients);
    let ours = Algorithm::AnchoredGradient;
    let traces: Vec<_> = seeds.map(|seed| run(&scenario, seed, &|| ours.build())).collect();
    let of = |figure: &dyn Fn(&Trace) -> f64| mean(&traces.iter().map(figure).collect::<Vec<_>>());
    Storm {
        returns,
        refusal,
        served: of(&|trace| trace.good() as f64 / trace.offered as f64),
        refusals_per_caller: of(&|trace| trace.rejected as f64 / trace.offered as f64),
        calm_after: of(&calm_after),
        end: of(&|trace| {
            let last = &trace.seconds[trace.seconds.len() - 30..];
            let good: u32 = last.iter().map(|second| second.good).sum();
            let offered: u32 = last.iter().map(|second| second.offered).sum();
            f64::from(good) / f64::from(offered)
        }),
    }
}

fn calm_after(trace: &Trace) -> f64 {
    let busy = |second: &Second| f64::from(second.rejected) > RARE * f64::from(second.offered);
    let last = trace.seconds.iter().rposition(busy).unwrap_or(0);
    (last + 1).saturating_sub(SURGE_END) as f64
}

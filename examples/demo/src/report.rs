//! The result: figures, as JSON, as a table and in words.

mod figures;
mod recovery;
mod sentences;
mod table;

use serde::Serialize;

pub(crate) use self::{
    figures::Figures,
    sentences::sentences,
    table::{inserts_table, table},
};
use crate::{arm::Arm, inserts, load::Measured};

/// Names of the phases, in their order.
pub(crate) const STEADY: &str = "steady";
pub(crate) const OVERLOAD: &str = "overload";
pub(crate) const RECOVERY: &str = "recovery";

/// How many times the capacity is offered in the overload.
pub(crate) const OVERLOAD_FACTOR: f64 = 5.0;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// 2xx responses per second of the plain service in a closed loop: the mean of all samples.
    pub(crate) capacity_rps: Option<f64>,
    /// Before, between and after the two services, and after each round.
    pub(crate) capacity_samples_rps: Vec<f64>,
    pub(crate) arms: Arms,
    pub(crate) rounds: Vec<Round>,
    /// The median over the rounds.
    pub(crate) goodput_share: Option<f64>,
    /// Orders from many callers, one by one and together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inserts: Option<inserts::Comparison>,
}

/// A short overload of the protected service between two measurements of the capacity.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    /// The mean of the two.
    pub(crate) capacity_rps: f64,
    pub(crate) goodput_rps: f64,
    /// Goodput as a part of the capacity.
    pub(crate) share: f64,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Arms {
    pub(crate) plain: Phases,
    pub(crate) protected: Phases,
}

/// Phases that were not run are left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steady: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overload: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovery: Option<Figures>,
}

impl Report {
    pub(crate) fn add_capacity(&mut self, capacity: f64) {
        let samples = &mut self.capacity_samples_rps;
        samples.push(capacity);
        self.capacity_rps = Some(samples.iter().sum::<f64>() / samples.len() as f64);
    }

    pub(crate) fn add_round(&mut self, capacity_rps: f64, measured: &[Measured]) {
        let goodput_rps = Figures::new(measured, 0).goodput_rps;
        let share = goodput_rps / capacity_rps;
        self.rounds.push(Round { capacity_rps, goodput_rps, share });
        let mut shares: Vec<_> = self.rounds.iter().map(|round| round.share).collect();
        shares.sort_by(f64::total_cmp);
        self.goodput_share = Some(shares[shares.len() / 2]);
    }

    pub(crate) fn set(&mut self, arm: Arm, measured: &[Measured]) {
        let phases = Phases::new(measured);
        match arm {
            Arm::Plain => self.arms.plain = phases,
            Arm::Protected => self.arms.protected = phases,
        }
    }
}

impl Phases {
    fn new(measured: &[Measured]) -> Self {
        let find = |name| measured.iter().position(|measured| measured.phase.name == name);
        let figures = |name| find(name).map(|index| Figures::new(measured, index));
        let steady = figures(STEADY);
        let recovery = find(RECOVERY).map(|index| {
            let mut figures = Figures::new(measured, index);
            let steady_p99 = steady.as_ref().and_then(|steady| steady.p99_s);
            figures.recovered_after_s =
                steady_p99.and_then(|p99| recovery::recovered_after(&measured[index], p99));
            figures
        });
        Self { overload: figures(OVERLOAD), recovery, steady }
    }

    /// Names and figures in order, `None` where a phase was not run.
    fn in_order(&self) -> [(&'static str, Option<&Figures>); 3] {
        [
            (STEADY, self.steady.as_ref()),
            (OVERLOAD, self.overload.as_ref()),
            (RECOVERY, self.recovery.as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::load::{Answer, Answered, Phase, Request};

    #[test]
    fn the_json_has_the_promised_shape() {
        let measured = Measured {
            phase: Phase { name: OVERLOAD, duration: Duration::from_secs(2), rate: 2.0 },
            lasted: Duration::from_secs(2),
            requests: [
                (Answer::Success, 0, 40),
                (Answer::Rejected { reason: "queue_full".into() }, 500, 503),
                (Answer::PoolTimeout, 1_000, 3_000),
                // Answered after the phase: in p99, not in goodput.
                (Answer::Success, 1_900, 2_100),
            ]
            .map(|(answer, due, at)| Request {
                due: Duration::from_millis(due),
                answered: Some(Answered { at: Duration::from_millis(at), answer }),
            })
            .into(),
        };
        let mut report = Report::default();
        report.add_capacity(90.0);
        report.add_capacity(110.0);
        report.set(Arm::Protected, std::slice::from_ref(&measured));
        report.add_round(2.0, &[measured]);
        let expected = json!({
            "capacity_rps": 100.0,
            "capacity_samples_rps": [90.0, 110.0],
            "rounds": [{ "capacity_rps": 2.0, "goodput_rps": 0.5, "share": 0.25 }],
            "goodput_share": 0.25,
            "arms": {
                "plain": {},
                "protected": { "overload": {
                    "offered_rps": 2.0,
                    "goodput_rps": 0.5,
                    "p50_s": 0.04,
                    "p99_s": 0.2,
                    "rejected_p99_s": 0.003,
                    "pool_timeouts": 1,
                    "failed": 0,
                    "rejected": { "queue_full": 1 },
                    "recovered_after_s": null,
                }},
            },
        });
        let mut found = serde_json::to_value(&report).expect("serializable");
        // The histogram keeps three digits.
        let figures = &mut found["arms"]["protected"]["overload"];
        for name in ["p50_s", "p99_s", "rejected_p99_s"] {
            let exact = figures[name].as_f64().expect("a number");
            figures[name] = ((exact * 1e3).round() / 1e3).into();
        }
        assert_eq!(found, expected);
    }
}

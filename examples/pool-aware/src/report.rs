//! What was measured.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    arm::Arm,
    load::{Answer, Answered},
};

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) database: &'static str,
    pub(crate) pool_size: u32,
    /// How long a request waits for a connection.
    pub(crate) patience_s: f64,
    /// 2xx responses per second of the plain service to a few clients.
    pub(crate) capacity_rps: f64,
    pub(crate) points: Vec<Figures>,
}

/// One load on one of the services.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) service: Arm,
    /// In multiples of the capacity.
    pub(crate) load: f64,
    pub(crate) offered_rps: f64,
    /// 2xx responses per second that were complete while requests arrived.
    pub(crate) goodput_rps: f64,
    /// Of 2xx responses, from when the request was due.
    pub(crate) p50_s: Option<f64>,
    pub(crate) p99_s: Option<f64>,
    /// Responses 503 by their cause.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) refused_p99_s: Option<f64>,
    pub(crate) failed: u64,
    pub(crate) connections_opened: u64,
}

impl Report {
    /// The points of one service, by load.
    pub(crate) fn of(&self, arm: Arm) -> impl Iterator<Item = &Figures> {
        self.points.iter().filter(move |point| point.service == arm)
    }
}

impl Figures {
    pub(crate) fn new(
        service: Arm,
        load: f64,
        lasted: Duration,
        answered: &[Answered],
        connections_opened: u64,
    ) -> Self {
        let in_time =
            answered.iter().filter(|one| one.answer == Answer::Success && one.at <= lasted).count();
        let served = latencies(answered, |answer| *answer == Answer::Success);
        let turned_away = latencies(answered, |answer| matches!(answer, Answer::Refused { .. }));
        // The others were only there to be complete while requests arrived.
        let due = answered.iter().filter(|one| one.due.is_some());
        let mut refused = BTreeMap::new();
        for one in due.clone() {
            if let Answer::Refused { cause } = &one.answer {
                *refused.entry(cause.clone()).or_default() += 1;
            }
        }
        let failed = due.clone().filter(|one| one.answer == Answer::Failed).count();
        Self {
            service,
            load,
            offered_rps: due.clone().count() as f64 / lasted.as_secs_f64(),
            goodput_rps: in_time as f64 / lasted.as_secs_f64(),
            p50_s: quantile(&served, 0.5),
            p99_s: quantile(&served, 0.99),
            refused,
            refused_p99_s: quantile(&turned_away, 0.99),
            failed: failed as u64,
            connections_opened,
        }
    }
}

/// Ascending.
fn latencies(answered: &[Answered], which: impl Fn(&Answer) -> bool) -> Vec<Duration> {
    let mut latencies: Vec<_> = answered
        .iter()
        .filter(|one| which(&one.answer))
        .filter_map(|one| Some(one.at.saturating_sub(one.due?)))
        .collect();
    latencies.sort_unstable();
    latencies
}

/// In seconds; `None` if there is nothing. `share` is between 0 and 1.
fn quantile(ascending: &[Duration], share: f64) -> Option<f64> {
    let rank = (share * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).map(Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_tell_answers_apart() {
        let refused = |cause: &str| Answer::Refused { cause: cause.to_owned() };
        let answered = [
            // Due before the end of the warm-up: in goodput, not in the latencies.
            (Answer::Success, None, 900),
            (Answer::Success, Some(0), 40),
            (Answer::Success, Some(100), 160),
            // Answered after the last arrival: in p99, not in goodput.
            (Answer::Success, Some(1_900), 2_100),
            (refused("queue_full"), Some(500), 503),
            (refused("queue_full"), Some(600), 601),
            (refused("deadline"), Some(700), 702),
            (Answer::Failed, Some(800), 801),
        ]
        .map(|(answer, due, at)| Answered {
            due: due.map(Duration::from_millis),
            at: Duration::from_millis(at),
            answer,
        });
        let figures = Figures::new(Arm::Limited, 2.0, Duration::from_secs(2), &answered, 4);
        let expected = json!({
            "service": "limited",
            "load": 2.0,
            "offered_rps": 3.5,
            "goodput_rps": 1.5,
            "p50_s": 0.06,
            "p99_s": 0.2,
            "refused": { "queue_full": 2, "deadline": 1 },
            "refused_p99_s": 0.003,
            "failed": 1,
            "connections_opened": 4,
        });
        assert_eq!(serde_json::to_value(figures).expect("serializable"), expected);
    }
}

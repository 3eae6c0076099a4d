//! What two workers do in the time of one: the same job for either, in turns.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    arguments::RunArguments,
    coordinator::{self, patient::Patient},
    server::Server,
    store::Store,
    table,
};

/// Two workers that disturb each other as little as this do 1.6 times as much.
const GOAL: f64 = 1.6;

/// Items of a first run that is not counted.
const WARM_UP: u64 = 1_000;

/// Whether it was not stopped.
pub(crate) async fn run(
    arguments: &RunArguments,
    server: &Server,
    stop: &watch::Sender<bool>,
) -> Result<bool> {
    // Whose leases Redis does not know yet, it lets wait for some seconds. That is no part of the rates.
    let few = RunArguments { items: Some(WARM_UP), ..arguments.clone() };
    if measure(&few, server, 2, stop).await?.is_none() {
        return Ok(false);
    }
    let mut rounds = Vec::new();
    for round in 0..arguments.rounds {
        // Who comes first changes, so that a machine that becomes slower favours neither.
        let order = if round % 2 == 0 { [1, 2] } else { [2, 1] };
        let mut rates = [0.0; 2];
        for workers in order {
            match measure(arguments, server, workers, stop).await? {
                Some(rate) => rates[usize::from(workers) - 1] = rate,
                None => return Ok(false),
            }
        }
        rounds.push((rates[0], rates[1]));
    }
    let ratio = median(rounds.iter().map(|(one, two)| two / one).collect());
    println!("{}", table::rounds(&rounds));
    let verdict = if ratio >= GOAL { "met" } else { "MISSED" };
    println!("Two workers do {ratio:.2} times as much as one (median); goal {GOAL}, {verdict}.");
    if let Some(path) = &arguments.json {
        write(path, &arguments.wanted().work.to_string(), ratio)?;
    }
    Ok(true)
}

/// Items per second from the first entry to the last outcome; `None` if it was stopped.
async fn measure(
    arguments: &RunArguments,
    server: &Server,
    workers: u16,
    stop: &watch::Sender<bool>,
) -> Result<Option<f64>> {
    let name = format!("{}-compare-{workers}", arguments.at.job);
    let connection = server.connect().await?;
    // Of a comparison that was killed.
    if let Some(store) = Store::find(connection.clone(), &name).await? {
        store.remove().await?;
    }
    let store = coordinator::begin(arguments, connection, &name).await?;
    let mut patient = Patient::new(server, store);
    let ended = coordinator::gather(arguments, &mut patient, &name, workers, stop).await;
    let store = patient.store();
    let removed = store.remove().await;
    let ended = ended?;
    removed?;
    Ok(ended.status.took.map(|took| store.job().items as f64 / took.as_secs_f64()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

fn write(path: &Path, work: &str, ratio: f64) -> Result<()> {
    let report = json!({
        "suite": "distributed-fan-out",
        "results": [{
            "id": format!("two-workers/{work}"),
            "value": ratio,
            "unit": "ratio",
            "goal": GOAL,
            "better": "higher",
        }],
    });
    let text = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(path, text).with_context(|| format!("--json: cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}

//! Callers that insert one row after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use indicatif::ProgressBar;
use tokio::{task::JoinSet, time::Instant};

use crate::{arguments::Arguments, order::Order};

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Stored,
    /// It breaks a rule of the table, which says so.
    Refused(String),
    /// A good one, refused with a bad one of its batch.
    RefusedWithOthers,
}

impl Answer {
    pub(crate) fn refused(error: &sqlx::Error) -> Self {
        let said = error.as_database_error().map(|error| error.message().to_owned());
        Self::Refused(said.unwrap_or_else(|| error.to_string()))
    }
}

/// What became of all rows of a run.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) stored: u64,
    pub(crate) refused: u64,
    /// What the table said of one of them.
    pub(crate) reason: Option<String>,
    pub(crate) refused_with_others: u64,
    pub(crate) took: Duration,
    /// Of all rows, ascending.
    latencies: Vec<Duration>,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.stored as f64 / self.took.as_secs_f64()
    }

    /// `share` is between 0 and 1.
    pub(crate) fn latency(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied()
    }

    fn add(&mut self, answer: Answer, latency: Duration) {
        self.latencies.push(latency);
        match answer {
            Answer::Stored => self.stored += 1,
            Answer::Refused(reason) => {
                self.refused += 1;
                self.reason = Some(reason);
            }
            Answer::RefusedWithOthers => self.refused_with_others += 1,
        }
    }

    fn merge(&mut self, other: Self) {
        self.stored += other.stored;
        self.refused += other.refused;
        self.reason = self.reason.take().or(other.reason);
        self.refused_with_others += other.refused_with_others;
        self.latencies.extend(other.latencies);
    }
}

/// Runs until all rows have their answer or the time is up. An error ends it, and callers with it.
pub(crate) async fn run<F, Fut>(
    arguments: &Arguments,
    bar: &ProgressBar,
    insert: F,
) -> Result<Measured>
where
    F: Fn(Order) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer>> + Send,
{
    let Arguments { rows, bad_rows, seconds, callers, .. } = *arguments;
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (insert, next, bar) = (insert.clone(), Arc::clone(&next), bar.clone());
        tasks.spawn(async move {
            let mut measured = Measured::default();
            while began.elapsed() < seconds {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= rows {
                    break;
                }
                let order = Order::numbered(number, is_bad(number, rows, bad_rows));
                let called = Instant::now();
                let answer = insert(order).await?;
                measured.add(answer, called.elapsed());
                bar.inc(1);
            }
            Ok::<_, anyhow::Error>(measured)
        });
    }
    let mut all = Measured::default();
    while let Some(ended) = tasks.join_next().await {
        all.merge(ended??);
    }
    all.took = began.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

/// Spreads `bad` rows over `rows`.
fn is_bad(number: u64, rows: u64, bad: u64) -> bool {
    let before = |number: u64| u128::from(number) * u128::from(bad) / u128::from(rows);
    before(number + 1) > before(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_bad_as_asked_for() {
        for (rows, bad) in [(10, 0), (10, 1), (10, 3), (10, 10), (7, 5), (1, 1)] {
            let found = (0..rows).filter(|number| is_bad(*number, rows, bad)).count();
            assert_eq!(found as u64, bad, "{bad} of {rows}");
        }
    }

    #[test]
    fn quantiles_are_latencies_that_were() {
        let mut measured = Measured::default();
        assert_eq!(measured.latency(0.5), None);
        measured.latencies = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(measured.latency(0.5), Some(Duration::from_millis(100)));
        assert_eq!(measured.latency(0.99), Some(Duration::from_millis(198)));
        assert_eq!(measured.latency(1.0), Some(Duration::from_millis(200)));
    }
}

//! Callers that issue one command after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use indicatif::ProgressBar;
use redis::Cmd;
use tokio::{task::JoinSet, time::Instant};

use crate::{arguments::Arguments, server};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// Redis refused it, which says why.
    Refused(String),
}

/// What became of all commands of a run.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) done: u64,
    /// How many of them count something up.
    pub(crate) counted: u64,
    pub(crate) refused: u64,
    /// What Redis said of one of them.
    pub(crate) reason: Option<String>,
    pub(crate) took: Duration,
    /// Of all commands, ascending.
    latencies: Vec<Duration>,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.took.as_secs_f64()
    }

    /// `share` is between 0 and 1.
    pub(crate) fn latency(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied()
    }

    fn merge(&mut self, other: Self) {
        self.done += other.done;
        self.counted += other.counted;
        self.refused += other.refused;
        self.reason = self.reason.take().or(other.reason);
        self.latencies.extend(other.latencies);
    }
}

/// Runs until all commands have their answer or the time is up. An error ends it, and callers with it.
pub(crate) async fn run<F, Fut>(
    arguments: &Arguments,
    bar: &ProgressBar,
    send: F,
) -> Result<Measured>
where
    F: Fn(Cmd) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer>> + Send,
{
    let Arguments { commands, bad_commands, seconds, callers, .. } = *arguments;
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (send, next, bar) = (send.clone(), Arc::clone(&next), bar.clone());
        tasks.spawn(async move {
            let mut measured = Measured::default();
            while began.elapsed() < seconds {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= commands {
                    break;
                }
                let bad = is_bad(number, commands, bad_commands);
                let command = server::command(number, bad);
                let called = Instant::now();
                let answer = send(command).await?;
                measured.latencies.push(called.elapsed());
                match answer {
                    Answer::Done => {
                        measured.done += 1;
                        measured.counted += u64::from(server::counts(number, bad));
                    }
                    Answer::Refused(reason) => {
                        measured.refused += 1;
                        measured.reason = Some(reason);
                    }
                }
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

/// Spreads `bad` commands over `all`.
fn is_bad(number: u64, all: u64, bad: u64) -> bool {
    let before = |number: u64| u128::from(number) * u128::from(bad) / u128::from(all);
    before(number + 1) > before(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_commands_are_bad_as_asked_for() {
        for (all, bad) in [(10, 0), (10, 1), (10, 3), (10, 10), (7, 5), (1, 1)] {
            let found = (0..all).filter(|number| is_bad(*number, all, bad)).count();
            assert_eq!(found as u64, bad, "{bad} of {all}");
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

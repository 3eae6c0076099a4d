//! Callers in a closed loop for a while, and what came of it.

use std::{fmt, time::Duration};

use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    clockwork::Clockwork,
    downstream::{Counts, Downstream},
};
use crate::measure::median;

/// The part of a lap before it counts: whoever comes first finds nobody to go with.
const START: u32 = 8;

/// Makes one call after the other.
type Run<'a> = Box<dyn Fn(Duration) -> Lap + 'a>;

/// One way to do the same work, for as long as it is asked to.
pub(super) struct Arm<'a> {
    pub(super) name: String,
    run: Run<'a>,
}

/// Exponentially distributed.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub(super) clockwork: Clockwork,
    pub(super) mean: Duration,
}

impl Pause {
    async fn take(&self) {
        let times = -(1.0 - fastrand::f64()).ln();
        self.clockwork.sleep(self.mean.mul_f64(times)).await;
    }
}

/// What came of a lap.
#[derive(Clone, Debug)]
pub(super) struct Lap {
    /// Items a second.
    pub(super) rate: f64,
    /// Of a call, in milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Of the downstream.
    pub(super) counts: Counts,
}

/// The laps of several arms, in turn.
pub(super) struct Trials {
    names: Vec<String>,
    laps: Vec<Vec<Lap>>,
}

impl<'a> Arm<'a> {
    /// `call` is made by `callers` tasks, each its next item once it has its answer.
    pub(super) fn new<F>(
        runtime: &'a Runtime,
        downstream: &Downstream,
        callers: usize,
        name: impl Into<String>,
        call: impl Fn(u64) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        Self::with_pauses(runtime, downstream, (callers, None), name, call)
    }

    /// With a pause of random length after each answer: callers who come when they like.
    pub(super) fn with_pauses<F>(
        runtime: &'a Runtime,
        downstream: &Downstream,
        callers: (usize, Option<Pause>),
        name: impl Into<String>,
        call: impl Fn(u64) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let downstream = downstream.clone();
        let run = move |duration| {
            let before = downstream.counts();
            let calls = closed_loop(callers.clone(), duration, call.clone());
            let (rate, p50, p99) = runtime.block_on(calls);
            Lap { rate, p50, p99, counts: downstream.counts() - before }
        };
        Self { name: name.into(), run: Box::new(run) }
    }

    pub(super) fn lap(&self, duration: Duration) -> Lap {
        (self.run)(duration)
    }
}

/// Items a second, and what a call took.
async fn closed_loop<F>(
    (callers, pause): (usize, Option<Pause>),
    duration: Duration,
    call: impl Fn(u64) -> F + Clone + Send + 'static,
) -> (f64, f64, f64)
where
    F: Future<Output = ()> + Send,
{
    let start = Instant::now();
    let (from, until) = (start + duration / START, start + duration + duration / START);
    let mut running = JoinSet::new();
    for caller in 0..callers as u64 {
        let (call, pause) = (call.clone(), pause.clone());
        running.spawn(async move {
            let mut took = Vec::with_capacity(1_024);
            let mut began = Instant::now();
            for turn in 0.. {
                call((caller << 32) | turn).await;
                let ended = Instant::now();
                if ended > from {
                    if ended > until {
                        break;
                    }
                    took.push(ended.duration_since(began).as_secs_f64() * 1e3);
                }
                began = ended;
                if let Some(pause) = &pause {
                    pause.take().await;
                    began = Instant::now();
                }
            }
            took
        });
    }
    let mut took: Vec<f64> = Vec::new();
    while let Some(ended) = running.join_next().await {
        took.extend(ended.expect("callers do not panic"));
    }
    sleep_until(until).await;
    took.sort_by(f64::total_cmp);
    let quantile = |of: f64| took.get((took.len() as f64 * of) as usize).copied();
    let [p50, p99] = [0.5, 0.99].map(|of| quantile(of).unwrap_or(f64::NAN));
    (took.len() as f64 / duration.as_secs_f64(), p50, p99)
}

/// All arms in turn, after one round that is not counted. Another one begins every round, and every
/// other round goes backwards. `between` is called before each lap.
pub(super) fn trials(
    rounds: usize,
    duration: Duration,
    arms: &[Arm<'_>],
    mut between: impl FnMut(),
) -> Trials {
    let count = arms.len();
    let mut laps = vec![Vec::with_capacity(rounds); count];
    for round in 0..=rounds {
        for step in 0..count {
            let step = if round % 2 == 0 { step } else { count - step };
            let place = (round + step) % count;
            between();
            let lap = arms[place].lap(duration);
            if round > 0 {
                laps[place].push(lap);
            }
        }
    }
    Trials { names: arms.iter().map(|arm| arm.name.clone()).collect(), laps }
}

impl Trials {
    /// Median of what `of` makes of the laps of an arm.
    pub(super) fn median(&self, arm: usize, of: impl Fn(&Lap) -> f64) -> f64 {
        median(self.laps[arm].iter().map(of).collect())
    }

    /// Median of the ratios of each round.
    pub(super) fn ratio(&self, one: usize, other: usize, of: impl Fn(&Lap) -> f64) -> f64 {
        let pairs = self.laps[one].iter().zip(&self.laps[other]);
        median(pairs.map(|(one, other)| of(one) / of(other)).collect())
    }

    /// What all laps of an arm saw downstream.
    pub(super) fn counts(&self, arm: usize) -> Counts {
        self.laps[arm].iter().fold(Counts::default(), |sum, lap| sum + lap.counts)
    }

    /// The highest median rate among `arms`.
    pub(super) fn fastest(&self, arms: impl Iterator<Item = usize>) -> usize {
        let rate = |arm: usize| self.median(arm, |lap| lap.rate);
        arms.max_by(|one, other| rate(*one).total_cmp(&rate(*other))).unwrap_or_default()
    }
}

/// A line for each arm: its name, items a second with their spread, the median and the 99th
/// percentile of a call, and what the downstream saw.
impl fmt::Display for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (arm, name) in self.names.iter().enumerate() {
            let mut rates: Vec<_> = self.laps[arm].iter().map(|lap| lap.rate).collect();
            rates.sort_by(f64::total_cmp);
            let (Some(low), Some(high)) = (rates.first(), rates.last()) else { continue };
            let rate = self.median(arm, |lap| lap.rate);
            let p50 = self.median(arm, |lap| lap.p50);
            let p99 = self.median(arm, |lap| lap.p99);
            writeln!(
                f,
                "  {name:<44} {rate:>8.0}/s ({low:.0}–{high:.0})  p50 {p50:.2} ms  p99 {p99:.2} ms  {}",
                self.counts(arm)
            )?;
        }
        Ok(())
    }
}

//! Processes are killed and stopped and see clocks jump, while they share a database.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, interval_at, sleep};

use super::world::{Sample, Setup, World};
use crate::{measure::Effort, report::Report};

/// How often a process is killed.
const KILL_EVERY: Duration = Duration::from_secs(2);

/// Processes that are stopped at once.
const STOPPED: usize = 4;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let secs = Duration::from_secs;
    let quick = effort.rounds < Effort::FULL.rounds;
    let (workers, kills, stop, clocks) =
        if quick { (8, secs(16), secs(8), secs(10)) } else { (32, secs(120), secs(20), secs(60)) };
    let setup = Setup {
        workers,
        budget: 40,
        margin: 2,
        floor: 1,
        // More than its share, whoever is gone.
        clients: 12,
        query: Duration::from_millis(50),
    };
    let mut outcome = Outcome::default();
    for shift_clock in [false, true] {
        let Some(mut world) = runtime.block_on(World::start(setup.clone(), shift_clock))? else {
            anyhow::bail!("the fleet suite needs PostgreSQL and Redis");
        };
        runtime.block_on(async {
            world.until_full(secs(30)).await;
            let for_so_long = if shift_clock { clocks } else { kills };
            let since = kill(&mut world, for_so_long).await?;
            outcome.add(&world, since);
            if !shift_clock {
                let since = Instant::now();
                outcome.unused = halt(&world, stop).await?;
                outcome.add(&world, since);
            }
            outcome.count(&world);
            anyhow::Ok(())
        })?;
    }
    println!(
        "{} processes, budget 40 less 2: at most {} connections in {} samples; {} queries, {} of them \
         ended by a fence",
        workers, outcome.most, outcome.samples, outcome.done, outcome.fenced
    );
    report.lower("fleet.over_budget_events", outcome.over as f64, "events", Some(0.0));
    report.lower("fleet.too_many_connections", outcome.too_many as f64, "errors", Some(0.0));
    report.lower("fleet.failed_queries", outcome.failed as f64, "errors", Some(0.0));
    report.lower("fleet.rejections", outcome.refused as f64, "errors", Some(0.0));
    report.lower("fleet.unused_while_stopped", outcome.unused, "ratio", Some(0.05));
    report.lower("fleet.reowned_after_kill_s", outcome.below.as_secs_f64(), "s", Some(6.0));
    Ok(())
}

/// Kills a random process every two seconds; since when.
async fn kill(world: &mut World, for_so_long: Duration) -> anyhow::Result<Instant> {
    let since = Instant::now();
    let mut kills = interval_at(since + KILL_EVERY, KILL_EVERY);
    while since.elapsed() < for_so_long {
        kills.tick().await;
        world.kill(fastrand::usize(..world.setup.workers)).await?;
    }
    // The last one as well has to come back.
    sleep(Duration::from_secs(8)).await;
    Ok(since)
}

/// Stops some processes, for longer than their leases last, and lets them go on.
///
/// Returns which part of what the others may use they do not have at the end of it.
async fn halt(world: &World, for_so_long: Duration) -> anyhow::Result<f64> {
    for index in 0..STOPPED {
        world.signal(index, Signal::STOP);
    }
    sleep(for_so_long).await;
    let status = world.status().await?;
    for index in 0..STOPPED {
        world.signal(index, Signal::CONT);
    }
    sleep(Duration::from_secs(8)).await;
    let (kept, had): (Vec<_>, Vec<_>) = status.replicas.iter().partition(|one| one.lapsed);
    let floors: u32 = kept.iter().map(|one| one.bound).sum();
    let had: u32 = had.iter().map(|one| one.grant).sum();
    println!(
        "{} of {} processes stopped: {floors} permits are kept for them, {had} the others have, {} \
         remnants",
        kept.len(),
        status.replicas.len(),
        status.remnants.len()
    );
    let usable = f64::from(world.setup.usable() - floors);
    Ok(1.0 - f64::from(had) / usable)
}

#[derive(Default)]
struct Outcome {
    samples: usize,
    most: u32,
    over: usize,
    /// The longest time with less than 95 % of the budget in use.
    below: Duration,
    unused: f64,
    done: u64,
    fenced: u64,
    failed: u64,
    refused: u64,
    too_many: u64,
}

impl Outcome {
    fn add(&mut self, world: &World, since: Instant) {
        let samples = world.samples(since);
        self.samples += samples.len();
        let most = samples.iter().map(|sample| sample.connections).max();
        self.most = self.most.max(most.unwrap_or_default());
        let budget = world.setup.budget;
        self.over += samples.iter().filter(|sample| sample.connections > budget).count();
        self.below = self.below.max(longest_below(&samples, world.setup.nearly_all()));
    }

    fn count(&mut self, world: &World) {
        let totals = world.totals();
        self.done += totals.done;
        self.fenced += totals.fenced;
        self.failed += totals.failed;
        self.refused += totals.refused;
        self.too_many += totals.too_many + world.refused_by_server() as u64;
        for complaint in world.complaints() {
            println!("a worker: {complaint}");
        }
    }
}

fn longest_below(samples: &[Sample], enough: u32) -> Duration {
    let mut longest = Duration::ZERO;
    let mut since = None;
    for sample in samples {
        if sample.connections >= enough {
            since = None;
            continue;
        }
        let since = *since.get_or_insert(sample.at);
        longest = longest.max(sample.at - since);
    }
    longest
}

//! Redis is stopped, cut off and restarted empty, while processes share a database by it.

use std::time::Duration;

use floodway_test_support::Toxic;
use tokio::time::{Instant, sleep};

use super::world::{Setup, World};
use crate::{measure::Effort, report::Report};

#[derive(Clone, Copy, Debug)]
enum Outage {
    Stopped,
    Blackholed,
    RestartedEmpty,
}

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let quick = effort.rounds < Effort::FULL.rounds;
    let lasts = Duration::from_secs(if quick { 10 } else { 60 });
    let setup = Setup {
        workers: 8,
        budget: 40,
        margin: 2,
        floor: 2,
        clients: 12,
        query: Duration::from_millis(50),
    };
    let mut lost = 0;
    for outage in [Outage::Stopped, Outage::Blackholed, Outage::RestartedEmpty] {
        let name = match outage {
            Outage::Stopped => "stopped",
            Outage::Blackholed => "blackholed",
            Outage::RestartedEmpty => "restarted_empty",
        };
        let Some(mut world) = runtime.block_on(World::start(setup.clone(), false))? else {
            anyhow::bail!("the fleet suite needs PostgreSQL and Redis");
        };
        let (full, goodput, over) = runtime.block_on(suffer(&mut world, outage, lasts));
        let totals = world.totals();
        lost += totals.failed + totals.refused + totals.fenced + totals.too_many;
        for complaint in world.complaints() {
            println!("a worker: {complaint}");
        }
        let goal = (!matches!(outage, Outage::RestartedEmpty)).then_some(1.0);
        let id = |figure: &str| format!("fleet.redis_{name}.{figure}");
        report.higher(id("goodput_vs_floors"), goodput, "ratio", goal);
        report.lower(id("full_again_s"), full.as_secs_f64(), "s", Some(5.0));
        report.lower(id("over_budget_events"), over as f64, "events", Some(0.0));
    }
    report.lower("fleet.redis_outages.requests_lost", lost as f64, "errors", Some(0.0));
    Ok(())
}

/// How long it takes after the outage until the budget is in use again, what was done during it in
/// comparison with what the floors should get done, and how often there were too many connections.
async fn suffer(world: &mut World, outage: Outage, lasts: Duration) -> (Duration, f64, usize) {
    let begun = Instant::now();
    world.until_full(Duration::from_secs(30)).await;
    // The shares have to settle; then what is done with all of the budget in use.
    sleep(Duration::from_secs(5)).await;
    let (before, since) = (world.totals().done, Instant::now());
    sleep(Duration::from_secs(5)).await;
    let all = (world.totals().done - before) as f64 / since.elapsed().as_secs_f64();
    match outage {
        Outage::Stopped => world.redis.stop(),
        Outage::Blackholed => world.proxy.set(Toxic::Blackhole),
        Outage::RestartedEmpty => world.redis.restart(),
    }
    let struck = Instant::now();
    // Until the bursts have lapsed.
    sleep(Duration::from_secs(5)).await;
    let (before, since) = (world.totals().done, Instant::now());
    sleep(lasts - struck.elapsed()).await;
    let done = (world.totals().done - before) as f64 / since.elapsed().as_secs_f64();
    let full = match outage {
        Outage::Stopped => {
            world.redis.restart();
            world.until_full(Duration::from_secs(30)).await
        }
        Outage::Blackholed => {
            world.proxy.heal();
            world.until_full(Duration::from_secs(30)).await
        }
        Outage::RestartedEmpty => world.last_below(struck) - struck,
    };
    // Too many would be there soon after.
    sleep(Duration::from_secs(5)).await;
    let Setup { workers, floor, budget, .. } = world.setup;
    let floors = all * workers as f64 * f64::from(floor) / f64::from(world.setup.usable());
    let over = world.samples(begun).iter().filter(|sample| sample.connections > budget).count();
    (full, done / floors, over)
}

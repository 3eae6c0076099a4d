//! Callers of whom half go away at any moment: while they wait, while a connection is checked, while
//! their query runs.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    CONNECTIONS, Plan,
    arms::{self, Arm, Ended, OURS},
    drivers::{self, Driver},
    lap::{HEADER, Lap, Laps},
    open_loop::{self, Load},
    runtime,
    server::Server,
};
use crate::report::Report;

/// A second: about as many as the pool can serve. Half of them take less of it, so hardly anybody
/// waits for long, and those who leave do so at every stage.
const RATE: f64 = 450.0;

/// When those leave who do: any factor between these is as likely as any other, so that as many are
/// gone while a connection is checked, which is short, as while a query runs.
const SHORTEST: f64 = 20e-6;
const LONGEST: f64 = 30e-3;

pub(super) fn measure<D: Driver>(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let Some(server) = Server::start() else { return Ok(()) };
    let arms = runtime.block_on(async {
        let plain = arms::plain(drivers::filled::<D>(&server.url("plain")).await?);
        let ours = arms::ours(&drivers::filled::<D>(&server.url("ours")).await?)?;
        anyhow::Ok([plain, ours])
    })?;
    let counted = plan.lap;
    println!("{}, {RATE:.0}/s for {counted:?}, of whom half leave\n{HEADER}", D::NAME);
    for (arm, prefix) in arms.iter().zip(["plain_", ""]) {
        let load = Load { rate: RATE, warm: Duration::ZERO, counted, seed: 1 };
        let records = open_loop::offer(&runtime, load, || impatient(arm));
        let mut laps = Laps::none(arm.name);
        laps.laps.push(Lap::new(&records, counted, server.backends(arm.name)));
        println!("{laps}");
        let prefix = format!("pools.{prefix}{}.cancel", D::NAME);
        let goal = |goal| (arm.name == OURS).then_some(goal);
        let opened = laps.sum(|lap| lap.backends);
        report.lower(format!("{prefix}.backends"), opened, "", goal(f64::from(CONNECTIONS)));
        report.lower(format!("{prefix}.timeouts"), laps.sum(|lap| lap.timeouts), "", goal(0.0));
        report.lower(format!("{prefix}.failed"), laps.sum(|lap| lap.failed), "", goal(0.0));
        report.higher(format!("{prefix}.served"), laps.sum(|lap| lap.served), "1/s", None);
    }
    Ok(())
}

/// Every other one leaves after a random time.
fn impatient(arm: &Arm) -> impl Future<Output = Ended> + Send + 'static {
    let request = arm.request();
    let leaves = fastrand::bool().then(|| SHORTEST * (LONGEST / SHORTEST).powf(fastrand::f64()));
    async move {
        match leaves {
            Some(after) => {
                timeout(Duration::from_secs_f64(after), request).await.unwrap_or(Ended::Left)
            }
            None => request.await,
        }
    }
}

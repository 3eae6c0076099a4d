//! Both services under the same loads.

use std::time::Duration;

use anyhow::{Result, ensure};
use floodway::Registry;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    arguments::Arguments,
    arm::Arm,
    database::{Database, PATIENCE, POOL_SIZE},
    load::{Load, closed_loop, open_loop},
    plain,
    report::{Figures, Report},
    service,
};

/// A few more than connections: always somebody waits for one, and nobody for long.
const CLIENTS: u32 = POOL_SIZE + 4;

/// How often the capacity is measured: a machine that does other things, too, makes it less and
/// never more.
const CAPACITY_ROUNDS: u32 = 4;

/// Each of them takes so long at most; how fast a pool can be shows soon.
const LONGEST_CAPACITY: Duration = Duration::from_secs(1);

/// Twice as long as anybody waits: whoever was there before the pool had too much to do is gone.
const WARM_UP: Duration = PATIENCE.saturating_mul(2);

/// What the pool can do, and then each load on each of the services.
pub(crate) async fn run(arguments: &Arguments, database: &Database) -> Result<Report> {
    let bar = bar(arguments);
    let capacity_rps = capacity(arguments, database, &bar).await?;
    let mut points = Vec::new();
    for &load in &arguments.load {
        for arm in Arm::BOTH {
            bar.set_message(format!("{arm} at {load}x"));
            points.push(measure(arguments, database, arm, load, load * capacity_rps).await?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Report {
        database: database.name,
        pool_size: POOL_SIZE,
        patience_s: PATIENCE.as_secs_f64(),
        capacity_rps,
        points,
    })
}

async fn capacity(arguments: &Arguments, database: &Database, bar: &ProgressBar) -> Result<f64> {
    bar.set_message("what the pool can serve");
    bar.tick();
    let opened = database.pool().await?;
    let app = plain::routes(opened.pool.clone(), database.query);
    let duration = arguments.seconds.min(LONGEST_CAPACITY);
    let load = Load { warm_up: duration / 5, ..load(arguments, 0.0, duration) };
    let mut capacity = 0.0_f64;
    for _ in 0..CAPACITY_ROUNDS {
        capacity = capacity.max(closed_loop(&app, CLIENTS, load).await);
    }
    opened.close().await?;
    ensure!(capacity > 0.0, "the plain service answered nothing within {duration:?}");
    bar.inc(1);
    if bar.is_hidden() {
        eprintln!("the pool serves {capacity:.0} requests/s");
    }
    Ok(capacity)
}

async fn measure(
    arguments: &Arguments,
    database: &Database,
    arm: Arm,
    times: f64,
    rate: f64,
) -> Result<Figures> {
    let opened = database.pool().await?;
    let pool = opened.pool.clone();
    let app = match arm {
        Arm::Plain => plain::routes(pool, database.query),
        // A registry of its own, because the limiter of the run before may still be ending.
        Arm::Limited => service::routes(service::limiter(pool, &Registry::new())?, database.query),
    };
    let load = load(arguments, rate, arguments.seconds);
    let answered = open_loop(&app, load).await;
    Ok(Figures::new(arm, times, load.duration, &answered, opened.close().await?))
}

const fn load(arguments: &Arguments, rate: f64, duration: Duration) -> Load {
    let Arguments { two_connections, seed, .. } = *arguments;
    Load { rate, warm_up: WARM_UP, duration, two_connections, seed }
}

/// Draws nothing where stderr is not a terminal.
fn bar(arguments: &Arguments) -> ProgressBar {
    let steps = 1 + arguments.load.len() * Arm::BOTH.len();
    let template = "{bar:30} {pos} of {len}  {msg}";
    ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template(template).expect("the template is valid"))
}

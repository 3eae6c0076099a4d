//! What metrics cost: items of a microsecond with and without a name.

use std::{convert::Infallible, hint::black_box};

use floodway::fan_out::{FanOutExt, Name};
use floodway_metrics::Registry;
use tokio::time::Instant;

use super::{WIDTH, drain, in_a_task, runtime};
use crate::{
    measure::{Effort, race},
    report::Report,
};

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let name = Name::in_registry(&Registry::new(), "bench")?;
    let turns = turns_of_a_microsecond();
    let item = move |_: u32| async move {
        spin(turns);
        Ok::<_, Infallible>(())
    };
    let race = race(
        effort.shorter(20),
        vec![
            Box::new(|items| {
                let fan_out = (0..items).fan_out(item).concurrency(WIDTH);
                in_a_task(&runtime, drain(fan_out.name(&name).stream()));
            }),
            Box::new(|items| {
                let fan_out = (0..items).fan_out(item).concurrency(WIDTH);
                in_a_task(&runtime, drain(fan_out.stream()));
            }),
            // All of them at the end, where nothing waits for a consumer.
            Box::new(|items| {
                let fan_out = (0..items).fan_out(item).concurrency(WIDTH);
                let _ = black_box(in_a_task(&runtime, fan_out.name(&name).collect()));
            }),
            Box::new(|items| {
                let fan_out = (0..items).fan_out(item).concurrency(WIDTH);
                let _ = black_box(in_a_task(&runtime, fan_out.collect()));
            }),
            // What the items are on one thread, without a fan-out.
            Box::new(|items| (0..items).for_each(|_| spin(turns))),
        ],
    );
    let [on, off, collect_on, collect_off, alone] = [0, 1, 2, 3, 4];
    report.lower("fan_out.metrics.item_alone.ns", race.ns(alone), "ns", None);
    report.lower("fan_out.metrics_on.ns", race.ns(on), "ns", None);
    report.lower("fan_out.metrics_off.ns", race.ns(off), "ns", None);
    report.lower("fan_out.metrics_on_vs_off", race.ratio(on, off), "ratio", Some(1.1));
    report.lower("fan_out.metrics_off.collect.ns", race.ns(collect_off), "ns", None);
    let ratio = race.ratio(collect_on, collect_off);
    report.lower("fan_out.metrics_on_vs_off.collect", ratio, "ratio", Some(1.1));
    Ok(())
}

/// Not inlined, so that it takes as long wherever it is called.
#[inline(never)]
fn spin(turns: u32) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// The best of several tries: the others were interrupted.
fn turns_of_a_microsecond() -> u32 {
    const TURNS: u32 = 100_000;
    let tries = (0..20).map(|_| {
        let began = Instant::now();
        spin(TURNS);
        began.elapsed().as_secs_f64() * 1e6
    });
    let microseconds = tries.fold(f64::INFINITY, f64::min);
    (f64::from(TURNS) / microseconds) as u32
}

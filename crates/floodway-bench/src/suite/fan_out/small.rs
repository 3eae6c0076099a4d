//! A handful of items that are ready at once, beside `join_all`: what it costs to begin and to end.

use std::hint::black_box;

use floodway::{Chunking, fan_out::FanOutExt};
use futures::future::join_all;

use super::{in_a_task, ready, runtime};
use crate::{
    measure::{Effort, race},
    report::Report,
};

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    for items in [1_u64, 4, 8] {
        let race = race(
            effort.shorter(50),
            vec![
                Box::new(|iterations| {
                    in_a_task(&runtime, async move {
                        for _ in 0..iterations {
                            let _ = black_box((0..items).fan_out(ready).in_task().collect().await);
                        }
                    });
                }),
                Box::new(|iterations| {
                    in_a_task(&runtime, async move {
                        for _ in 0..iterations {
                            let fan_out = (0..items).fan_out(ready).chunks(Chunking::Adaptive);
                            let _ = black_box(fan_out.collect().await);
                        }
                    });
                }),
                Box::new(|iterations| {
                    in_a_task(&runtime, async move {
                        for _ in 0..iterations {
                            black_box(join_all((0..items).map(ready)).await);
                        }
                    });
                }),
            ],
        );
        let id = format!("fan_out.small.n{items}.over_join_all_ns");
        report.lower(id, race.difference(0, 2), "ns", Some(1_000.0));
        let id = format!("fan_out.small.spawned.n{items}.over_join_all_ns");
        report.lower(id, race.difference(1, 2), "ns", Some(1_000.0));
    }
    Ok(())
}

//! The classic of parallel collectors: 1,000 items that cost nothing, at growing concurrency.

use std::{hint::black_box, num::NonZeroUsize, sync::Arc};

use floodway::{Chunking, fan_out::FanOutExt};
use tokio::{
    runtime::Runtime,
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

use super::{in_a_task, ready, runtime};
use crate::{
    measure::{Contender, Effort, race},
    report::Report,
};

const ITEMS: u64 = 1_000;

const CONCURRENCIES: [usize; 4] = [1, 10, 100, 1_000];

/// Powers of two, and 1,000 divided by each concurrency. The best of them is the peer.
const CHUNKS: [usize; 13] = [1, 2, 4, 8, 10, 16, 32, 64, 100, 128, 256, 512, 1_000];

/// All in one race: each concurrency is beside the same peers, and beside the others.
pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let mut contenders = Vec::new();
    contenders.extend(CONCURRENCIES.map(|concurrency| loops(&runtime, move || ours(concurrency))));
    contenders.extend(
        CONCURRENCIES.map(|concurrency| loops(&runtime, move || semaphore_join_set(concurrency))),
    );
    contenders.extend(CHUNKS.map(|chunk| loops(&runtime, move || hand_chunked(chunk))));
    let race = race(effort.shorter(10_000), contenders);

    let by_hand = 2 * CONCURRENCIES.len();
    let best = race.best(by_hand..by_hand + CHUNKS.len());
    let chunk = CHUNKS[best - by_hand];
    report.lower("fan_out.identity_1000.hand_chunked.best_chunk", chunk as f64, "items", None);
    let id = "fan_out.identity_1000.hand_chunked.ns_per_item";
    report.lower(id, race.ns(best) / ITEMS as f64, "ns", None);
    for (place, concurrency) in CONCURRENCIES.into_iter().enumerate() {
        let prefix = format!("fan_out.identity_1000.c{concurrency}");
        let per_item = race.ns(place) / ITEMS as f64;
        report.lower(format!("{prefix}.ns_per_item"), per_item, "ns", None);
        let ratio = race.ratio(place, best);
        report.lower(format!("{prefix}.vs_hand_chunked"), ratio, "ratio", Some(1.5));
        let ratio = race.ratio(place, CONCURRENCIES.len() + place);
        report.lower(format!("{prefix}.vs_semaphore_joinset"), ratio, "ratio", Some(0.1));
    }
    let ratio = race.ratio(3, 1);
    report.lower("fan_out.identity_1000.c1000.vs_c10", ratio, "ratio", Some(1.1));
    Ok(())
}

fn loops<'a, F>(runtime: &'a Runtime, run: impl Fn() -> F + Copy + Send + 'static) -> Contender<'a>
where
    F: Future<Output = Vec<u64>> + Send,
{
    Box::new(move |iterations| {
        in_a_task(runtime, async move {
            for _ in 0..iterations {
                assert_eq!(black_box(run().await).len(), ITEMS as usize);
            }
        });
    })
}

async fn ours(concurrency: usize) -> Vec<u64> {
    let concurrency = NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN);
    let fan_out = (0..ITEMS).fan_out(ready).concurrency(concurrency);
    fan_out.chunks(Chunking::Adaptive).try_collect().await.unwrap_or_default()
}

/// A task for every chunk, joined in order.
async fn hand_chunked(chunk: usize) -> Vec<u64> {
    let items: Vec<u64> = (0..ITEMS).collect();
    let spawn = |chunk: &[u64]| -> JoinHandle<Vec<u64>> {
        let chunk = chunk.to_vec();
        tokio::spawn(async move {
            let mut values = Vec::with_capacity(chunk.len());
            for item in chunk {
                let Ok(value) = ready(item).await;
                values.push(value);
            }
            values
        })
    };
    let tasks: Vec<_> = items.chunks(chunk).map(spawn).collect();
    let mut values = Vec::with_capacity(items.len());
    for task in tasks {
        values.extend(task.await.unwrap_or_default());
    }
    values
}

/// What is written everywhere: a permit, a task, the values in order.
async fn semaphore_join_set(concurrency: usize) -> Vec<u64> {
    let semaphore = Arc::new(Semaphore::new(concurrency));
    let mut running = JoinSet::new();
    for item in 0..ITEMS {
        let Ok(permit) = Arc::clone(&semaphore).acquire_owned().await else {
            break;
        };
        running.spawn(async move {
            let Ok(value) = ready(item).await;
            drop(permit);
            (item, value)
        });
    }
    let mut values = vec![0; ITEMS as usize];
    while let Some(joined) = running.join_next().await {
        if let Ok((index, value)) = joined {
            values[index as usize] = value;
        }
    }
    values
}

//! Work of the processor, BLAKE3 of small and large buffers: beside rayon, and adaptive chunks
//! beside the best fixed ones.

use std::{convert::Infallible, hint::black_box, num::NonZeroUsize, sync::Arc, thread};

use blake3::Hash;
use floodway::{Chunking, fan_out::FanOutExt};
use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IntoParallelIterator, ParallelIterator},
};
use tokio::runtime::Runtime;

use super::{in_a_task, runtime};
use crate::{
    measure::{Contender, Effort, race},
    report::Report,
};

/// Name, bytes of a buffer, how many of them: each about the same time.
const WORKLOADS: [(&str, usize, usize); 3] =
    [("64B", 64, 16_384), ("1KB", 1_024, 4_096), ("64KB", 65_536, 256)];

type Buffers = Arc<[Box<[u8]>]>;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let threads = thread::available_parallelism()?.get();
    let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
    let runtime = runtime(2)?;
    let effort = Effort { iterations: 1, ..effort };
    let mut worst = 0_f64;
    for (name, bytes, count) in WORKLOADS {
        let buffers: Buffers = (0..count).map(|index| vec![index as u8; bytes].into()).collect();
        let ratio = workload(effort, report, (&runtime, &pool), name, &buffers);
        worst = worst.max(ratio);
    }
    report.lower("fan_out.blocking.blake3.vs_rayon", worst, "ratio", Some(1.15));
    Ok(())
}

/// Gives the ratio to rayon.
fn workload(
    effort: Effort,
    report: &mut Report,
    (runtime, pool): (&Runtime, &ThreadPool),
    name: &str,
    buffers: &Buffers,
) -> f64 {
    let sizes = || (0..).map(|power| 1_usize << power).take_while(|size| *size <= buffers.len());
    let sizes: Vec<NonZeroUsize> = sizes().filter_map(NonZeroUsize::new).collect();
    let mut contenders = vec![
        with_rayon(pool, buffers),
        known(runtime, buffers, Chunking::Adaptive),
        unknown(runtime, buffers, Chunking::Adaptive),
    ];
    contenders.extend(sizes.iter().map(|size| known(runtime, buffers, Chunking::Fixed(*size))));
    contenders.extend(sizes.iter().map(|size| unknown(runtime, buffers, Chunking::Fixed(*size))));
    let race = race(effort, contenders);

    let [rayon, adaptive, adaptive_unknown, fixed] = [0, 1, 2, 3];
    let fixed_unknown = fixed + sizes.len();
    let per_item = |contender| race.ns(contender) / buffers.len() as f64;
    let id = format!("fan_out.blocking.blake3.{name}.ns_per_item");
    report.lower(id, per_item(adaptive), "ns", None);
    let ratio = race.ratio(adaptive, rayon);
    report.lower(format!("fan_out.blocking.blake3.{name}.vs_rayon"), ratio, "ratio", None);

    let best = race.best(fixed..fixed_unknown);
    let prefix = format!("fan_out.chunks.blake3.{name}");
    let size = sizes[best - fixed].get() as f64;
    report.lower(format!("{prefix}.best_fixed"), size, "items", None);
    let value = race.ratio(adaptive, best);
    report.lower(format!("{prefix}.vs_best_fixed"), value, "ratio", Some(1.1));
    let best = race.best(fixed_unknown..fixed_unknown + sizes.len());
    let size = sizes[best - fixed_unknown].get() as f64;
    report.lower(format!("{prefix}.unknown_length.best_fixed"), size, "items", None);
    let value = race.ratio(adaptive_unknown, best);
    report.lower(format!("{prefix}.unknown_length.vs_best_fixed"), value, "ratio", Some(1.25));
    ratio
}

fn with_rayon<'a>(pool: &'a ThreadPool, buffers: &Buffers) -> Contender<'a> {
    let buffers = Arc::clone(buffers);
    Box::new(move |_| {
        let hash = |index: usize| blake3::hash(&buffers[index]);
        let hashes: Vec<Hash> =
            pool.install(|| (0..buffers.len()).into_par_iter().map(hash).collect());
        black_box(hashes);
    })
}

fn known<'a>(runtime: &'a Runtime, buffers: &Buffers, chunking: Chunking) -> Contender<'a> {
    let buffers = Arc::clone(buffers);
    Box::new(move |_| ours(runtime, &buffers, 0..buffers.len(), chunking))
}

fn unknown<'a>(runtime: &'a Runtime, buffers: &Buffers, chunking: Chunking) -> Contender<'a> {
    let buffers = Arc::clone(buffers);
    Box::new(move |_| ours(runtime, &buffers, Unknown(0..buffers.len()), chunking))
}

/// On as many threads as there are cores, which is the default.
fn ours(
    runtime: &Runtime,
    buffers: &Buffers,
    indices: impl Iterator<Item = usize> + Send + 'static,
    chunking: Chunking,
) {
    let buffers = Arc::clone(buffers);
    let hash = move |index: usize| Ok::<Hash, Infallible>(blake3::hash(&buffers[index]));
    let fan_out = indices.fan_out(hash).blocking().chunks(chunking);
    let hashes = in_a_task(runtime, fan_out.try_collect());
    assert!(black_box(hashes).is_ok());
}

/// Does not say how many there are.
struct Unknown<I>(I);

impl<I: Iterator> Iterator for Unknown<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

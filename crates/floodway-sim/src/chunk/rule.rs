//! The rules that choose sizes of chunks: ours and those of others.

use std::{num::NonZeroUsize, time::Duration};

use floodway_control::{Chunk, ChunkSizer, Chunking};

use super::Setting;

/// Chooses the size of each chunk of one fan-out.
pub trait Chunker {
    /// The next chunk; see [`ChunkSizer::next`].
    fn next(&mut self, remaining: Option<u64>) -> Chunk;
    /// What a chunk cost; see [`ChunkSizer::record`].
    fn record(&mut self, items: usize, time: Duration);
}

impl Chunker for ChunkSizer {
    fn next(&mut self, remaining: Option<u64>) -> Chunk {
        Self::next(self, remaining)
    }

    fn record(&mut self, items: usize, time: Duration) {
        Self::record(self, items, time);
    }
}

/// How chunks are sized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Always as many.
    Fixed(NonZeroUsize),
    /// Equal parts, so many for each worker: 1 as parallel-collectors, 4 as Python's
    /// `multiprocessing`. Wants the length.
    Parts(u32),
    /// What is left, divided by the workers ([Polychronopoulos and Kuck][gss]). Wants the length.
    ///
    /// [gss]: https://doi.org/10.1109/TC.1987.5009495
    Guided,
    /// Rounds of a chunk per worker, each with half of what is left ([Hummel et al.][fac]). Wants
    /// the length.
    ///
    /// [fac]: https://doi.org/10.1145/135226.135232
    Factoring,
    /// joblib's: doubles until a batch takes long enough, and back when it takes ten times that. Its
    /// 0.2 seconds, made for processes, are nineteen times the overhead here.
    Joblib,
    /// Nineteen times the overhead by the mean time of an item so far, doubling at most, and never
    /// cut short: what remains of ours without its slice.
    Target,
    /// [`Chunking::Adaptive`].
    Adaptive,
}

impl Rule {
    /// For people.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Fixed(items) => format!("{items}"),
            Self::Parts(1) => "N/P".to_owned(),
            Self::Parts(parts) => format!("N/{parts}P"),
            Self::Guided => "GSS".to_owned(),
            Self::Factoring => "FAC2".to_owned(),
            Self::Joblib => "joblib".to_owned(),
            Self::Target => "target time".to_owned(),
            Self::Adaptive => "Adaptive".to_owned(),
        }
    }

    /// Whether it can do without the length.
    #[must_use]
    pub const fn fits(self, setting: &Setting) -> bool {
        setting.known || !matches!(self, Self::Parts(_) | Self::Guided | Self::Factoring)
    }

    /// Begins a fan-out.
    #[must_use]
    pub fn start(self, setting: &Setting) -> Box<dyn Chunker> {
        let Setting { workers, overhead, .. } = *setting;
        let target = 19.0 * overhead.as_secs_f64();
        match self {
            Self::Fixed(items) => {
                Box::new(ChunkSizer::new(Chunking::Fixed(items), workers, overhead))
            }
            Self::Adaptive => Box::new(ChunkSizer::new(Chunking::Adaptive, workers, overhead)),
            Self::Parts(parts) => Box::new(Rounds {
                round: u64::MAX,
                part: workers.get() as u64 * u64::from(parts),
                ..Rounds::default()
            }),
            Self::Guided => {
                Box::new(Rounds { round: 1, part: workers.get() as u64, ..Rounds::default() })
            }
            Self::Factoring => Box::new(Rounds {
                round: workers.get() as u64,
                part: 2 * workers.get() as u64,
                ..Rounds::default()
            }),
            Self::Joblib => Box::new(Joblib { target, items: 1, duration: 0.0 }),
            Self::Target => Box::new(Target { target, last: 1, time: 0.0, items: 0.0 }),
        }
    }
}

fn chunk(items: u64) -> Chunk {
    let items = NonZeroUsize::new(items as usize).unwrap_or(NonZeroUsize::MIN);
    Chunk { items, slice: None }
}

/// Rounds of equal chunks, each the `part`th part of what there was when the round began.
#[derive(Default)]
struct Rounds {
    round: u64,
    part: u64,
    left: u64,
    items: u64,
}

impl Chunker for Rounds {
    fn next(&mut self, remaining: Option<u64>) -> Chunk {
        let remaining = remaining.unwrap_or(1);
        if self.left == 0 {
            self.left = self.round;
            self.items = remaining.div_ceil(self.part);
        }
        self.left -= 1;
        chunk(self.items.min(remaining))
    }

    fn record(&mut self, _: usize, _: Duration) {}
}

/// `AutoBatchingMixin` of [joblib](https://github.com/joblib/joblib).
struct Joblib {
    target: f64,
    items: u64,
    /// Of batches of the current size alone; 0 before the first.
    duration: f64,
}

impl Chunker for Joblib {
    fn next(&mut self, _: Option<u64>) -> Chunk {
        let ideal = 2 * (self.items as f64 * self.target / self.duration) as u64;
        let before = self.items;
        if self.duration > 0.0 && self.duration < self.target {
            self.items = ideal.min(2 * self.items).max(1);
        } else if self.duration > 10.0 * self.target && self.items > 1 {
            self.items = ideal.max(1);
        }
        if self.items != before {
            self.duration = 0.0;
        }
        chunk(self.items)
    }

    fn record(&mut self, items: usize, time: Duration) {
        if items as u64 == self.items {
            let time = time.as_secs_f64();
            let duration = self.duration;
            self.duration = if duration == 0.0 { time } else { 0.8 * duration + 0.2 * time };
        }
    }
}

struct Target {
    target: f64,
    last: u64,
    time: f64,
    items: f64,
}

impl Chunker for Target {
    fn next(&mut self, _: Option<u64>) -> Chunk {
        if self.time > 0.0 {
            let items = (self.target * self.items / self.time).ceil();
            self.last = (items as u64).min(2 * self.last).max(1);
        }
        chunk(self.last)
    }

    fn record(&mut self, items: usize, time: Duration) {
        self.items = 0.8 * self.items + 0.2 * items as f64;
        self.time = 0.8 * self.time + 0.2 * time.as_secs_f64();
    }
}

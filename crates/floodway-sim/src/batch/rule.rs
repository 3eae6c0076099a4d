//! The rules that say when a batch goes and how large it is: ours and those of others.

mod bento;
mod clipper;
mod joblib;

use std::{fmt, time::Duration};

use floodway_control::{
    BatchConfig, BatchDecision, BatchQueue, BatchRun, BatchSizer, BatchTrigger, Dispatch,
};

use super::{MAX_SIZE, Setting};

/// A batch that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When that was.
    pub now: Duration,
    /// Its items.
    pub items: usize,
    /// From when it was sent.
    pub time: Duration,
    /// How long its oldest item had waited before it was sent.
    pub wait: Duration,
    /// Ours.
    pub run: Option<BatchRun>,
}

/// Decides while a slot is free and at least one item waits.
pub trait Batcher: fmt::Debug {
    /// What to do; see [`BatchSizer::decide`]. `newest` is when the last of the queue arrived.
    fn decide(&mut self, now: Duration, queue: &BatchQueue, newest: Duration) -> BatchDecision;

    /// A batch goes; see [`BatchSizer::dispatched`].
    fn dispatched(&mut self, _now: Duration, _: Dispatch, _items: usize) -> Option<BatchRun> {
        None
    }

    /// A batch was answered.
    fn record(&mut self, _answer: Answer) {}

    /// Ours.
    fn sizer(&self) -> Option<&BatchSizer> {
        None
    }
}

/// How items are batched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// At most so many; waits for them as long, counted from the arrival of the oldest.
    Fixed {
        /// Items.
        size: usize,
        /// Longest wait while a slot is free.
        linger: Duration,
    },
    /// joblib's, with nineteen times the true overhead for its 0.2 seconds, which were made for
    /// processes.
    Joblib,
    /// BentoML's dispatcher, without its shedding.
    Bento,
    /// The additive increase and multiplicative decrease of [Clipper].
    ///
    /// [Clipper]: https://www.usenix.org/conference/nsdi17/technical-sessions/presentation/crankshaw
    Clipper,
    /// [`BatchSizer`] with its defaults.
    Adaptive,
}

impl Rule {
    /// Every item on its own.
    pub const UNBATCHED: Self = Self::Fixed { size: 1, linger: Duration::ZERO };
    /// All that waits when a slot is free.
    pub const NATURAL: Self = Self::Fixed { size: MAX_SIZE, linger: Duration::ZERO };

    /// For people.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::UNBATCHED => "unbatched".to_owned(),
            Self::NATURAL => "natural".to_owned(),
            Self::Fixed { size, linger } => {
                format!("{size} items, {} ms", linger.as_secs_f64() * 1e3)
            }
            Self::Joblib => "joblib".to_owned(),
            Self::Bento => "BentoML".to_owned(),
            Self::Clipper => "Clipper".to_owned(),
            Self::Adaptive => "Adaptive".to_owned(),
        }
    }

    /// All fixed sizes with all lingers.
    #[must_use]
    pub fn sweep() -> Vec<Self> {
        let lingers = [0, 500, 1_000, 2_000, 5_000, 10_000].map(Duration::from_micros);
        let sizes = (0..=10).map(|power| 1 << power);
        let all = sizes.flat_map(|size| lingers.map(|linger| Self::Fixed { size, linger }));
        // One item waits for nobody.
        all.filter(|rule| match rule {
            Self::Fixed { size, linger } => *size > 1 || linger.is_zero(),
            _ => true,
        })
        .collect()
    }

    /// Begins.
    #[must_use]
    pub fn start(self, setting: &Setting) -> Box<dyn Batcher> {
        match self {
            Self::Fixed { size, linger } => Box::new(Fixed { size, linger }),
            Self::Joblib => Box::new(joblib::Joblib::new(setting.cost.overhead)),
            Self::Bento => Box::new(bento::Bento::new()),
            Self::Clipper => Box::new(clipper::Clipper::new(setting.objective)),
            Self::Adaptive => Box::new(Ours::new(setting)),
        }
    }
}

fn dispatch(items: usize) -> BatchDecision {
    BatchDecision::Dispatch(Dispatch { items, trigger: BatchTrigger::Size, probe: false })
}

#[derive(Debug)]
struct Fixed {
    size: usize,
    linger: Duration,
}

impl Batcher for Fixed {
    fn decide(&mut self, now: Duration, queue: &BatchQueue, _: Duration) -> BatchDecision {
        let until = queue.oldest + self.linger;
        if queue.queued >= self.size || now >= until {
            return dispatch(self.size);
        }
        BatchDecision::Wait { items: self.size, until }
    }
}

#[derive(Debug)]
struct Ours(BatchSizer);

impl Ours {
    fn new(setting: &Setting) -> Self {
        let config = BatchConfig { latency_objective: setting.objective, ..BatchConfig::default() };
        Self(BatchSizer::new(config).expect("the defaults are valid"))
    }
}

impl Batcher for Ours {
    fn decide(&mut self, now: Duration, queue: &BatchQueue, _: Duration) -> BatchDecision {
        self.0.decide(now, queue)
    }

    fn dispatched(&mut self, now: Duration, dispatch: Dispatch, items: usize) -> Option<BatchRun> {
        Some(self.0.dispatched(now, dispatch, items, 0))
    }

    fn record(&mut self, answer: Answer) {
        if let Some(run) = answer.run {
            self.0.record(answer.now, run);
        }
    }

    fn sizer(&self) -> Option<&BatchSizer> {
        Some(&self.0)
    }
}

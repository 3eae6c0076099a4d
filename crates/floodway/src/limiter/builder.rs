//! The description of a limiter, checked as a whole when it is built.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use floodway_control::{AnchoredGradient, Controller, Fixed, LimitAlgorithm};
use floodway_metrics::{ComponentKind, Registry, Source};

use super::{
    Ceiling, Instrumentation, Limiter, MAX_PERMITS, Mode, Queue,
    cells::Cells,
    core::{Control, Core},
    partition::Partitions,
};
use crate::{BuildError, Clock};

/// The range of an adaptive limit that was given none: that of Netflix's `VegasLimit`.
const DEFAULT_BOUNDS: (u32, u32) = (1, 1_000);

/// Describes a [`Limiter`]. Made by [`Limiter::builder`].
#[must_use]
pub struct LimiterBuilder {
    name: String,
    algorithm: Option<Box<dyn LimitAlgorithm>>,
    bounds: Option<(u32, u32)>,
    queue: Queue,
    partitions: Vec<(String, f64)>,
    mode: Mode,
    ceilings: Vec<Ceiling>,
    instrumentation: Instrumentation,
    clock: Clock,
    registry: Registry,
}

impl LimiterBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            algorithm: None,
            bounds: None,
            queue: Queue::default(),
            partitions: Vec::new(),
            mode: Mode::default(),
            ceilings: Vec::new(),
            instrumentation: Instrumentation::default(),
            clock: Clock::default(),
            registry: Registry::global().clone(),
        }
    }

    /// A constant limit of `limit` permits, 1 to [`MAX_PERMITS`]; short for
    /// `algorithm(Fixed::new(limit))`.
    pub fn limit(self, limit: u32) -> Self {
        self.algorithm(Fixed::new(limit))
    }

    /// What decides the limit. Without one, the ceilings alone do; without ceilings,
    /// [`AnchoredGradient`], which finds it from latencies and failures.
    pub fn algorithm(mut self, algorithm: impl LimitAlgorithm) -> Self {
        self.algorithm = Some(Box::new(algorithm));
        self
    }

    /// The range in which the limit may move, in permits; by default 1 to 1,000 for an adaptive
    /// algorithm and 1 to [`MAX_PERMITS`] for a constant one. A ceiling may still press the limit
    /// below the minimum.
    pub fn bounds(mut self, bounds: RangeInclusive<u32>) -> Self {
        self.bounds = Some((*bounds.start(), *bounds.end()));
        self
    }

    /// Where callers wait; by default [`Queue::fifo`].
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// Adds a partition that can count on the part `guarantee` (0 to 1) of the limit and of the
    /// queue, whatever callers of other partitions do. What a partition does not use others may
    /// borrow, and get no more of it once its callers wait. Take permits with
    /// [`Limiter::partition`].
    ///
    /// What remains belongs to the partition `default`, which is whoever uses the limiter itself.
    pub fn partition(mut self, name: impl Into<String>, guarantee: f64) -> Self {
        self.partitions.push((name.into(), guarantee));
        self
    }

    /// Whether the limit is enforced from the start; by default it is.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Adds an outer bound; the lowest applies.
    pub fn ceiling(mut self, ceiling: Ceiling) -> Self {
        self.ceilings.push(ceiling);
        self
    }

    /// How much is measured; by default everything.
    pub fn instrumentation(mut self, instrumentation: Instrumentation) -> Self {
        self.instrumentation = instrumentation;
        self
    }

    /// What durations are measured with; by default the processor's time-stamp counter.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where the metrics are registered; by default [`Registry::global`].
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = registry.clone();
        self
    }

    /// Builds the limiter.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the first field that cannot be used and its value.
    pub fn build(self) -> Result<Limiter, BuildError> {
        let registry = self.registry.clone();
        let cells = Arc::new(Cells::new(self.instrumentation));
        let core = self.into_core(cells)?;
        let source: Arc<dyn Source> = Arc::clone(&core) as _;
        registry.register(ComponentKind::Limiter, core.name(), &source)?;
        Ok(Limiter { core, partition: 0 })
    }

    /// A limiter whose numbers are nobody's business: a part of something else that has its own.
    pub(crate) fn build_unlisted(self) -> Result<Limiter, BuildError> {
        let cells = Arc::new(Cells::new(self.instrumentation));
        Ok(Limiter { core: self.into_core(cells)?, partition: 0 })
    }

    /// A limiter that counts in `cells` and is not registered.
    pub(super) fn into_core(self, cells: Arc<Cells>) -> Result<Arc<Core>, BuildError> {
        self.queue.check()?;
        let partitions = Partitions::new(self.partitions)?;
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None if self.ceilings.is_empty() => Box::new(AnchoredGradient::default()),
            None => Box::new(Fixed::new(MAX_PERMITS)),
        };
        algorithm.check()?;
        let adaptive = algorithm.window().is_some();
        if adaptive && self.instrumentation == Instrumentation::Counts {
            return Err(BuildError::Unmeasured);
        }
        let default_bounds = if adaptive { DEFAULT_BOUNDS } else { (1, MAX_PERMITS) };
        let bounds = self.bounds.unwrap_or(default_bounds);
        check_limit(algorithm.initial_limit(), bounds)?;
        let control = Control {
            controller: Controller::new(algorithm, bounds),
            bounded: adaptive || self.bounds.is_some(),
            ceilings: self.ceilings,
            mode: self.mode,
        };
        let core =
            Arc::new(Core::new(self.name, &self.queue, partitions, cells, self.clock, control));
        core.born();
        core.attach_ceilings();
        Ok(core)
    }
}

/// The bounds, and the limit to begin with, unless the controller is to choose it.
fn check_limit(limit: Option<f64>, (min, max): (u32, u32)) -> Result<(), BuildError> {
    if min > max {
        return Err(BuildError::EmptyBounds { min, max });
    }
    for bound in [min, max] {
        in_range("bounds", f64::from(bound), (1, MAX_PERMITS))?;
    }
    limit.map_or(Ok(()), |limit| in_range("limit", limit, (min, max)))
}

fn in_range(field: &'static str, value: f64, (min, max): (u32, u32)) -> Result<(), BuildError> {
    // Written so that NaN is out of range.
    if value >= f64::from(min) && value <= f64::from(max) {
        Ok(())
    } else {
        Err(BuildError::OutOfRange { field, value, min, max })
    }
}

impl fmt::Debug for LimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterBuilder")
            .field("name", &self.name)
            .field("bounds", &self.bounds)
            .field("queue", &self.queue)
            .field("partitions", &self.partitions)
            .field("mode", &self.mode)
            .field("ceilings", &self.ceilings)
            .field("instrumentation", &self.instrumentation)
            .finish_non_exhaustive()
    }
}

//! Bounds the async work of a tokio service and shows why it is bounded where it is.
//!
//! - [`Limiter`]: who may run now. A fixed or adaptive limit, a wait queue bounded by length and
//!   by deadline, typed rejections.
//! - [`fan_out`]: many operations at once, bounded, with one outcome for every item.
//! - [`Batcher`]: many calls become few, of a size that follows from what a batch costs.
//! - [`PoolLimiter`]: a limiter whose limit is what a connection pool can really give.
//!
//! Every component keeps its numbers from birth and registers them in a
//! [`Registry`], which `floodway-exporter` turns into a Prometheus page.
//!
//! ```
//! use floodway::{Limiter, Queue};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reports = Limiter::builder("reports")
//!     .limit(8)
//!     .queue(Queue::fifo().capacity(100).max_wait(Duration::from_millis(250)))
//!     .build()?;
//! let answer = reports.run(async { 6 * 7 }).await?;
//! assert_eq!(answer, 42);
//! # Ok(())
//! # }
//! ```

mod admission;
pub mod batcher;
mod clock;
mod error;
pub mod fan_out;
mod limiter;
mod panic;
mod pool;
mod sync;

pub use batcher::{BatchError, BatchRejected, Batcher, OnBatchError};
pub use clock::Clock;
pub use error::{BuildError, LimitError, UnknownMode, UnknownPartition};
pub use floodway_control::sizing;
pub use floodway_control::{
    Aimd, AnchoredGradient, BatchBound, BatchEstimate, BatchSizing, BatchTarget, BatchTrigger,
    Chunk, ChunkEstimate, ChunkSizer, Chunking, Decision, Direction, Discipline, Estimates, Fixed,
    Gradient2, HoldBand, InvalidParameter, LimitAlgorithm, Outcome, POOL_BANDS, PoolEvidence,
    PoolReport, PoolVerdict, Priority, ProbeResult, Reason, Sample, Vegas, Window, WindowConfig,
};
pub use floodway_metrics::{Adjustable, Registry};
pub use limiter::{
    Acquire, Acquiring, Ceiling, CeilingTerm, Entered, Instrumentation, Limiter, LimiterBuilder,
    LimiterHandle, LimiterMap, LimiterMapBuilder, MAX_PERMITS, Mode, Permit, Queue, RejectReason,
    Rejected,
};
pub use panic::Panic;
pub use pool::{
    Claim, ConnectionError, Connects, NestedAcquire, Pool, PoolCause, PoolFailure, PoolLimiter,
    PoolLimiterBuilder, PoolRejected, PoolSnapshot, PoolSurvey, Pooled, Weight,
};

/// Compiles and runs the examples of the guide. A doctest alone: the guide is not in the package.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/fan-out.md")]
struct FanOutGuide;

/// As [`FanOutGuide`].
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/batching.md")]
struct BatchingGuide;

//! Bounds the async work of a tokio service and shows why it is bounded where it is.
//!
//! - [`Limiter`]: who may run now. A fixed or adaptive limit, a wait queue bounded by length and
//!   by deadline, typed rejections.
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

mod clock;
mod error;
mod fan_out;
mod limiter;
mod pool;
mod sync;

pub use clock::Clock;
pub use error::{BuildError, LimitError, UnknownPartition};
pub use floodway_control::{
    Aimd, AnchoredGradient, Decision, Direction, Discipline, Estimates, Fixed, Gradient2,
    InvalidParameter, LimitAlgorithm, Outcome, Priority, ProbeResult, Reason, Sample, Vegas,
    Window, WindowConfig,
};
pub use floodway_metrics::Registry;
pub use limiter::{
    Acquire, Acquiring, Ceiling, Entered, Instrumentation, Limiter, LimiterBuilder, LimiterHandle,
    LimiterMap, LimiterMapBuilder, MAX_PERMITS, Mode, Permit, Queue, RejectReason, Rejected,
};
pub use pool::{ConnectionError, Pool, PoolLimiter, PoolLimiterBuilder, PoolSnapshot, Pooled};

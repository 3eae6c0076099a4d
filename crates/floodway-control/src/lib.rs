//! Pure decisions for bounding async work: how many operations may run at once.
//!
//! Nothing in this crate reads a clock, performs I/O or knows of a runtime. Time comes in as a
//! [`Duration`](std::time::Duration) since an origin of the caller's choice, so that production,
//! tests and simulations run the same code.
//!
//! - [`Controller`] turns [`Sample`]s into a limit: it gathers them into [`Window`]s, which a
//!   [`LimitAlgorithm`] reads: [`AnchoredGradient`], [`Vegas`],
//!   [`Gradient2`], [`Aimd`], [`Fixed`].
//! - [`PoolCeiling`] derives the limit that a connection pool can really give, and [`ConnectHealth`]
//!   how many may try while connecting fails; [`PoolReport`] says whether a pool has the right size.
//! - [`ChunkSizer`] says how many items of a fan-out a worker takes at once.
//! - [`BatchSizer`] says how many items go into one batch, and when it goes.
//! - [`fleet`] shares one budget among replicas, with leases.
//! - [`sizing`] has formulas to start from, and how parallel a run was.

mod batch;
mod chunk;
mod controller;
mod decision;
mod estimates;
pub mod fleet;
mod limit;
mod pool;
mod queue;
mod sample;
pub mod sizing;
mod window;

pub use batch::{
    BatchBound, BatchConfig, BatchDecision, BatchEstimate, BatchQueue, BatchRun, BatchSizer,
    BatchSizing, BatchTarget, BatchTrigger, Dispatch,
};
pub use chunk::{Chunk, ChunkEstimate, ChunkSizer, Chunking};
pub use controller::Controller;
pub use decision::{Decision, Direction, Reason};
pub use estimates::{Estimates, ProbeResult};
pub use limit::{
    Aimd, AnchoredGradient, Fixed, Gradient2, InvalidParameter, LimitAlgorithm, Vegas,
};
pub use pool::{
    ConnectHealth, HoldBand, POOL_BANDS, PoolCeiling, PoolEvidence, PoolReport, PoolUse,
    PoolVerdict,
};
pub use queue::{
    Class, Discipline, Next, Priority, QueueConfig, Refusal, Ticket, Verdict, WaitQueue,
    WaitRequest,
};
pub use sample::{Outcome, Sample};
pub use window::{Window, WindowConfig};

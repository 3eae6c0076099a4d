//! Pure decisions for bounding async work: how many operations may run at once.
//!
//! Nothing in this crate reads a clock, performs I/O or knows of a runtime. Time comes in as a
//! [`Duration`](std::time::Duration) since an origin of the caller's choice, so that production,
//! tests and simulations run the same code.
//!
//! - [`LimitAlgorithm`] turns [`Window`]s of measurements into a limit: [`Fixed`], [`Aimd`].
//! - [`WindowCollector`] gathers [`Sample`]s into windows.
//! - [`PoolCeiling`] derives the limit that a connection pool can really give.

mod limit;
mod pool;
mod sample;
mod window;

pub use limit::{Aimd, Decision, Fixed, InvalidParameter, LimitAlgorithm};
pub use pool::{PoolCeiling, PoolUse};
pub use sample::{Outcome, Sample};
pub use window::{Window, WindowCollector, WindowConfig};

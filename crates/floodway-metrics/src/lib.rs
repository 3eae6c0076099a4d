//! What Floodway measures: the catalogue, the cells, the registry and the snapshot.
//!
//! Components own their numbers. Each keeps atomic cells from its birth, so no update is lost
//! because a recorder was installed late, and registers itself as a [`Source`] in a [`Registry`].
//! Exporters read a [`Snapshot`] whenever somebody asks; nothing is pushed.
//!
//! - [`CATALOGUE`] lists every metric as data; documentation and dashboards are generated from it.
//! - [`Counter`], [`Gauge`], [`Histogram`] and [`Integral`] are the cells.
//! - [`Registry`] knows the live components, [`Registry::snapshot`] reads them all.

mod adjust;
mod buckets;
pub mod catalogue;
mod cell;
mod exemplar;
mod registry;
mod snapshot;
mod wall_clock;

pub use adjust::Adjustable;
pub use buckets::{Buckets, BucketsError};
pub use catalogue::{CATALOGUE, ComponentKind, Kind, Label, Metric, Unit};
pub use cell::{Counter, Gauge, Histogram, Integral};
pub use exemplar::{Exemplar, TraceContext, TraceSource, set_trace_source};
pub use registry::{MAX_NAME_LEN, MAX_NAMES_PER_KIND, OTHER, RegisterError, Registry};
pub use snapshot::{Collector, Family, HistogramValue, Series, Snapshot, Source, Value};

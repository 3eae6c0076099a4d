//! Every metric as data, from which documentation, dashboards and tests are made.
//!
//! Conventions, after the Prometheus naming guide: one prefix, base units (seconds, ratios of 0 to
//! 1), the unit as the last part of the name before `_total`, and a sum over the labels means
//! something. A label value is one of a closed list or the name of a component; all values of a
//! closed label exist, at zero, from a component's birth
//! (<https://github.com/prometheus/prometheus/issues/5355>).

use crate::Buckets;

pub mod batcher;
pub mod exporter;
pub mod fan_out;
pub mod fleet;
pub mod limiter;
pub mod pool;

/// Every metric, in the order in which it is exported and documented.
pub static CATALOGUE: &[&Metric] = &[
    &limiter::LIMIT,
    &limiter::LIMIT_MIN,
    &limiter::LIMIT_MAX,
    &limiter::MODE_INFO,
    &limiter::KEYS,
    &limiter::OVERFLOWED,
    &limiter::IN_FLIGHT,
    &limiter::QUEUED,
    &limiter::QUEUE_CAPACITY,
    &limiter::PERMIT_SECONDS,
    &limiter::QUEUED_SECONDS,
    &limiter::SATURATED_SECONDS,
    &limiter::ACQUIRED,
    &limiter::REJECTED,
    &limiter::SHADOW_REJECTED,
    &limiter::CANCELLED,
    &limiter::NESTED,
    &limiter::COMPLETED,
    &limiter::LIMIT_CHANGES,
    &limiter::WINDOWS,
    &limiter::LIMITED,
    &limiter::BASELINE_LATENCY,
    &limiter::WINDOW_LATENCY,
    &limiter::BACKEND_QUEUE,
    &limiter::INVALID_LIMITS,
    &limiter::PROBING,
    &limiter::PROBES,
    &limiter::WAIT_DURATION,
    &limiter::HOLD_DURATION,
    &pool::CONNECTIONS,
    &pool::CONNECTIONS_MAX,
    &pool::CONNECTIONS_RESERVED,
    &pool::CONNECTIONS_FOREIGN,
    &pool::LIMIT,
    &pool::PENDING_REQUESTS,
    &pool::REJECTIONS,
    &pool::ABANDONED,
    &pool::IMPLAUSIBLE,
    &pool::TIMEOUTS,
    &pool::ERRORS,
    &pool::CONNECTING,
    &pool::CONNECT_FAILURES,
    &pool::TRIMMED,
    &pool::CLAIMS,
    &pool::OLDEST_HOLD,
    &pool::WAIT_DURATION,
    &pool::USE_DURATION,
    &pool::CONNECT_DURATION,
    &fleet::BUDGET,
    &fleet::MARGIN,
    &fleet::GRANTED,
    &fleet::FLOOR,
    &fleet::HELD,
    &fleet::WANTED,
    &fleet::OUTSTANDING,
    &fleet::UNFENCED,
    &fleet::REPLICAS,
    &fleet::HUNGRY_REPLICAS,
    &fleet::LEASE_INFO,
    &fleet::LEASE_AGE,
    &fleet::LEASE_REMAINING,
    &fleet::BUDGET_DISAGREEMENT,
    &fleet::RENEWALS,
    &fleet::GRANT_CHANGES,
    &fleet::LAPSES,
    &fleet::FENCED_CONNECTIONS,
    &fleet::FENCE_FAILURES,
    &fleet::RENEWAL_DURATION,
    &fan_out::CALLS,
    &fan_out::RUNNING_CALLS,
    &fan_out::ITEMS_STARTED,
    &fan_out::ITEMS_PROCESSED,
    &fan_out::IN_FLIGHT_ITEMS,
    &fan_out::BUSY_SECONDS,
    &fan_out::RETRIES,
    &fan_out::HEDGES,
    &fan_out::WIDTH,
    &fan_out::CHUNK,
    &fan_out::DURATION,
    &fan_out::ITEM_DURATION,
    &fan_out::STRAGGLER,
    &fan_out::WAKE_DELAY,
    &batcher::TARGET,
    &batcher::BOUND_ITEMS,
    &batcher::BINDING_BOUND_INFO,
    &batcher::QUEUED,
    &batcher::QUEUE_CAPACITY,
    &batcher::IN_FLIGHT,
    &batcher::IN_FLIGHT_LIMIT,
    &batcher::FIXED_COST,
    &batcher::ITEM_COST,
    &batcher::MODEL_RESIDUAL,
    &batcher::MODEL_PAIRS,
    &batcher::MAX_WEIGHT,
    &batcher::FLUSHES,
    &batcher::BATCHES,
    &batcher::ITEMS,
    &batcher::REJECTED,
    &batcher::OVERHEAD,
    &batcher::WORK,
    &batcher::OVERHEAD_AVOIDED,
    &batcher::SPLITS,
    &batcher::RETRIES,
    &batcher::TARGET_CHANGES,
    &batcher::MODEL_RESETS,
    &batcher::BATCH_ITEMS,
    &batcher::EXECUTE_DURATION,
    &batcher::WAIT_DURATION,
    &exporter::SERIES,
    &exporter::OVERFLOW,
    &exporter::RENDER_DURATION,
    &exporter::SCRAPES,
    &exporter::REFUSED,
    &exporter::EXPORTS,
    &exporter::BUILD_INFO,
];

/// One metric: what it is called, what it means, and every label value it can have.
#[derive(Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The full name, as exported.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The kind of component that has it, which also names the first label.
    pub component: ComponentKind,
    /// What one unit of the value is.
    pub unit: Unit,
    /// One sentence for `# HELP` and the documentation.
    pub help: &'static str,
    /// The closed labels, beside the component's name.
    pub labels: &'static [&'static Label],
    /// The OpenTelemetry name, where the semantic conventions have one.
    pub otel: Option<&'static str>,
}

impl Metric {
    /// How many series one component has of it on a page in the Prometheus text format.
    #[must_use]
    pub fn series(&self) -> usize {
        let combinations: usize = self.labels.iter().map(|label| label.values.len()).product();
        let lines = match self.kind {
            // A line for every bound, `+Inf`, the sum and the count.
            Kind::Histogram(buckets) => buckets.bounds.len() + 3,
            Kind::Counter | Kind::Gauge => 1,
        };
        combinations * lines
    }
}

/// The type of a metric.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows while its component lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in fixed buckets.
    Histogram(&'static Buckets),
}

impl Kind {
    /// The word of the Prometheus text format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Which component a metric belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ComponentKind {
    /// A limiter; label `limiter`.
    Limiter,
    /// A connection pool behind a limiter; label `pool`.
    Pool,
    /// A lease of a fleet's budget; label `budget`.
    Fleet,
    /// Fan-outs of one name; label `fan_out`.
    FanOut,
    /// A batcher; label `batcher`.
    Batcher,
    /// The exporter itself; no label, there is one per registry.
    Exporter,
}

impl ComponentKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Limiter, Self::Pool, Self::Fleet, Self::FanOut, Self::Batcher, Self::Exporter];

    /// The word for this kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limiter => "limiter",
            Self::Pool => "pool",
            Self::Fleet => "fleet",
            Self::FanOut => "fan_out",
            Self::Batcher => "batcher",
            Self::Exporter => "exporter",
        }
    }

    /// Most series that one component of this kind may have, as counted by [`Metric::series`]. A
    /// page has at most [`MAX_NAMES_PER_KIND`](crate::MAX_NAMES_PER_KIND) components of a kind and
    /// the one of all others.
    #[must_use]
    pub const fn series_budget(self) -> usize {
        match self {
            Self::Limiter => 140,
            Self::Pool => 100,
            Self::Fleet => 60,
            Self::FanOut | Self::Batcher => 130,
            Self::Exporter => 40,
        }
    }

    /// The label that carries the component's name, if it has one.
    #[must_use]
    pub const fn label(self) -> Option<&'static str> {
        match self {
            // A fleet has no name of its own: what it shares has.
            Self::Fleet => Some("budget"),
            Self::Exporter => None,
            named => Some(named.as_str()),
        }
    }
}

/// The unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// The right to run one operation.
    Permits,
    /// Connections of a pool.
    Connections,
    /// Callers, requests.
    Requests,
    /// Calls of a fan-out, each over all of its items.
    Calls,
    /// Inputs of a fan-out or of a batcher.
    Items,
    /// Items that a batcher sends as one.
    Batches,
    /// Pairs of batches whose times are compared.
    Pairs,
    /// Whatever the caller weighs in: bytes, parameters.
    Weight,
    /// Things that happened.
    Events,
    /// Keys of a map.
    Keys,
    /// Processes that share a budget.
    Replicas,
    /// A share of something, or a multiple of it.
    Ratio,
    /// 0 or 1.
    Boolean,
    /// Time series.
    Series,
    /// Always 1; the labels carry the information.
    Info,
}

impl Unit {
    /// The word for this unit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Permits => "permits",
            Self::Connections => "connections",
            Self::Requests => "requests",
            Self::Calls => "calls",
            Self::Items => "items",
            Self::Batches => "batches",
            Self::Pairs => "pairs",
            Self::Weight => "weight",
            Self::Events => "events",
            Self::Keys => "keys",
            Self::Replicas => "replicas",
            Self::Ratio => "ratio",
            Self::Boolean => "boolean",
            Self::Series => "series",
            Self::Info => "info",
        }
    }
}

/// A label with every value it can have.
#[derive(Debug)]
#[non_exhaustive]
pub struct Label {
    /// The name.
    pub name: &'static str,
    /// The values, closed.
    pub values: &'static [&'static str],
}

/// Starts the table of one component's metrics.
macro_rules! metrics {
    ($component:ident; $($(#[doc = $help:literal])+ $ident:ident = $name:literal, $kind:expr, $unit:ident $(, labels: $labels:expr)? $(, otel: $otel:literal)?;)+) => {
        $(
            $(#[doc = $help])+
            pub static $ident: $crate::Metric = $crate::Metric {
                name: concat!("floodway_", $name),
                kind: $kind,
                component: $crate::ComponentKind::$component,
                unit: $crate::Unit::$unit,
                // The doc comment is the help text, so the two cannot differ.
                help: $crate::catalogue::trimmed(concat!($($help),+)),
                labels: { let labels: &[&$crate::Label] = &[]; $(let _ = labels; let labels: &[&$crate::Label] = $labels;)? labels },
                otel: { let otel: Option<&'static str> = None; $(let _ = otel; let otel = Some($otel);)? otel },
            };
        )+
    };
}
use metrics;

/// Drops the space that follows `///`.
const fn trimmed(help: &'static str) -> &'static str {
    help.trim_ascii()
}

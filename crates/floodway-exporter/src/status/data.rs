//! The numbers of the status page: one row for each component.

mod fleet;

pub(super) use fleet::FleetRow;
use fleet::fleet_row;
use floodway_metrics::{
    ComponentKind, Snapshot,
    catalogue::{
        batcher, fan_out,
        limiter::{self, MODE, MODE_INFO},
        pool,
    },
};
use serde::Serialize;

use super::change::{Change, Components, Labelled, changes};

/// Every component, as it is now and as it was during the last seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Rows {
    /// How many seconds.
    #[serde(skip)]
    pub(super) seconds: f64,
    pub(super) limiters: Vec<LimiterRow>,
    pub(super) fan_outs: Vec<FanOutRow>,
    pub(super) batchers: Vec<BatcherRow>,
    pub(super) pools: Vec<PoolRow>,
    pub(super) leases: Vec<FleetRow>,
}

impl Rows {
    /// What happened in the `seconds` between `earlier` and `now`.
    pub(super) fn between(earlier: &Snapshot, now: &Snapshot, seconds: f64) -> Self {
        let (earlier, now) = (super::change::components(earlier), super::change::components(now));
        let (earlier, now): (&Components<'_>, &Components<'_>) = (&earlier, &now);
        let of = |kind| changes(kind, now, earlier, seconds);
        Self {
            seconds,
            limiters: of(ComponentKind::Limiter).map(|change| limiter_row(&change)).collect(),
            fan_outs: of(ComponentKind::FanOut)
                .map(|change| fan_out_row(&change, seconds))
                .collect(),
            batchers: of(ComponentKind::Batcher).map(|change| batcher_row(&change)).collect(),
            pools: of(ComponentKind::Pool).map(|change| pool_row(&change)).collect(),
            leases: of(ComponentKind::Fleet).map(|change| fleet_row(&change)).collect(),
        }
    }

    /// A copy that says which limiters may be changed, and how far.
    pub(super) fn marked(&self, adjustable: impl Fn(&str) -> Option<Range>) -> Self {
        let mut rows = self.clone();
        for row in &mut rows.limiters {
            row.adjustable = adjustable(&row.name);
        }
        rows
    }
}

/// Limits that may be set, in permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Range {
    pub(super) min: u32,
    pub(super) max: u32,
}

/// Rates are per second, durations are in seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct LimiterRow {
    pub(super) name: String,
    pub(super) mode: Option<&'static str>,
    /// Whether the page may change it.
    pub(super) adjustable: Option<Range>,
    /// How many limiters the numbers are sums over, if it is a map of them.
    pub(super) keys: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) limit_min: Option<f64>,
    pub(super) limit_max: Option<f64>,
    pub(super) in_flight: Option<f64>,
    pub(super) queued: Option<f64>,
    pub(super) queue_capacity: Option<f64>,
    pub(super) mean_in_flight: Option<f64>,
    pub(super) mean_queued: Option<f64>,
    /// Share of the time without a free permit, 0 to 1; the mean of all keys of a map.
    pub(super) saturated: Option<f64>,
    pub(super) admitted_per_second: f64,
    pub(super) rejected_per_second: f64,
    pub(super) would_reject_per_second: f64,
    pub(super) rejections: Vec<Labelled>,
    pub(super) completions: Vec<Labelled>,
    pub(super) wait_p50: Option<f64>,
    pub(super) wait_p99: Option<f64>,
    pub(super) hold_p50: Option<f64>,
    pub(super) hold_p99: Option<f64>,
    pub(super) baseline_latency: Option<f64>,
}

fn limiter_row(change: &Change<'_>) -> LimiterRow {
    let keys = change.gauge(&limiter::KEYS);
    let saturated = change.rate(&limiter::SATURATED_SECONDS);
    LimiterRow {
        name: change.name.to_owned(),
        mode: change.which(&MODE_INFO, &MODE),
        adjustable: None,
        keys,
        limit: change.gauge(&limiter::LIMIT),
        limit_min: change.gauge(&limiter::LIMIT_MIN),
        limit_max: change.gauge(&limiter::LIMIT_MAX),
        in_flight: change.gauge(&limiter::IN_FLIGHT),
        queued: change.gauge(&limiter::QUEUED),
        queue_capacity: change.gauge(&limiter::QUEUE_CAPACITY),
        mean_in_flight: change.rate(&limiter::PERMIT_SECONDS),
        mean_queued: change.rate(&limiter::QUEUED_SECONDS),
        saturated: saturated.map(|share| (share / keys.unwrap_or(1.0).max(1.0)).min(1.0)),
        admitted_per_second: change.rate(&limiter::ACQUIRED).unwrap_or(0.0),
        rejected_per_second: change.rate(&limiter::REJECTED).unwrap_or(0.0),
        would_reject_per_second: change.rate(&limiter::SHADOW_REJECTED).unwrap_or(0.0),
        rejections: change.by_label(&limiter::REJECTED),
        completions: change.by_label(&limiter::COMPLETED),
        wait_p50: change.quantile(&limiter::WAIT_DURATION, 0.5),
        wait_p99: change.quantile(&limiter::WAIT_DURATION, 0.99),
        hold_p50: change.quantile(&limiter::HOLD_DURATION, 0.5),
        hold_p99: change.quantile(&limiter::HOLD_DURATION, 0.99),
        baseline_latency: known(change.gauge(&limiter::BASELINE_LATENCY)),
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FanOutRow {
    pub(super) name: String,
    pub(super) running_calls: Option<f64>,
    pub(super) in_flight_items: Option<f64>,
    /// Items in flight per running call, on average.
    pub(super) parallelism: Option<f64>,
    pub(super) calls: Vec<Labelled>,
    pub(super) items: Vec<Labelled>,
    pub(super) duration_p50: Option<f64>,
    pub(super) duration_p99: Option<f64>,
    pub(super) item_p50: Option<f64>,
    pub(super) item_p99: Option<f64>,
}

fn fan_out_row(change: &Change<'_>, seconds: f64) -> FanOutRow {
    let running_calls = change.gauge(&fan_out::RUNNING_CALLS);
    let in_flight_items = change.gauge(&fan_out::IN_FLIGHT_ITEMS);
    let duration_p99 = change.quantile(&fan_out::DURATION, 0.99);
    // Running time is counted when items and calls end. Of calls that take as long as what is looked
    // back on, that says nothing, and the moment does.
    let parallelism = if duration_p99.is_some_and(|p99| p99 < seconds / 2.0) {
        ratio(change.rate(&fan_out::BUSY_SECONDS), change.sum_rate(&fan_out::DURATION))
    } else {
        ratio(in_flight_items, running_calls)
    };
    FanOutRow {
        name: change.name.to_owned(),
        running_calls,
        in_flight_items,
        parallelism,
        calls: change.by_label(&fan_out::CALLS),
        items: change.by_label(&fan_out::ITEMS_PROCESSED),
        duration_p50: change.quantile(&fan_out::DURATION, 0.5),
        duration_p99,
        item_p50: change.quantile(&fan_out::ITEM_DURATION, 0.5),
        item_p99: change.quantile(&fan_out::ITEM_DURATION, 0.99),
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct BatcherRow {
    pub(super) name: String,
    pub(super) target_items: Option<f64>,
    pub(super) bound: Option<&'static str>,
    pub(super) queued_items: Option<f64>,
    pub(super) queue_capacity: Option<f64>,
    pub(super) in_flight_batches: Option<f64>,
    pub(super) in_flight_limit: Option<f64>,
    pub(super) fixed_cost: Option<f64>,
    pub(super) item_cost: Option<f64>,
    /// Part of the time of batches that was their fixed cost, 0 to 1.
    pub(super) overhead_share: Option<f64>,
    pub(super) mean_batch_items: Option<f64>,
    pub(super) items: Vec<Labelled>,
    pub(super) flushes: Vec<Labelled>,
    pub(super) rejections: Vec<Labelled>,
    pub(super) wait_p50: Option<f64>,
    pub(super) wait_p99: Option<f64>,
    pub(super) execute_p50: Option<f64>,
    pub(super) execute_p99: Option<f64>,
}

fn batcher_row(change: &Change<'_>) -> BatcherRow {
    let overhead = change.rate(&batcher::OVERHEAD);
    let all = overhead.zip(change.rate(&batcher::WORK)).map(|(overhead, work)| overhead + work);
    BatcherRow {
        name: change.name.to_owned(),
        target_items: change.gauge(&batcher::TARGET),
        bound: change.which(&batcher::BINDING_BOUND_INFO, &batcher::BOUND),
        queued_items: change.gauge(&batcher::QUEUED),
        queue_capacity: change.gauge(&batcher::QUEUE_CAPACITY),
        in_flight_batches: change.gauge(&batcher::IN_FLIGHT),
        in_flight_limit: change.gauge(&batcher::IN_FLIGHT_LIMIT),
        fixed_cost: known(change.gauge(&batcher::FIXED_COST)),
        item_cost: known(change.gauge(&batcher::ITEM_COST)),
        overhead_share: ratio(overhead, all),
        mean_batch_items: change.mean(&batcher::BATCH_ITEMS),
        items: change.by_label(&batcher::ITEMS),
        flushes: change.by_label(&batcher::FLUSHES),
        rejections: change.by_label(&batcher::REJECTED),
        wait_p50: change.quantile(&batcher::WAIT_DURATION, 0.5),
        wait_p99: change.quantile(&batcher::WAIT_DURATION, 0.99),
        execute_p50: change.quantile(&batcher::EXECUTE_DURATION, 0.5),
        execute_p99: change.quantile(&batcher::EXECUTE_DURATION, 0.99),
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PoolRow {
    pub(super) name: String,
    pub(super) used: Option<f64>,
    pub(super) idle: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) reserved: Option<f64>,
    pub(super) foreign: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) pending: Option<f64>,
    pub(super) claims: Option<f64>,
    pub(super) rejections: Vec<Labelled>,
    pub(super) timeouts_per_second: f64,
    pub(super) errors_per_second: f64,
    pub(super) connect_failures_per_second: f64,
    pub(super) wait_p50: Option<f64>,
    pub(super) wait_p99: Option<f64>,
    pub(super) use_p50: Option<f64>,
    pub(super) use_p99: Option<f64>,
    pub(super) oldest_hold: Option<f64>,
}

fn pool_row(change: &Change<'_>) -> PoolRow {
    PoolRow {
        name: change.name.to_owned(),
        used: change.gauge_of(&pool::CONNECTIONS, "used"),
        idle: change.gauge_of(&pool::CONNECTIONS, "idle"),
        max: change.gauge(&pool::CONNECTIONS_MAX),
        reserved: change.gauge(&pool::CONNECTIONS_RESERVED),
        foreign: change.gauge(&pool::CONNECTIONS_FOREIGN),
        limit: change.gauge_of(&pool::LIMIT, "effective"),
        pending: change.gauge(&pool::PENDING_REQUESTS),
        claims: change.gauge(&pool::CLAIMS),
        rejections: change.by_label(&pool::REJECTIONS),
        timeouts_per_second: change.rate(&pool::TIMEOUTS).unwrap_or(0.0),
        errors_per_second: change.rate(&pool::ERRORS).unwrap_or(0.0),
        // Not every pool lets somebody look on.
        connect_failures_per_second: change.rate(&pool::CONNECT_FAILURES).unwrap_or(0.0),
        wait_p50: change.quantile(&pool::WAIT_DURATION, 0.5),
        wait_p99: change.quantile(&pool::WAIT_DURATION, 0.99),
        use_p50: change.quantile(&pool::USE_DURATION, 0.5),
        use_p99: change.quantile(&pool::USE_DURATION, 0.99),
        oldest_hold: change.gauge(&pool::OLDEST_HOLD),
    }
}

/// `None` if either is, or nothing is to be divided by.
fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let (part, whole) = part.zip(whole)?;
    (whole > 0.0).then(|| part / whole)
}

/// These gauges are 0 while nothing is known.
fn known(value: Option<f64>) -> Option<f64> {
    value.filter(|value| *value > 0.0)
}

/// Per second, of those whose label is not `good`.
pub(super) fn rate_but(labelled: &[Labelled], good: &[&str]) -> f64 {
    let bad = labelled.iter().filter(|one| !good.contains(&one.label));
    // Not `sum`, whose nothing is a negative zero.
    bad.fold(0.0, |sum, one| sum + one.per_second)
}

/// Per second, of those whose label is one of `wanted`.
pub(super) fn rate_of(labelled: &[Labelled], wanted: &[&str]) -> f64 {
    let chosen = labelled.iter().filter(|one| wanted.contains(&one.label));
    chosen.fold(0.0, |sum, one| sum + one.per_second)
}

/// Per second, over all labels.
pub(super) fn total_rate(labelled: &[Labelled]) -> f64 {
    rate_but(labelled, &[])
}

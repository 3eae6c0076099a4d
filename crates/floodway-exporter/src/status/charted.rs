//! The numbers of each component that the status page draws over time.

use super::data::{
    BatcherRow, FanOutRow, FleetRow, LimiterRow, PoolRow, Rows, rate_but, total_rate,
};

/// The kind and the name of a component.
pub(super) type Key = (&'static str, String);

/// What a number is called, and where it is in a row.
type Drawn<R> = (&'static str, fn(&R) -> Option<f64>);

const LIMITER: &[Drawn<LimiterRow>] = &[
    ("limit", |row| row.limit),
    ("in_flight", |row| row.mean_in_flight),
    ("queued", |row| row.mean_queued),
    ("admitted", |row| Some(row.admitted_per_second)),
    ("rejected", |row| Some(row.rejected_per_second)),
    ("wait_p99", |row| row.wait_p99),
    ("hold_p99", |row| row.hold_p99),
];

const POOL: &[Drawn<PoolRow>] = &[
    ("used", |row| row.used),
    ("idle", |row| row.idle),
    ("max", |row| row.max),
    ("pending", |row| row.pending),
    ("rejected", |row| Some(total_rate(&row.rejections))),
    ("wait_p99", |row| row.wait_p99),
    ("use_p99", |row| row.use_p99),
];

const FLEET: &[Drawn<FleetRow>] = &[
    ("granted", |row| row.granted),
    ("held", |row| row.held),
    ("wanted", |row| row.wanted),
    ("usable", |row| row.usable),
    ("outstanding", |row| row.outstanding),
];

const BATCHER: &[Drawn<BatcherRow>] = &[
    ("target_items", |row| row.target_items),
    ("mean_batch_items", |row| row.mean_batch_items),
    ("queued_items", |row| row.queued_items),
    ("items", |row| Some(total_rate(&row.items))),
    ("fixed_cost", |row| row.fixed_cost),
    ("item_cost", |row| row.item_cost),
    ("overhead_share", |row| row.overhead_share),
    ("wait_p99", |row| row.wait_p99),
];

const FAN_OUT: &[Drawn<FanOutRow>] = &[
    ("in_flight_items", |row| row.in_flight_items),
    ("items", |row| Some(total_rate(&row.items))),
    ("failed_items", |row| Some(rate_but(&row.items, &["ok", "cancelled", "not_started"]))),
    ("duration_p99", |row| row.duration_p99),
    ("item_p99", |row| row.item_p99),
];

/// What is drawn of a component of this kind, in the order of the values.
pub(super) fn names(kind: &str) -> Vec<&'static str> {
    fn of<R>(drawn: &[Drawn<R>]) -> Vec<&'static str> {
        drawn.iter().map(|(name, _)| *name).collect()
    }
    match kind {
        "limiter" => of(LIMITER),
        "pool" => of(POOL),
        "fleet" => of(FLEET),
        "batcher" => of(BATCHER),
        "fan_out" => of(FAN_OUT),
        _ => Vec::new(),
    }
}

/// The values of every component now; `NaN` where nothing is known.
pub(super) fn values(rows: &Rows) -> impl Iterator<Item = (Key, Box<[f32]>)> {
    fn of<R>(row: &R, drawn: &[Drawn<R>]) -> Box<[f32]> {
        // Four bytes are enough for a line on a screen.
        drawn.iter().map(|(_, value)| value(row).map_or(f32::NAN, |value| value as f32)).collect()
    }
    let limiters =
        rows.limiters.iter().map(|row| (("limiter", row.name.clone()), of(row, LIMITER)));
    let pools = rows.pools.iter().map(|row| (("pool", row.name.clone()), of(row, POOL)));
    let leases = rows.leases.iter().map(|row| (("fleet", row.name.clone()), of(row, FLEET)));
    let batchers =
        rows.batchers.iter().map(|row| (("batcher", row.name.clone()), of(row, BATCHER)));
    let fan_outs =
        rows.fan_outs.iter().map(|row| (("fan_out", row.name.clone()), of(row, FAN_OUT)));
    limiters.chain(pools).chain(leases).chain(batchers).chain(fan_outs)
}

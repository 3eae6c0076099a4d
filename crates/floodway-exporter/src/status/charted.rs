//! The numbers of each component that the status page draws over time.

use super::data::{BatcherRow, FanOutRow, LimiterRow, PoolRow, Rows, rate_but, total_rate};

/// The kind and the name of a component.
pub(super) type Key = (&'static str, String);

/// What is drawn of a component of this kind, in the order of the values.
pub(super) fn names(kind: &str) -> &'static [&'static str] {
    match kind {
        "limiter" => {
            &["limit", "in_flight", "queued", "admitted", "rejected", "wait_p99", "hold_p99"]
        }
        "fan_out" => &["in_flight_items", "items", "failed_items", "duration_p99", "item_p99"],
        "batcher" => &[
            "target_items",
            "mean_batch_items",
            "queued_items",
            "items",
            "fixed_cost",
            "item_cost",
            "overhead_share",
            "wait_p99",
        ],
        "pool" => &["used", "idle", "max", "pending", "rejected", "wait_p99", "use_p99"],
        _ => &[],
    }
}

/// The values of every component now; no number where nothing is known.
pub(super) fn values(rows: &Rows) -> impl Iterator<Item = (Key, Box<[f32]>)> {
    let limiters = rows.limiters.iter().map(|row| (("limiter", row.name.clone()), limiter(row)));
    let pools = rows.pools.iter().map(|row| (("pool", row.name.clone()), pool(row)));
    let batchers = rows.batchers.iter().map(|row| (("batcher", row.name.clone()), batcher(row)));
    let fan_outs = rows.fan_outs.iter().map(|row| (("fan_out", row.name.clone()), fan_out(row)));
    limiters.chain(pools).chain(batchers).chain(fan_outs)
}

fn limiter(row: &LimiterRow) -> Box<[f32]> {
    [
        row.limit,
        Some(row.mean_in_flight),
        Some(row.mean_queued),
        Some(row.admitted_per_second),
        Some(row.rejected_per_second),
        row.wait_p99,
        row.hold_p99,
    ]
    .map(drawn)
    .into()
}

fn fan_out(row: &FanOutRow) -> Box<[f32]> {
    [
        row.in_flight_items,
        Some(total_rate(&row.items)),
        Some(rate_but(&row.items, &["ok"])),
        row.duration_p99,
        row.item_p99,
    ]
    .map(drawn)
    .into()
}

fn batcher(row: &BatcherRow) -> Box<[f32]> {
    [
        row.target_items,
        row.mean_batch_items,
        row.queued_items,
        Some(total_rate(&row.items)),
        row.fixed_cost,
        row.item_cost,
        row.overhead_share,
        row.wait_p99,
    ]
    .map(drawn)
    .into()
}

fn pool(row: &PoolRow) -> Box<[f32]> {
    [
        row.used,
        row.idle,
        row.max,
        row.pending,
        Some(total_rate(&row.rejections)),
        row.wait_p99,
        row.use_p99,
    ]
    .map(drawn)
    .into()
}

/// Four bytes are enough for a line on a screen.
fn drawn(value: Option<f64>) -> f32 {
    value.map_or(f32::NAN, |value| value as f32)
}

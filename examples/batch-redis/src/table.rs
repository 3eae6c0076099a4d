//! The runs beside each other.

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use floodway::{BatchEstimate, Batcher, Registry};
use floodway_metrics::catalogue::batcher::BATCH_ITEMS;

use crate::run::Measured;

/// A run and what its batcher says of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) measured: Measured,
    /// `None` without a batcher.
    pub(crate) batches: Option<Batches>,
}

/// What a batcher says of its batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batches {
    mean_items: f64,
    estimate: BatchEstimate,
}

impl Batches {
    /// Of the batcher that is called `name` in `registry`.
    pub(crate) fn of<T, U, E>(batcher: &Batcher<T, U, E>, name: &str, registry: &Registry) -> Self {
        let metrics = registry.snapshot();
        let items = metrics.histogram(&BATCH_ITEMS, &[name]);
        let mean_items = items.map_or(0.0, |items| items.sum / items.count() as f64);
        Self { mean_items, estimate: batcher.snapshot().estimate }
    }

    /// The part of the time of batches that was overhead; `None` while nothing is known.
    fn overhead_share(&self) -> Option<f64> {
        let BatchEstimate { overhead_seconds, work_seconds, .. } = self.estimate;
        let all = overhead_seconds + work_seconds;
        (self.estimate.overhead.is_some() && all > 0.0).then(|| overhead_seconds / all)
    }
}

pub(crate) fn shown(rows: &[Row]) -> String {
    let mut table = Table::new();
    let header =
        ["", "commands", "commands/s", "p50", "p99", "commands/batch", "α", "β", "overhead"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for Row { title, measured, batches } in rows {
        let batched = |show: fn(&Batches) -> Option<String>| batches.as_ref().and_then(show);
        let cells = [
            Some(measured.done.to_string()),
            Some(format!("{:.0}", measured.rate())),
            measured.latency(0.5).map(duration),
            measured.latency(0.99).map(duration),
            batched(|batches| Some(format!("{:.1}", batches.mean_items))),
            batched(|batches| batches.estimate.overhead.map(duration)),
            batched(|batches| batches.estimate.item_cost.map(duration)),
            batched(|batches| Some(format!("{:.0} %", 100.0 * batches.overhead_share()?))),
        ];
        let right = |text: Option<String>| {
            Cell::new(text.as_deref().unwrap_or("–")).set_alignment(CellAlignment::Right)
        };
        table.add_row([Cell::new(title)].into_iter().chain(cells.map(right)));
    }
    table.to_string()
}

/// As people read it.
fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 0.001 => format!("{:.1} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}

//! The runs beside each other.

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use floodway::batcher::BatcherSnapshot;

use crate::run::Measured;

/// A run and what its batcher says of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) measured: Measured,
    /// `None` without a batcher.
    pub(crate) batcher: Option<BatcherSnapshot>,
}

pub(crate) fn shown(rows: &[Row]) -> String {
    let mut table = Table::new();
    let header = ["", "rows", "rows/s", "p50", "p99", "rows/batch", "α", "β", "overhead"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for Row { title, measured, batcher } in rows {
        let batched =
            |show: fn(&BatcherSnapshot) -> Option<String>| batcher.as_ref().and_then(show);
        let cells = [
            Some(measured.stored.to_string()),
            Some(format!("{:.0}", measured.rate())),
            measured.latency(0.5).map(duration),
            measured.latency(0.99).map(duration),
            batched(|it| mean_items(it).map(|items| format!("{items:.1}"))),
            batched(|it| it.estimate.overhead.map(duration)),
            batched(|it| it.estimate.item_cost.map(duration)),
            batched(|it| Some(format!("{:.0} %", 100.0 * it.estimate.overhead_share()?))),
        ];
        let right = |text: Option<String>| {
            Cell::new(text.as_deref().unwrap_or("–")).set_alignment(CellAlignment::Right)
        };
        table.add_row([Cell::new(title)].into_iter().chain(cells.map(right)));
    }
    table.to_string()
}

/// `None` if no batch was sent.
fn mean_items(batcher: &BatcherSnapshot) -> Option<f64> {
    (batcher.batches > 0).then(|| batcher.items as f64 / batcher.batches as f64)
}

/// As people read it.
fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 0.001 => format!("{:.1} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}

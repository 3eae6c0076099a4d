//! Workers and measurements beside each other.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use crate::store::WorkerStatus;

pub(crate) fn workers(workers: &BTreeMap<String, WorkerStatus>) -> String {
    let mut table = table(["worker", "starts", "items", "items/s", "permits"]);
    for (name, WorkerStatus { starts, items, alive, permit_milliseconds }) in workers {
        let seconds = alive.as_secs_f64();
        let per_second = |amount: f64| amount / seconds.max(1e-3);
        let rate = format!("{:.0}", per_second(*items as f64));
        let permits = format!("{:.1}", per_second(*permit_milliseconds as f64 / 1e3));
        add(&mut table, name, [starts.to_string(), items.to_string(), rate, permits]);
    }
    table.to_string()
}

/// Items per second of one worker and of two, round by round.
pub(crate) fn rounds(rounds: &[(f64, f64)]) -> String {
    let mut table = table(["round", "1 worker", "2 workers", "ratio"]);
    for (round, (one, two)) in (1..).zip(rounds) {
        let cells = [format!("{one:.0}/s"), format!("{two:.0}/s"), format!("{:.2}", two / one)];
        add(&mut table, &i32::to_string(&round), cells);
    }
    table.to_string()
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn add<const N: usize>(table: &mut Table, title: &str, cells: [String; N]) {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    table.add_row([Cell::new(title)].into_iter().chain(cells.map(right)));
}

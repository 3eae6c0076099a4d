//! The figures side by side.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::{Figures, Report};
use crate::{inserts::Comparison, latency};

/// What a line shows of the figures of one phase.
type Show = fn(&Figures) -> String;

const LINES: [(&str, Show); 9] = [
    ("offered", |figures| rate(figures.offered_rps)),
    ("goodput", |figures| rate(figures.goodput_rps)),
    ("p50", |figures| latency::shown(figures.p50_s)),
    ("p99", |figures| latency::shown(figures.p99_s)),
    ("p99 of rejections", |figures| latency::shown(figures.rejected_p99_s)),
    ("pool timeouts", |figures| figures.pool_timeouts.to_string()),
    ("rejections", rejections),
    ("failed", |figures| figures.failed.to_string()),
    ("recovered after", |figures| recovered(figures)),
];

/// Plain beside protected, phase by phase.
pub(crate) fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["phase", "", "plain", "protected"]);
    let plain = report.arms.plain.in_order();
    let protected = report.arms.protected.in_order();
    for ((phase, plain), (_, protected)) in plain.into_iter().zip(protected) {
        if plain.is_none() && protected.is_none() {
            continue;
        }
        for (index, (name, show)) in LINES.into_iter().enumerate() {
            if name == "recovered after" && phase != super::RECOVERY {
                continue;
            }
            let number = |figures: Option<&Figures>| {
                let shown = figures.map_or_else(|| "not run".to_owned(), show);
                Cell::new(shown).set_alignment(CellAlignment::Right)
            };
            table.add_row([
                Cell::new(if index == 0 { phase } else { "" }),
                Cell::new(name),
                number(plain),
                number(protected),
            ]);
        }
    }
    table.to_string()
}

/// Inserts one by one beside those that go together.
pub(crate) fn inserts_table(inserts: &Comparison) -> String {
    let Comparison { callers, unbatched, batched } = inserts;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["inserts", "", "unbatched", "batched"]);
    let lines = [
        ("stored", rate(unbatched.rows_per_s), rate(batched.rows_per_s)),
        ("p50", latency::shown(Some(unbatched.p50_s)), latency::shown(Some(batched.p50_s))),
        ("p99", latency::shown(Some(unbatched.p99_s)), latency::shown(Some(batched.p99_s))),
    ];
    let mut title = format!("{callers} callers");
    for (name, unbatched, batched) in lines {
        let number = |text| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(std::mem::take(&mut title)),
            Cell::new(name),
            number(unbatched),
            number(batched),
        ]);
    }
    table.to_string()
}

fn rate(per_second: f64) -> String {
    format!("{per_second:.0}/s")
}

fn recovered(figures: &Figures) -> String {
    match figures.recovered_after_s {
        Some(seconds) => format!("{seconds:.1} s"),
        None => "never".to_owned(),
    }
}

fn rejections(figures: &Figures) -> String {
    if figures.rejected.is_empty() {
        return "0".to_owned();
    }
    let parts: Vec<_> =
        figures.rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.join(", ")
}

//! The figures, as people read them.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use crate::{
    arm::Arm,
    report::{Figures, Report},
};

pub(crate) fn shown(report: &Report) -> String {
    let mut table = Table::new();
    let header = [
        "load",
        "service",
        "offered",
        "goodput",
        "p50",
        "p99",
        "refused",
        "told within",
        "failed",
        "opened",
    ];
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for point in &report.points {
        let numbers = [
            format!("{:.0}/s", point.offered_rps),
            format!("{:.0}/s", point.goodput_rps),
            duration(point.p50_s),
            duration(point.p99_s),
            refused(point),
            duration(point.refused_p99_s),
            point.failed.to_string(),
            point.connections_opened.to_string(),
        ];
        let numbers = numbers.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        let names = [Cell::new(format!("{}x", point.load)), Cell::new(point.service)];
        table.add_row(names.into_iter().chain(numbers));
    }
    table.to_string()
}

/// What the highest load shows.
pub(crate) fn sentences(report: &Report) -> Vec<String> {
    let highest = |arm| report.of(arm).max_by(|a, b| a.load.total_cmp(&b.load));
    let (Some(plain), Some(limited)) = (highest(Arm::Plain), highest(Arm::Limited)) else {
        return Vec::new();
    };
    let share = |point: &Figures| 100.0 * point.goodput_rps / report.capacity_rps;
    vec![
        format!(
            "A pool of {} connections to {} serves {:.0} requests/s. Offered {} times as many, it \
             served {:.0}/s on its own ({:.0} %) and {:.0}/s behind a PoolLimiter ({:.0} %).",
            report.pool_size,
            report.database,
            report.capacity_rps,
            plain.load,
            plain.goodput_rps,
            share(plain),
            limited.goodput_rps,
            share(limited),
        ),
        format!("On its own, {}. Behind the limiter, {}.", waited(plain), waited(limited)),
    ]
}

fn waited(point: &Figures) -> String {
    let answered = match point.p99_s {
        None => "nobody was answered who arrived then".to_owned(),
        slowest => format!("99 % of the answers took at most {}", duration(slowest)),
    };
    match point.refused_p99_s {
        None => format!("{answered}, and nobody was refused"),
        told => {
            format!("{answered}, and 99 % of those refused were told within {}", duration(told))
        }
    }
}

fn refused(point: &Figures) -> String {
    if point.refused.is_empty() {
        return "0".to_owned();
    }
    let causes: Vec<_> =
        point.refused.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
    causes.join("\n")
}

fn duration(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.2} s"),
    }
}

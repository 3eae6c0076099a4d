//! A budget as a table, for people.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, Table, presets::NOTHING};
use floodway_fleet::{MemberStatus, RemnantStatus, Status};

use crate::time::show_ms;

pub(super) fn of(name: &str, status: &Status) -> String {
    let mut text = summary(name, status);
    if !status.replicas.is_empty() {
        let _ = write!(text, "\n\n{}", replicas(&status.replicas));
    }
    if !status.remnants.is_empty() {
        let _ = write!(
            text,
            "\n\nleft behind by leases that have ended:\n{}",
            remnants(&status.remnants)
        );
    }
    text
}

fn summary(name: &str, status: &Status) -> String {
    let Status { budget, margin, outstanding, .. } = status;
    let usable = budget.saturating_sub(*margin);
    let replicas = plural(status.replicas.len(), "replica");
    let mut text = format!(
        "{name}: {outstanding} of {usable} out, to {replicas} (budget {budget}, margin {margin}{})",
        if status.set_by_operator { ", set by an operator" } else { "" }
    );
    if status.declared.len() > 1 || status.set_by_operator {
        let kinds: Vec<_> = status.declared.iter().map(declared).collect();
        let declared = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
        let _ = write!(text, "\ndeclared: {declared}");
        if status.declared.len() > 1 && !status.set_by_operator {
            text += "; the lowest is in force";
        }
    }
    if status.learning {
        text += "\nthe engine has lost what it knew: it learns from the replicas and grants nothing new yet";
    }
    text
}

/// What replicas declare, as `40 less 2 by 3 replicas`.
pub(crate) fn declared((budget, margin, count): &(u32, u32, u64)) -> String {
    let replicas = plural(usize::try_from(*count).unwrap_or(usize::MAX), "replica");
    format!("{budget} less {margin} by {replicas}")
}

pub(crate) fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("{count} {one}") } else { format!("{count} {one}s") }
}

fn replicas(replicas: &[MemberStatus]) -> String {
    let header = [
        "replica", "lease", "granted", "held", "wants", "floor", "weight", "seen", "ends in",
        "state",
    ];
    let rows = replicas.iter().map(|one| {
        let state = match (one.lapsed, one.hungry) {
            (true, _) => "floor",
            (_, true) => "hungry",
            _ => "",
        };
        [
            one.replica.clone(),
            one.epoch.to_string(),
            one.grant.to_string(),
            one.held.to_string(),
            one.want.to_string(),
            one.floor.to_string(),
            one.weight.to_string(),
            format!("{} ago", show_ms(one.age_ms)),
            show_ms(one.remaining_ms),
            state.to_owned(),
        ]
    });
    table(header, rows)
}

fn remnants(remnants: &[RemnantStatus]) -> String {
    let rows = remnants.iter().map(|one| {
        let until = one.remaining_ms.map(|ms| format!("for {}", show_ms(ms)));
        [
            one.replica.clone(),
            one.epoch.to_string(),
            one.permits.to_string(),
            until.unwrap_or_else(|| "until it is closed".to_owned()),
        ]
    });
    table(["replica", "lease", "permits", "counts"], rows)
}

/// Numbers to the right, the first and the last column to the left.
fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let cell = |(column, text): (usize, String)| match column {
        0 => Cell::new(text),
        _ if column == N - 1 => Cell::new(text),
        _ => Cell::new(text).set_alignment(CellAlignment::Right),
    };
    table.add_row(header.map(str::to_owned).into_iter().enumerate().map(cell));
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(cell));
    }
    table.trim_fmt()
}

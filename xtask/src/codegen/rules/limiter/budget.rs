//! The error budget of a limiter: how much it refuses.

use floodway_metrics::{
    ComponentKind::Limiter,
    catalogue::limiter::{ACQUIRED, PATH, PRIORITY, REASON, REJECTED},
};

use super::super::{
    OBJECTIVE,
    alert::{Alert, Severity},
    example::{Given, example, given},
    recording::Recording,
};
use crate::codegen::promql::{
    Expr,
    rule::{Series, by_job, series},
};

pub(super) fn rejected_ratio(window: &'static str) -> Recording {
    let labels = by_job(Limiter);
    let refused = refused().rate(window).sum_by(&labels);
    let acquired = series(&ACQUIRED).rate(window).sum_by(&labels);
    let all = acquired.added(&refused);
    Recording {
        name: format!("job_limiter:floodway_limiter_rejected:ratio_rate{window}"),
        expr: refused.share_of(&all),
        labels,
        example: example("10m", traffic("0+75x10", "0+25x10", "0+50x10")),
        value: "0.25",
    }
}

pub(super) fn fast_burn() -> Alert {
    Alert {
        name: BURN,
        severity: Severity::Critical,
        expr: burn(14.4, "1h", "5m"),
        lasts: "2m",
        labels: by_job(Limiter),
        when: BURN_WHEN,
        summary: "Limiter {{ $labels.limiter }} of {{ $labels.job }} refuses far too much",
        description: "{{ $value | humanizePercentage }} of the operations of the last hour were \
            refused, those of low priority left aside. At this rate the budget of a month is spent \
            in two days.",
        fires: example("10m", traffic("0+980x10", "0+20x10", "0+0x10")),
        shows: "2%",
        silent: vec![
            example("10m", traffic("0+986x10", "0+14x10", "0+0x10")),
            example("10m", traffic("0+980x10", "0+0x10", "0+20x10")).note("only low priority"),
            example("10m", traffic("0+8x10", "0x5 9x5", "0+0x10")).note("nine refusals at night"),
            example("13m", traffic("0+980x15", "0+60x5 300x10", "0+0x15")).note("it is over"),
        ],
    }
}

pub(super) fn slow_burn() -> Alert {
    Alert {
        name: BURN,
        severity: Severity::Warning,
        expr: burn(6.0, "6h", "30m"),
        lasts: "15m",
        labels: by_job(Limiter),
        when: BURN_WHEN,
        summary: "Limiter {{ $labels.limiter }} of {{ $labels.job }} refuses too much",
        description: "{{ $value | humanizePercentage }} of the operations of the last six hours \
            were refused, those of low priority left aside. At this rate the budget of a month is \
            spent in five days.",
        fires: example("30m", traffic("0+993x30", "0+7x30", "0+0x30")),
        shows: "0.7%",
        silent: vec![
            example("30m", traffic("0+995x30", "0+5x30", "0+0x30")),
            example("30m", traffic("0+8x30", "0x5 9x25", "0+0x30")).note("nine refusals at night"),
            example("90m", traffic("0+990x90", "0+30x50 1500x40", "0+0x90")).note("it is over"),
        ],
    }
}

const BURN: &str = "FloodwayLimiterRejectBudgetBurn";
const BURN_WHEN: &str =
    "refusals spend the error budget: 14.4 times too fast over an hour, or 6 times over six hours";

/// More of the budget than `factor` times what is even over a month is spent in both windows, by
/// more than a few refusals. The windows and factors are those of the Site Reliability Workbook,
/// chapter 5 (<https://sre.google/workbook/alerting-on-slos/>).
fn burn(factor: f64, long: &'static str, short: &'static str) -> Expr {
    let budget = format!("{factor} * (1 - {OBJECTIVE})");
    let spent = |window| rejected_ratio(window).read().above(&budget);
    let several = refused().increase(long).sum_by(&by_job(Limiter)).above(10);
    spent(long).and(&spent(short)).and(&several)
}

/// Refusals that count. Those of the lowest priority do not: that they are refused before others is
/// what the priority is for.
fn refused() -> Series {
    series(&REJECTED).without(&PRIORITY, &["low"])
}

/// Operations that are admitted, refused, and refused with the lowest priority.
fn traffic(acquired: &str, refused: &str, low: &str) -> [Given; 3] {
    let refusal = |priority, values| {
        given(&REJECTED, &[(&REASON, "queue_full"), (&PRIORITY, priority)], values)
    };
    [
        given(&ACQUIRED, &[(&PATH, "queued")], acquired),
        refusal("normal", refused),
        refusal("low", low),
    ]
}

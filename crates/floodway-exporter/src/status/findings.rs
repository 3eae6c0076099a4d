//! What is wrong, in words: the first thing that the status page says.

mod fleet;

use serde::Serialize;

use super::data::{BatcherRow, FanOutRow, LimiterRow, PoolRow, Rows, rate_but, total_rate};

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) text: String,
}

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Callers are refused, or will be.
    Critical,
    /// It works, and not as it should.
    Warning,
    /// Good to know.
    Info,
}

use Severity::{Critical, Info, Warning};

/// A share from which on refusals, errors and the like are worth a word, and one from which on
/// they are what callers mostly see. The alerts of `dashboards/` have thresholds of their own, which
/// look at hours.
const NOTICEABLE: f64 = 0.01;
const SERIOUS: f64 = 0.1;

/// As the dashboards have it: near 1, waits decide the latency.
const SATURATED: f64 = 0.9;

/// Seconds; as the alert about long waits has it.
const LONG_WAIT: f64 = 0.25;

/// Of a queue, so that the next burst is refused.
const NEARLY_FULL: f64 = 0.8;

/// Seconds: a query that takes longer holds its connection for whole minutes soon.
const LONG_HOLD: f64 = 10.0;

/// Seconds without an end after which work is said to hang: all that rates look back on.
const HANGS_AFTER: f64 = 9.0;

/// Of the time of batches: more than half goes into what batching is to save.
const MOSTLY_OVERHEAD: f64 = 0.5;

/// What there is to say, the worst first.
pub(super) fn findings(rows: &Rows) -> Vec<Finding> {
    let mut all = Vec::new();
    for row in &rows.limiters {
        let said = limiter(row, rows.seconds).into_iter();
        all.extend(said.map(|(severity, text)| finding("limiter", &row.name, severity, text)));
    }
    for row in &rows.pools {
        let said = pool(row).into_iter();
        all.extend(said.map(|(severity, text)| finding("pool", &row.name, severity, text)));
    }
    for row in &rows.leases {
        let said = fleet::lease(row).into_iter();
        all.extend(said.map(|(severity, text)| finding("fleet", &row.name, severity, text)));
    }
    for row in &rows.batchers {
        let said = batcher(row).into_iter();
        all.extend(said.map(|(severity, text)| finding("batcher", &row.name, severity, text)));
    }
    for row in &rows.fan_outs {
        let said = fan_out(row).into_iter();
        all.extend(said.map(|(severity, text)| finding("fan_out", &row.name, severity, text)));
    }
    all.sort_by_key(|finding| finding.severity);
    all
}

fn finding(kind: &'static str, name: &str, severity: Severity, text: String) -> Finding {
    Finding { kind, name: name.to_owned(), severity, text }
}

fn limiter(row: &LimiterRow, seconds: f64) -> Vec<(Severity, String)> {
    let mut said = Vec::new();
    let full = row.in_flight.zip(row.limit).is_some_and(|(used, limit)| used >= limit);
    let waiting = row.queued.is_some_and(|queued| queued > 0.0);
    let hangs = seconds > HANGS_AFTER && total_rate(&row.completions) == 0.0;
    if full && waiting && hangs {
        said.push((
            Critical,
            format!(
                "no permit came back for {seconds:.0} s while callers wait: the work behind it \
                 hangs, or waits for a permit of its own"
            ),
        ));
    }
    let refused = row.rejected_per_second;
    if let Some(severity) = severity(refused, row.admitted_per_second + refused) {
        let share = percent(refused / (row.admitted_per_second + refused));
        let reason = most(&row.rejections);
        said.push((severity, format!("refuses {share} of requests, mostly {reason}")));
    } else if let Some(share) = row.saturated.filter(|share| *share > SATURATED)
        && row.wait_p99.is_some_and(|wait| wait > LONG_WAIT)
    {
        let share = percent(share);
        said.push((
            Warning,
            format!(
                "has no free permit for {share} of the time, and waits are long: the limit is too \
                 low, or the work too slow"
            ),
        ));
    }
    if row.mode == Some("shadow") {
        let rate = row.would_reject_per_second;
        said.push((Info, format!("is in shadow: enforced, it would refuse {rate:.1} requests/s")));
    }
    if row.mode == Some("off") {
        said.push((Info, "is off: nothing is limited".to_owned()));
    }
    said
}

fn pool(row: &PoolRow) -> Vec<(Severity, String)> {
    let mut said = Vec::new();
    if row.connect_failures_per_second > 0.0 {
        let rate = row.connect_failures_per_second;
        said.push((
            Critical,
            format!("cannot open connections, {rate:.1} failures/s: look at the database and the network"),
        ));
    }
    if row.timeouts_per_second > 0.0 {
        let rate = row.timeouts_per_second;
        said.push((
            Critical,
            format!(
                "the pool itself times out {rate:.1} times/s: somebody uses it past its limiter"
            ),
        ));
    }
    let refused = total_rate(&row.rejections);
    if refused > 0.0 {
        let reason = most(&row.rejections);
        said.push((Warning, format!("refuses {refused:.1} callers/s, mostly {reason}")));
    }
    let foreign = row.foreign.unwrap_or(0.0);
    if row.max.is_some_and(|max| foreign > max / 2.0) {
        said.push((
            Warning,
            format!("others use {foreign:.0} of its connections, past this limiter"),
        ));
    }
    if let Some(hold) = row.oldest_hold.filter(|hold| *hold > LONG_HOLD) {
        said.push((Warning, format!("one connection has been out for {hold:.0} s")));
    }
    said
}

fn batcher(row: &BatcherRow) -> Vec<(Severity, String)> {
    let mut said = Vec::new();
    let all = total_rate(&row.items);
    let failed = rate_but(&row.items, &["ok", "deduplicated", "cancelled"]);
    if let Some(severity) = severity(failed, all) {
        let share = percent(failed / all);
        said.push((severity, format!("{share} of the items have no result")));
    }
    let fill = row.queued_items.zip(row.queue_capacity).map_or(0.0, |(queued, room)| queued / room);
    if fill > NEARLY_FULL {
        let share = percent(fill);
        said.push((
            Warning,
            format!("its queue is {share} full: more comes than batches carry away"),
        ));
    }
    if let Some(share) = row.overhead_share.filter(|share| *share > MOSTLY_OVERHEAD) {
        let share = percent(share);
        let small = row.mean_batch_items.zip(row.target_items);
        let advice = if small.is_some_and(|(mean, target)| mean < target / 2.0) {
            "and batches are smaller than they may be: fewer at a time, by max_in_flight, would fill \
             them"
        } else if row.bound == Some("max") {
            "and batches are as large as they may be: a higher max_size would pay"
        } else {
            "see what bounds their size"
        };
        said.push((Info, format!("{share} of the time of batches is their fixed cost, {advice}")));
    }
    said
}

fn fan_out(row: &FanOutRow) -> Vec<(Severity, String)> {
    let all = total_rate(&row.items);
    let failed = rate_but(&row.items, &["ok", "cancelled", "not_started"]);
    let said = severity(failed, all).map(|severity| {
        let share = percent(failed / all);
        (severity, format!("{share} of the items fail"))
    });
    said.into_iter().collect()
}

fn severity(bad: f64, all: f64) -> Option<Severity> {
    match bad / all {
        share if share > SERIOUS => Some(Critical),
        share if share > NOTICEABLE => Some(Warning),
        // Nothing at all is no number, and nothing to say.
        _ => None,
    }
}

fn most(labelled: &[super::change::Labelled]) -> &'static str {
    let largest = labelled.iter().max_by(|one, other| one.per_second.total_cmp(&other.per_second));
    largest.map_or("unknown", |one| one.label)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::change::Labelled;

    fn labelled(label: &'static str, per_second: f64) -> Vec<Labelled> {
        vec![Labelled { label, per_second, total: 100.0 }]
    }

    #[track_caller]
    pub(super) fn check(said: &[(Severity, String)], severity: Severity, text: &str) {
        let found = said.iter().any(|(known, said)| *known == severity && said.contains(text));
        assert!(found, "{severity:?} {text:?} is not in {said:?}");
    }

    #[test]
    fn a_limiter_says_that_it_hangs_once_it_was_looked_at_for_long_enough() {
        let row = LimiterRow {
            in_flight: Some(3.0),
            limit: Some(3.0),
            queued: Some(1.0),
            ..LimiterRow::default()
        };
        assert_eq!(limiter(&row, 2.0), []);
        check(&limiter(&row, 10.0), Critical, "no permit came back for 10 s");
        let works = LimiterRow { completions: labelled("success", 1.0), ..row };
        assert_eq!(limiter(&works, 10.0), []);
    }

    #[test]
    fn a_limiter_says_whom_it_refuses_and_what_it_would() {
        let refusing = |rejected_per_second| LimiterRow {
            rejected_per_second,
            admitted_per_second: 100.0,
            rejections: labelled("queue_full", rejected_per_second),
            ..LimiterRow::default()
        };
        assert_eq!(limiter(&refusing(0.5), 10.0), []);
        check(&limiter(&refusing(5.0), 10.0), Warning, "5 % of requests, mostly queue_full");
        check(&limiter(&refusing(300.0), 10.0), Critical, "75 % of requests");
        let long =
            LimiterRow { saturated: Some(0.95), wait_p99: Some(0.5), ..LimiterRow::default() };
        check(&limiter(&long, 10.0), Warning, "95 % of the time");
        let shadow = LimiterRow {
            mode: Some("shadow"),
            would_reject_per_second: 3.0,
            ..LimiterRow::default()
        };
        check(&limiter(&shadow, 10.0), Info, "would refuse 3.0 requests/s");
        let off = LimiterRow { mode: Some("off"), ..LimiterRow::default() };
        check(&limiter(&off, 10.0), Info, "nothing is limited");
    }

    #[test]
    fn a_pool_says_what_keeps_connections_from_callers() {
        let said = pool(&PoolRow {
            max: Some(8.0),
            foreign: Some(5.0),
            connect_failures_per_second: 2.0,
            timeouts_per_second: 1.0,
            oldest_hold: Some(30.0),
            rejections: labelled("foreign", 4.0),
            ..PoolRow::default()
        });
        check(&said, Critical, "cannot open connections, 2.0 failures/s");
        check(&said, Critical, "times out 1.0 times/s");
        check(&said, Warning, "refuses 4.0 callers/s, mostly foreign");
        check(&said, Warning, "others use 5 of its connections");
        check(&said, Warning, "out for 30 s");
        assert_eq!(pool(&PoolRow { max: Some(8.0), ..PoolRow::default() }), []);
    }

    #[test]
    fn a_batcher_says_what_costs_and_what_helps() {
        let row = BatcherRow {
            overhead_share: Some(0.8),
            mean_batch_items: Some(2.0),
            target_items: Some(64.0),
            queued_items: Some(90.0),
            queue_capacity: Some(100.0),
            items: labelled("batch_error", 10.0),
            bound: Some("max"),
            ..BatcherRow::default()
        };
        let said = batcher(&row);
        check(&said, Critical, "100 % of the items have no result");
        check(&said, Warning, "90 % full");
        check(&said, Info, "by max_in_flight");
        let full = BatcherRow { mean_batch_items: Some(64.0), ..row };
        check(&batcher(&full), Info, "a higher max_size would pay");
        let weighed = BatcherRow { bound: Some("weight"), ..full };
        check(&batcher(&weighed), Info, "see what bounds their size");
    }

    #[test]
    fn a_fan_out_says_how_many_items_fail() {
        let row = FanOutRow { items: labelled("timed_out", 10.0), ..FanOutRow::default() };
        check(&fan_out(&row), Critical, "100 % of the items fail");
        let stopped = FanOutRow { items: labelled("not_started", 10.0), ..FanOutRow::default() };
        assert_eq!(fan_out(&stopped), []);
    }

    #[test]
    fn the_worst_comes_first() {
        let rows = Rows {
            limiters: vec![LimiterRow { mode: Some("off"), ..LimiterRow::default() }],
            pools: vec![PoolRow { timeouts_per_second: 1.0, ..PoolRow::default() }],
            ..Rows::default()
        };
        let severities: Vec<_> = findings(&rows).iter().map(|one| one.severity).collect();
        assert_eq!(severities, [Critical, Info]);
    }
}

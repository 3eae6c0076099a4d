//! What to do, as a table below the pictures: what one sees, what it means, where to look.

use super::{
    super::{batcher, exporter, fan_out, fleet, limiter, pool, target_of},
    Draft, Line,
};

/// What one sees, what it means and what helps, and the uid and title of where to look.
type Advice = (&'static str, &'static str, &'static str, &'static str);

const ADVICE: &[Advice] = &[
    (
        "*Admission success* falls, saturation near 100 %, holds as usual",
        "more traffic than the limit admits: raise the limit while holds stay as they are, or add \
         instances",
        limiter::UID,
        "Limiter",
    ),
    (
        "refusals and waits grow together with holds",
        "what is behind the limiter has become slow: leave the limit, look at the pool and at the \
         dependency",
        limiter::UID,
        "Limiter",
    ),
    (
        "limiters refuse with `deadline`, `unmeetable` or `shed`",
        "callers wait longer than they may: a shorter queue refuses sooner and honestly",
        limiter::UID,
        "Limiter",
    ),
    (
        "pools refuse with `pool_held`, uses have grown",
        "connections are held too long: shorten transactions, look for the oldest hold",
        pool::UID,
        "Pool",
    ),
    (
        "pools refuse with `foreign`",
        "somebody takes connections without asking the limiter: move that behind it, or reserve \
         connections",
        pool::UID,
        "Pool",
    ),
    (
        "pools refuse with `connect_failing`",
        "the database refuses connections or cannot be reached: nothing in front of it helps",
        pool::UID,
        "Pool",
    ),
    (
        "pools refuse with `ceiling`",
        "the lease of this replica is smaller than its pool: others use the rest of the budget, or \
         the engine cannot be reached",
        fleet::UID,
        "Fleet",
    ),
    (
        "straggler share above 60 %",
        "a few items decide how long calls take: an item timeout, hedges, smaller chunks",
        fan_out::UID,
        "Fan-out",
    ),
    (
        "overhead share above 50 % while items queue",
        "batches are too small for the load: raise what binds them",
        batcher::UID,
        "Batcher",
    ),
    (
        "batchers refuse with `queue_full`",
        "what is behind is slower than its callers: allow more batches in flight, or slow callers \
         down",
        batcher::UID,
        "Batcher",
    ),
    (
        "panels are empty or have holes",
        "the numbers do not arrive: the scrape, a token, or an instance that is gone",
        exporter::UID,
        "Exporter",
    ),
];

pub(super) fn line() -> Line {
    let table = Draft::markdown(
        "What you see, and what helps",
        "The usual cases. Each link keeps the time range and what was chosen above.",
        content(),
    );
    Line { height: 12, panels: vec![table] }
}

fn content() -> String {
    let mut text = String::from(
        "| you see | it means, and what helps | look at |\n|:--|:--|:--|\n\
         | *Firing alerts* above zero | each alert has a runbook of its name in `docs/runbooks` | the red marks in the panels |\n",
    );
    for (seen, meaning, uid, title) in ADVICE {
        let url = target_of(uid);
        text.push_str(&format!("| {seen} | {meaning} | [{title}]({url}) |\n"));
    }
    text
}

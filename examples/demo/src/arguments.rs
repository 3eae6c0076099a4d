//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// Orders in the table unless `--orders` says otherwise: enough that the summary of one customer
/// aggregates thousands of rows.
pub(crate) const ORDERS: u32 = 200_000;

/// Shows one HTTP service twice, without and with Floodway, at half, five times and again half of
/// what it can do.
///
/// Everything is real: an axum server on loopback, a connection pool, SQLite in a temporary folder
/// (or your PostgreSQL), and a load generator that sends requests when they are due, whether
/// or not earlier ones were answered.
#[derive(Debug, Parser)]
// Negative numbers are wrong values, not unknown options.
#[command(name = "floodway-demo", version, allow_negative_numbers = true, after_long_help = DEFINITIONS)]
pub(crate) struct Arguments {
    /// Measure for shorter: at most 40 seconds in all, rather than 3 minutes
    #[arg(long)]
    pub(crate) quick: bool,

    /// Serve the protected service until Ctrl-C, with a status page at /floodway
    ///
    /// It has the page of a customer, too, which the services that are compared do not have: a fan-out
    /// over the database and two partner services.
    #[arg(long, conflicts_with_all = ["quick", "json"])]
    pub(crate) serve: bool,

    /// Drive the service that is served, with up to so many times what it can do
    ///
    /// Once a minute the rate swings from half of the measured capacity to so many times the
    /// capacity, and back.
    #[arg(long, value_name = "FACTOR", requires = "serve", value_parser = factor)]
    pub(crate) load: Option<f64>,

    /// Let whoever has this token change limits on the status page of --serve
    #[arg(long, value_name = "TOKEN", env = "FLOODWAY_DEMO_CONTROL_TOKEN", hide_env_values = true)]
    pub(crate) control_token: Option<String>,

    /// Seed of the arrivals and the mix of requests; the same for both services
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Loopback port to serve on [default: a free one]
    ///
    /// dashboards/prometheus/prometheus.yml scrapes 8080.
    #[arg(long)]
    pub(crate) port: Option<u16>,

    /// PostgreSQL to use instead of SQLite, as in postgres://user:password@host/database
    ///
    /// Everything happens in a schema floodway_demo, which is dropped if it exists, created, and
    /// dropped at the end.
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Write the figures to this file
    #[arg(long, value_name = "PATH")]
    pub(crate) json: Option<PathBuf>,

    /// Length of every phase, for tests
    #[arg(long, hide = true, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) phase_seconds: Option<Duration>,

    /// Rows in the table, for tests
    #[arg(long, hide = true, default_value_t = ORDERS, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) orders: u32,
}

/// Shown by `--help`: what the columns mean, because none of these words means one thing only.
const DEFINITIONS: &str = "\
What the figures mean:
  capacity    2xx responses per second to a few more clients than the pool has connections, each
              of which sends its next request when it has the answer, on the plain service; the
              mean of all measurements, which lie before, between and after the others
  rounds      three short overloads of the protected service, each between two measurements of
              the capacity; the share of the capacity is goodput over the mean of its two
              neighbours, because the speed of a shared machine moves within seconds
  phases      steady: half of the capacity as first measured; overload: five times; recovery: half
              again, from the instant at which the overload ends. Arrivals are random (Poisson)
  latency     from the instant at which the request was due, so a late generator shows; as root,
              it runs at a higher priority (nice -10)
  goodput     2xx responses per second that were complete within the phase
  p50, p99    latency of 2xx responses to requests that arrived in the phase, whenever answered
  rejections  responses that name Floodway's reason; pool timeouts: responses that name the pool
  failed      everything else: no connection, no answer within 10 s, other errors
  recovered   the first instant after the overload from which, for one second, 95 % of the
              arriving requests succeed within twice the steady p99 (at least 100 ms)
  inserts     64 callers, each of which places its next order when it has the answer, in the
              service's process and without HTTP: a statement for each order on the plain pool,
              and the batcher of the protected service; three times in turn, the medians

With --serve, orders that are placed at the same time go into the database together:
  curl -X POST http://127.0.0.1:PORT/orders -H 'content-type: application/json' -d
    '{\"customer_id\":1,\"product_id\":2,\"month\":3,\"quantity\":4,\"unit_price_cents\":500}'";

fn seconds(value: &str) -> Result<Duration, String> {
    number(value, 0.1, 600.0).map(Duration::from_secs_f64)
}

fn factor(value: &str) -> Result<f64, String> {
    number(value, 0.1, 100.0)
}

fn number(value: &str, min: f64, max: f64) -> Result<f64, String> {
    let number: f64 = value.parse().map_err(|error| format!("{error}"))?;
    if !(min..=max).contains(&number) {
        return Err(format!("out of range, expected {min} to {max}"));
    }
    Ok(number)
}

/// How long each part of the measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durations {
    pub(crate) warm_up: Duration,
    pub(crate) capacity: Duration,
    pub(crate) steady: Duration,
    pub(crate) overload: Duration,
    pub(crate) recovery: Duration,
    /// The overload of one round.
    pub(crate) round: Duration,
    /// Inserts in one way, in one round.
    pub(crate) inserts: Duration,
}

/// Overloads between measurements of the capacity; an odd number, so that one is the median.
pub(crate) const ROUNDS: usize = 3;

impl Arguments {
    pub(crate) fn durations(&self) -> Durations {
        let of = |seconds: [u64; 6], inserts| {
            let [warm_up, capacity, steady, overload, recovery, round] =
                seconds.map(Duration::from_secs);
            let inserts = Duration::from_millis(inserts);
            Durations { warm_up, capacity, steady, overload, recovery, round, inserts }
        };
        match self.phase_seconds {
            Some(each) => Durations {
                warm_up: each,
                capacity: each,
                steady: each,
                overload: each,
                recovery: each,
                round: each,
                inserts: each / 5,
            },
            // Six times the first two, twice the next three, three times the round, six times the
            // inserts, and the rest of the budget for filling the table and for stragglers: 34 of
            // 40 s, 153 of 180 s.
            // Where the capacity is no result, a rough one will do.
            None if self.quick || self.serve => of([1, 1, 2, 4, 3, 1], 150),
            None => of([2, 5, 10, 25, 10, 6], 500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inserts;

    fn check_refused(arguments: &[&str], expected: &[&str]) {
        let arguments = ["floodway-demo"].iter().chain(arguments);
        let error = Arguments::try_parse_from(arguments).expect_err("refused").to_string();
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }

    #[test]
    fn wrong_values_are_named_with_their_option() {
        check_refused(&["--seed", "abc"], &["--seed", "abc"]);
        check_refused(&["--seed", "-1"], &["--seed", "-1"]);
        check_refused(&["--port", "70000"], &["--port", "70000"]);
        check_refused(&["--orders", "0"], &["--orders", "'0'"]);
        check_refused(&["--phase-seconds", "-1"], &["--phase-seconds"]);
        check_refused(&["--phase-seconds=nan"], &["--phase-seconds", "nan"]);
        check_refused(&["--serve", "--quick"], &["--serve", "--quick"]);
        check_refused(&["--load", "3"], &["--serve"]);
        check_refused(&["--serve", "--load", "0"], &["--load", "'0'"]);
        check_refused(&["--serve", "--load=nan"], &["--load", "nan"]);
    }

    #[test]
    fn both_runs_fit_their_time_budget() {
        for (arguments, budget) in
            [(&["floodway-demo", "--quick"][..], 40), (&["floodway-demo"], 180)]
        {
            let durations = Arguments::parse_from(arguments).durations();
            let capacity = durations.warm_up + durations.capacity;
            let arm = durations.steady + durations.overload + durations.recovery;
            let rounds = ROUNDS as u32;
            // What remains is for filling the table and for the last answers.
            let inserts = 2 * inserts::ROUNDS * durations.inserts;
            let all = (3 + rounds) * capacity + 2 * arm + rounds * durations.round + inserts;
            assert!(all <= Duration::from_secs(budget - 6));
        }
    }
}

//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::Parser;

/// One axum service on an sqlx pool, twice: its handlers take connections from the bare pool, and
/// from a limiter that knows the pool.
///
/// Both are sent more requests than the pool can serve, when they are due, whether or not earlier
/// ones were answered, and the table says what became of them. Ends by itself within a minute.
#[derive(Debug, Parser)]
// Negative numbers are wrong values, not unknown options.
#[command(name = "floodway-pool-aware", version, allow_negative_numbers = true, after_long_help = DEFINITIONS)]
pub(crate) struct Arguments {
    /// Offered load, in multiples of what the pool can serve, as in 0.5x,2x,10x
    #[arg(long, value_name = "TIMES", value_delimiter = ',', default_value = "0.5x,2x,10x", value_parser = times)]
    pub(crate) load: Vec<f64>,

    /// How long each load is measured, on each of the two services, after two seconds of the same
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// Requests of a hundred that take two connections rather than one
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) two_connections: u8,

    /// Seed of the arrivals; the same for both services
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// PostgreSQL to use instead of SQLite in a temporary file, as in
    /// postgres://user:password@host/database; nothing is written to it
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Write the figures to this file
    #[arg(long, value_name = "PATH")]
    pub(crate) json: Option<PathBuf>,

    /// Draw goodput.svg and latency.svg into this folder; for two loads or more
    #[arg(long, value_name = "FOLDER")]
    pub(crate) svg: Option<PathBuf>,

    /// Serve the limited service, with its metrics, until Ctrl-C
    #[arg(long, conflicts_with_all = ["load", "seconds", "two_connections", "seed", "json", "svg"])]
    pub(crate) serve: bool,

    /// Loopback port to serve on [default: a free one]
    #[arg(long, requires = "serve")]
    pub(crate) port: Option<u16>,
}

/// Shown by `--help`.
const DEFINITIONS: &str = "\
What the columns mean:
  load        requests arrive at random (Poisson), at so many times the rate that the plain service
              answers to a few more clients than the pool has connections, each of which sends its
              next request when it has the answer; the best of four seconds
  goodput     2xx responses per second that were complete while requests arrived
  p50, p99    of 2xx responses, from the instant at which the request was due, whenever answered
  refused     responses 503, by their cause; pool_timeout is the pool's own
  told within 99 % of those refused were told so within this time
  opened      connections that the pool opened, or began to open, from the beginning of
              the load, when it has all it may have; PostgreSQL counts those of others, too

The service runs in this process, and requests go to its router without a network. A request of the
default SQLite computes for some milliseconds; one of PostgreSQL waits there for 20 ms.";

impl Arguments {
    /// What clap cannot check, because it is about two values.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            self.svg.is_none() || self.load.len() > 1,
            "--svg: a line needs two points, expected two loads or more in --load"
        );
        Ok(())
    }
}

fn times(value: &str) -> Result<f64, String> {
    let number = value.strip_suffix('x').unwrap_or(value);
    let times: f64 = number.parse().map_err(|error| format!("{error}"))?;
    if !(0.1..=20.0).contains(&times) {
        return Err("out of range, expected 0.1x to 20x".into());
    }
    Ok(times)
}

fn seconds(value: &str) -> Result<Duration, String> {
    let seconds: f64 = value.parse().map_err(|error| format!("{error}"))?;
    if !(0.1..=600.0).contains(&seconds) {
        return Err("out of range, expected 0.1 to 600".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let arguments = ["floodway-pool-aware"].iter().chain(arguments);
        let arguments = Arguments::try_parse_from(arguments).map_err(|error| error.to_string())?;
        arguments.check().map_err(|error| error.to_string())?;
        Ok(arguments)
    }

    fn check_refused(arguments: &[&str], expected: &[&str]) {
        let error = parse(arguments).expect_err("refused");
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }

    #[test]
    fn wrong_values_are_named_with_their_option() {
        check_refused(&["--load", "many"], &["--load", "many"]);
        check_refused(&["--load", "2x,0x"], &["--load", "'0x'", "0.1x to 20x"]);
        check_refused(&["--load", "nan"], &["--load", "nan"]);
        check_refused(&["--seconds", "-1"], &["--seconds", "0.1 to 600"]);
        check_refused(&["--two-connections", "101"], &["--two-connections", "101"]);
        check_refused(&["--serve", "--json", "x"], &["--serve", "--json"]);
        check_refused(&["--port", "80"], &["--serve"]);
        check_refused(&["--svg", "x", "--load", "2x"], &["--svg", "--load"]);
    }

    #[test]
    fn loads_are_a_list_with_or_without_the_sign() {
        assert_eq!(parse(&["--load", "0.5x,10"]).expect("valid").load, [0.5, 10.0]);
        assert_eq!(parse(&[]).expect("valid").load, [0.5, 2.0, 10.0]);
        assert!(parse(&["--serve", "--port", "8080"]).expect("valid").serve);
    }
}

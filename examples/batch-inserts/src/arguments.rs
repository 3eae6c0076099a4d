//! The command line.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

/// Many callers insert a row each, one by one and through a batcher, and the table says what it
/// made of them.
///
/// Each caller waits for its row before it has the next one, as a request handler does. A run ends
/// when all rows are in or the time is up.
#[derive(Debug, Parser)]
// Negative numbers are wrong values, not unknown options.
#[command(name = "floodway-batch-inserts", version, allow_negative_numbers = true, after_long_help = DEFINITIONS)]
pub(crate) struct Arguments {
    /// SQLite in a temporary folder, a transaction for each batch; the default
    #[arg(long, conflicts_with = "database")]
    embedded: bool,

    /// PostgreSQL to use instead, as in postgres://user:password@host/database
    ///
    /// Everything happens in a schema floodway_batch_inserts, which is dropped if it exists,
    /// created, and dropped at the end.
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// How a batch goes to PostgreSQL
    #[arg(long, value_enum, default_value_t = Statement::Unnest, requires = "database")]
    pub(crate) statement: Statement,

    /// Connections to PostgreSQL
    #[arg(long, default_value_t = 8, requires = "database", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) connections: u32,

    /// Batches that PostgreSQL may have at once; few is good, because what waits goes together
    #[arg(long, value_name = "BATCHES", default_value_t = 2, requires = "database")]
    pub(crate) in_flight: usize,

    /// Callers at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) callers: u32,

    /// Rows of each run
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) rows: u64,

    /// The longest that a run may take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// Rows of each run that break a rule of the table, spread over it; the others are to be stored
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    pub(crate) bad_rows: u64,

    /// Measure batches of at most so many rows, too, as in 16,64,256
    #[arg(long, value_name = "ROWS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) fixed: Vec<u32>,
}

/// How a batch of rows is one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Statement {
    /// An array for each column
    Unnest,
    /// A list of values for each row
    Values,
}

/// Shown by `--help`.
const DEFINITIONS: &str = "\
What the columns mean:
  rows        rows that were stored
  p50, p99    from the call for a row to its answer
  rows/batch  mean over all batches; no size is waited for
  α, β        what a batch costs whatever its size, and what a row adds, as estimated; –: not known
  overhead    the share of the batches' time that was α";

impl Arguments {
    /// What clap cannot check, because it is about two values.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { rows, bad_rows, in_flight, connections, .. } = self;
        ensure!(bad_rows <= rows, "--bad-rows {bad_rows}: there are only --rows {rows}");
        ensure!(
            *in_flight > 0,
            "--in-flight 0: no batch would ever go, expected 1 to {connections}"
        );
        ensure!(
            *in_flight <= *connections as usize,
            "--in-flight {in_flight}: each batch needs a connection of its own, and there are \
             only --connections {connections}"
        );
        Ok(())
    }
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
        let arguments = ["floodway-batch-inserts"].iter().chain(arguments);
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
        check_refused(&["--callers", "0"], &["--callers", "'0'"]);
        check_refused(&["--rows", "-1"], &["--rows", "-1"]);
        check_refused(&["--seconds", "nan"], &["--seconds", "nan"]);
        check_refused(&["--seconds", "0"], &["--seconds", "0.1 to 600"]);
        check_refused(&["--fixed", "16,0"], &["--fixed", "'0'"]);
        check_refused(&["--rows", "5", "--bad-rows", "6"], &["--bad-rows 6", "--rows 5"]);
        check_refused(&["--statement", "values"], &["--database"]);
        check_refused(&["--embedded", "--database", "postgres://host"], &["--embedded"]);
        let postgres = ["--database", "postgres://host", "--in-flight"];
        check_refused(&[&postgres[..], &["0"]].concat(), &["--in-flight 0"]);
        check_refused(&[&postgres[..], &["9"]].concat(), &["--in-flight 9", "--connections 8"]);
        check_refused(
            &["--database", "postgres://h", "--statement", "copy"],
            &["'copy'", "unnest"],
        );
    }

    #[test]
    fn sizes_are_a_list() {
        assert_eq!(parse(&["--fixed", "16,64"]).expect("valid").fixed, [16, 64]);
        assert!(parse(&["--embedded"]).expect("valid").fixed.is_empty());
    }
}

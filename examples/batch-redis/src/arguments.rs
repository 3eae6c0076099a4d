//! The command line.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

/// Many callers issue a command each, one by one and through a batcher, and the table says what it
/// made of them.
///
/// The commands are SET, GET and INCR in turn, on one connection that all callers share, with a
/// batcher and without: so the library sends much at once either way, and what a batcher saves is what
/// the library does for each command. Each caller waits for its answer before it has the next command,
/// as a request handler does. A run ends when all commands have their answer or the time is up.
#[derive(Debug, Parser)]
// Negative numbers are wrong values, not unknown options.
#[command(name = "floodway-batch-redis", version, allow_negative_numbers = true, after_long_help = DEFINITIONS)]
pub(crate) struct Arguments {
    /// The server, as in redis://user:password@host:port/ or redis+unix:///path
    ///
    /// All keys begin with floodway-batch-redis: and are removed at the end.
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,

    /// Pipelines on their way at once; few is good, because what waits goes together
    #[arg(long, value_name = "BATCHES", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) in_flight: u32,

    /// Callers at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) callers: u32,

    /// Commands of each run
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) commands: u64,

    /// The longest that a run may take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// Commands of each run that Redis refuses, spread over it; the others are to be done
    #[arg(long, value_name = "COMMANDS", default_value_t = 0)]
    pub(crate) bad_commands: u64,

    /// Measure batches of at most so many commands, too, as in 16,64,256
    #[arg(long, value_name = "COMMANDS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) fixed: Vec<u32>,
}

/// Shown by `--help`.
const DEFINITIONS: &str = "\
What the columns mean:
  commands        commands that were done
  p50, p99        from the call for a command to its answer
  commands/batch  mean over all batches; no size is waited for
  α, β            what a batch costs whatever its size, and what a command adds, as estimated;
                  –: not known
  overhead        the share of the batches' time that was α";

impl Arguments {
    /// What clap cannot check, because it is about two values.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { commands, bad_commands: bad, .. } = self;
        ensure!(bad <= commands, "--bad-commands {bad}: there are only --commands {commands}");
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

    fn check_refused(arguments: &[&str], expected: &[&str]) {
        let arguments = ["floodway-batch-redis"].iter().chain(arguments);
        let error = match Arguments::try_parse_from(arguments) {
            Ok(arguments) => arguments.check().expect_err("refused").to_string(),
            Err(error) => error.to_string(),
        };
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }

    #[test]
    fn wrong_values_are_named_with_their_option() {
        check_refused(&["--callers", "0"], &["--callers", "'0'"]);
        check_refused(&["--in-flight", "0"], &["--in-flight", "'0'"]);
        check_refused(&["--commands", "-1"], &["--commands", "-1"]);
        check_refused(&["--seconds", "nan"], &["--seconds", "nan"]);
        check_refused(&["--fixed", "16,x"], &["--fixed", "'x'"]);
        let more_bad_than_all = ["--commands", "5", "--bad-commands", "6"];
        check_refused(&more_bad_than_all, &["--bad-commands 6", "--commands 5"]);
    }
}

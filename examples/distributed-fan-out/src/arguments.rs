//! The command line.

use std::{path::PathBuf, process, time::Duration};

use anyhow::{Result, bail, ensure};
use clap::{Args, Parser, Subcommand, value_parser};

use crate::{span, store::Job, unique, work::Work};

/// Runs an operation for a million items in workers of several processes, with exactly one recorded
/// outcome for each item, whoever is killed meanwhile.
///
/// Items are scattered into a Redis Stream; workers take them as consumers of one group, run them
/// under permits that they share, and record what became of each. Ctrl-C stops it, and so does
/// anything worse; the same command goes on from there.
#[derive(Debug, Parser)]
// Negative numbers are wrong values, not unknown options.
#[command(name = "floodway-distributed-fan-out", version, allow_negative_numbers = true)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes items of a job that was begun elsewhere, until it is done
    #[command(allow_negative_numbers = true)]
    Worker(WorkerArguments),
}

/// A job and its workers.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) at: At,

    /// Items of the job [default: 1000000; 80000 with --compare-workers]
    #[arg(long, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) items: Option<u64>,

    /// What an item takes: none, or io:TIME for waiting so long [default: io:2ms]
    #[arg(long)]
    pub(crate) work: Option<Work>,

    /// Permits that all workers share: so many items run at a time [default: 40]
    #[arg(long, value_name = "PERMITS", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) budget: Option<u32>,

    /// The name of what they share, for jobs of other names to share it, too [default: that of the job]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) budget_name: Option<String>,

    /// Items in an entry of the stream; fewer if items take long [default: 64]
    #[arg(long, value_name = "ITEMS", value_parser = value_parser!(u64).range(1..=10_000))]
    pub(crate) chunk: Option<u64>,

    /// Deliveries of an item before it has failed [default: 5]
    #[arg(long, value_name = "DELIVERIES", value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) attempts: Option<u32>,

    /// Items that always fail, spread over all [default: 0]
    #[arg(long, value_name = "ITEMS")]
    pub(crate) poison: Option<u64>,

    /// Items that end the process that takes them, spread over all [default: 0]
    #[arg(long, value_name = "ITEMS")]
    pub(crate) lethal: Option<u64>,

    /// Worker processes to start here; 0 if they are elsewhere
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u16).range(0..=64))]
    pub(crate) workers: u16,

    /// Items that one worker runs at a time, if it has the permits
    #[arg(long, value_name = "ITEMS", default_value_t = 16, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) concurrency: u32,

    /// Entries that may wait in Redis
    #[arg(long, value_name = "ENTRIES", default_value_t = 1_024, value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub(crate) unread: u64,

    /// Kill a worker (kill -9) and start another in its place, again and again, as in 2s
    #[arg(long, value_name = "TIME", value_parser = kill_every)]
    pub(crate) kill_every: Option<Duration>,

    /// Forget what was done of a job of this name, and begin it again
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Leave the keys of a job that is done in Redis
    #[arg(long)]
    pub(crate) keep: bool,

    /// Measure what two workers do in the time of one, in turns
    #[arg(long, conflicts_with_all = ["workers", "kill_every", "fresh", "keep"])]
    pub(crate) compare_workers: bool,

    /// How often each is measured with --compare-workers
    #[arg(long, default_value_t = 3, requires = "compare_workers", value_parser = value_parser!(u16).range(1..=100))]
    pub(crate) rounds: u16,

    /// Write the ratios of --compare-workers there
    #[arg(long, value_name = "PATH", requires = "compare_workers")]
    pub(crate) json: Option<PathBuf>,
}

/// One worker.
#[derive(Clone, Debug, Args)]
pub(crate) struct WorkerArguments {
    #[command(flatten)]
    pub(crate) at: At,

    /// Its name in the report and in the fleet; no other process may have it [default: HOST-PID]
    #[arg(long, value_parser = name)]
    name: Option<String>,

    /// Items that it runs at a time, if it has the permits
    #[arg(long, value_name = "ITEMS", default_value_t = 16, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) concurrency: u32,

    /// End with whoever holds the other end of stdin
    #[arg(long, hide = true)]
    pub(crate) attached: bool,
}

/// Where a job is.
#[derive(Clone, Debug, Args)]
pub(crate) struct At {
    /// The server, as in redis://user:password@host:port/ [default: the variable REDIS_URL]
    ///
    /// All keys begin with floodway-distributed-fan-out: and are removed when the job is done.
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,

    /// The name of the job; one coordinator and any number of workers have the same
    #[arg(long, value_name = "NAME", default_value = "job", value_parser = name)]
    pub(crate) job: String,
}

impl RunArguments {
    /// What clap cannot check, because it is about two values.
    pub(crate) fn check(&self) -> Result<()> {
        let items = self.wanted().items;
        for (option, some) in [("--poison", self.poison), ("--lethal", self.lethal)] {
            let some = some.unwrap_or_default();
            ensure!(some <= items, "{option} {some}: there are only --items {items}");
        }
        ensure!(
            self.kill_every.is_none() || self.workers > 0,
            "--kill-every: there is nobody to kill with --workers 0"
        );
        Ok(())
    }

    /// The job, if it is not there yet.
    pub(crate) fn wanted(&self) -> Job {
        let items = if self.compare_workers { 80_000 } else { 1_000_000 };
        Job {
            run: unique::id(),
            items: self.items.unwrap_or(items),
            chunk: self.chunk.unwrap_or(64),
            attempts: self.attempts.unwrap_or(5),
            budget: self.budget.unwrap_or(40),
            budget_name: self.budget_name.as_ref().unwrap_or(&self.at.job).clone(),
            work: self.work.unwrap_or(Work::Io(Duration::from_millis(2))),
            poisoned: self.poison.unwrap_or(0),
            lethal: self.lethal.unwrap_or(0),
        }
    }

    /// Refuses to go on with a job that was begun with other values than are asked for now.
    pub(crate) fn check_against(&self, job: &Job) -> Result<()> {
        let text = |value: Option<u64>| value.map(|value| value.to_string());
        for (option, asked, begun) in [
            ("--items", text(self.items), job.items.to_string()),
            ("--chunk", text(self.chunk), job.chunk.to_string()),
            ("--attempts", text(self.attempts.map(u64::from)), job.attempts.to_string()),
            ("--budget", text(self.budget.map(u64::from)), job.budget.to_string()),
            ("--budget-name", self.budget_name.clone(), job.budget_name.clone()),
            ("--work", self.work.map(|work| work.to_string()), job.work.to_string()),
            ("--poison", text(self.poison), job.poisoned.to_string()),
            ("--lethal", text(self.lethal), job.lethal.to_string()),
        ] {
            if let Some(asked) = asked
                && asked != begun
            {
                bail!(
                    "{option} {asked}: job {} was begun with {begun}; leave it out to go on, or \
                     say --fresh to begin again",
                    self.at.job
                );
            }
        }
        Ok(())
    }
}

impl WorkerArguments {
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let host = rustix::system::uname();
            format!("{}-{}", host.nodename().to_string_lossy(), process::id())
        })
    }
}

fn kill_every(value: &str) -> Result<Duration, String> {
    let time = span::parse(value)?;
    if time < Duration::from_millis(50) {
        return Err("out of range, expected 50ms or more".into());
    }
    Ok(time)
}

/// Goes into the names of keys, where braces have a meaning.
fn name(value: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match value.len() {
        1..=40 if value.chars().all(allowed) => Ok(value.to_owned()),
        _ => Err("expected up to 40 letters, digits, - _ or .".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(arguments: &[&str], expected: &[&str]) {
        let arguments = ["floodway-distributed-fan-out"].iter().chain(arguments);
        let error = match Arguments::try_parse_from(arguments) {
            Ok(arguments) => arguments.run.check().expect_err("refused").to_string(),
            Err(error) => error.to_string(),
        };
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }

    #[test]
    fn wrong_values_are_named_with_their_option() {
        check_refused(&["--items", "0"], &["--items", "'0'"]);
        check_refused(&["--items", "-1"], &["--items", "-1"]);
        check_refused(&["--work", "cpu:2ms"], &["--work", "io:2ms"]);
        check_refused(&["--kill-every", "2"], &["--kill-every", "'2'"]);
        check_refused(&["--kill-every", "1ms"], &["--kill-every", "50ms"]);
        check_refused(&["--job", "a{b}"], &["--job", "a{b}"]);
        check_refused(&["--attempts", "0"], &["--attempts", "'0'"]);
        check_refused(&["--items", "5", "--poison", "6"], &["--poison 6", "--items 5"]);
        check_refused(&["--workers", "0", "--kill-every", "2s"], &["--kill-every", "--workers 0"]);
        check_refused(
            &["--compare-workers", "--workers", "3"],
            &["--compare-workers", "--workers"],
        );
        check_refused(&["--json", "x"], &["--compare-workers"]);
        check_refused(&["worker", "--name", ""], &["--name", "letters"]);
        check_refused(&["worker", "--items", "5"], &["--items"]);
    }

    #[test]
    fn a_job_is_gone_on_with_as_it_was_begun() {
        let parse = |arguments: &[&str]| {
            let arguments = ["floodway-distributed-fan-out"].iter().chain(arguments);
            Arguments::try_parse_from(arguments).expect("valid").run
        };
        let job = parse(&["--items", "7", "--work", "none"]).wanted();
        parse(&[]).check_against(&job).expect("nothing else is asked for");
        parse(&["--items", "7"]).check_against(&job).expect("the same");
        let error = parse(&["--work", "io:1ms"]).check_against(&job).expect_err("another");
        assert!(error.to_string().contains("--work io:1ms"), "{error}");
    }
}

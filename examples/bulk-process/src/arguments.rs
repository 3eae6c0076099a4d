//! The command line.

use std::{env, path::PathBuf};

use clap::Parser;
use floodway::fan_out::Tolerance;

/// Adds up and hashes every line of a file on all cores, and writes the results in the order of the
/// lines.
///
/// Lines are `id,customer,cents,text`. Whatever the length of the file, memory holds a few thousand
/// lines of it. Ctrl-C stops between two lines and says how to go on from there.
#[derive(Debug, Parser)]
#[command(name = "floodway-bulk-process", version)]
pub(crate) struct Arguments {
    /// The file to process [default: one that is generated]
    pub(crate) file: Option<PathBuf>,

    /// Lines to generate if no file is given; the same ones every time
    #[arg(long, default_value_t = 1_000_000, conflicts_with = "file")]
    pub(crate) lines: u64,

    /// Where the results go [default: a file in the temporary folder]
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Keep the results of so many lines and go on behind them
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    pub(crate) resume_from: u64,

    /// The share of lines that may be malformed before the rest is given up, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = tolerance)]
    pub(crate) tolerance: Tolerance,

    /// Stop once so many lines were written, for tests
    #[arg(long, hide = true, value_name = "LINES")]
    pub(crate) stop_after: Option<u64>,
}

impl Arguments {
    pub(crate) fn input(&self) -> PathBuf {
        let generated = || env::temp_dir().join("floodway-bulk-process.csv");
        self.file.clone().unwrap_or_else(generated)
    }

    pub(crate) fn output(&self) -> PathBuf {
        let default = || env::temp_dir().join("floodway-bulk-process.out");
        self.output.clone().unwrap_or_else(default)
    }

    /// The command that goes on from a line.
    pub(crate) fn again(&self, line: u64) -> String {
        let mut command = String::from("cargo run --release -p floodway-bulk-process --");
        match &self.file {
            Some(file) => command += &format!(" {}", file.display()),
            None => command += &format!(" --lines {}", self.lines),
        }
        if let Some(output) = &self.output {
            command += &format!(" --output {}", output.display());
        }
        command + &format!(" --resume-from {line}")
    }
}

fn tolerance(value: &str) -> Result<Tolerance, String> {
    let share = value.parse().map_err(|error| format!("{error}"))?;
    Tolerance::new(0, share).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_named_with_their_option() {
        for (arguments, part) in [
            (&["--tolerance", "2"], "--tolerance"),
            (&["--tolerance", "nan"], "--tolerance"),
            (&["--resume-from", "x"], "--resume-from"),
        ] {
            let arguments = ["floodway-bulk-process"].iter().chain(arguments);
            let error = Arguments::try_parse_from(arguments).expect_err("refused").to_string();
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }
}

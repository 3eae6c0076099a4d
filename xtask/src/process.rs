//! Running other programs, with their command line shown first.

use std::{
    env,
    process::{Command, ExitCode, ExitStatus},
};

use anyhow::{Context, Result, bail};

/// The cargo that runs this program, so that a toolchain override stays in force.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Prints the command, runs it to its end and gives its status.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let line = line(command);
    println!("$ {line}");
    command.status().with_context(|| format!("cannot start `{line}`"))
}

/// As [`status`]; a status other than success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// As [`status`], and gives its exit code to pass on.
pub(crate) fn forward(command: &mut Command) -> Result<ExitCode> {
    let status = status(command)?;
    // A program that was killed by a signal has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(code.into())
}

/// Runs the command silently and gives its standard output without the final newline.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed text that is not UTF-8", line(command)))?;
    Ok(text.trim_end().to_owned())
}

/// The command as one would type it: what it sets in the environment, its name, its arguments.
fn line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        let pair = format!("{}={}", name.display(), value?.display());
        Some(if pair.contains(' ') { format!("'{pair}'") } else { pair })
    });
    // The program may be a long absolute path; its last part is what one would type.
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words = words.map(|word| word.display().to_string());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line(&command), "'RUSTDOCFLAGS=-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn failure_is_an_error_that_names_the_command() {
        let error = run(&mut Command::new("false")).unwrap_err().to_string();
        assert!(error.starts_with("`false` failed"), "{error}");
        run(&mut Command::new("true")).unwrap();
    }
}

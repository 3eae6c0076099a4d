//! What is written where.

use std::{
    fmt,
    io::{self, Write as _},
};

use serde::Serialize;

/// To who asked.
pub(crate) fn say(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// As JSON, on one line.
pub(crate) fn say_json(value: &impl Serialize) -> io::Result<()> {
    say(serde_json::to_string(value).map_err(io::Error::other)?)
}

/// To who watches, one line.
#[expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]
pub(crate) fn complain(text: impl fmt::Display) {
    eprintln!("floodway-fleet: {text}");
}

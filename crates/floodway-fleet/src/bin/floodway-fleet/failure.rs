//! Why a command could not be carried out, in one line.

use std::{error::Error, fmt, io, time::Duration};

use floodway_fleet::StoreError;

use crate::time::show;

/// Is shown with all its causes.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody said which engine.
    NoEngine,
    /// What it is might contain a password; with what it could begin.
    NotAnEngine(String),
    /// The engine failed.
    Store(StoreError),
    /// The engine has not answered.
    TimedOut(Duration),
    /// There is no such budget among these.
    UnknownBudget { budget: String, known: Vec<String> },
    /// What was asked for makes no sense, and why.
    Refused(String),
    /// What there is to say cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEngine => {
                f.write_str("no engine: give --store URL or set FLOODWAY_FLEET_STORE")
            }
            Self::NotAnEngine(schemes) => {
                write!(
                    f,
                    "--store does not name an engine, expected a URL that begins with one of {schemes}"
                )
            }
            Self::Store(error) => f.write_str(&with_causes(error)),
            Self::TimedOut(after) => {
                write!(f, "the engine has not answered within {}", show(*after))
            }
            Self::UnknownBudget { budget, known } if known.is_empty() => {
                write!(f, "budget {budget:?} is unknown: no replica has leased anything yet")
            }
            Self::UnknownBudget { budget, known } => {
                write!(f, "budget {budget:?} is unknown; there are: {}", known.join(", "))
            }
            Self::Refused(reason) => f.write_str(reason),
            Self::Output(error) => write!(f, "cannot write: {error}"),
        }
    }
}

/// `error` and what it comes from. Libraries repeat their causes; what is in the line already is left out.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

//! What was found, how bad it is, and what to change.

use std::{fmt, io};

use serde::Serialize;

use crate::{
    Outcome,
    output::{say, say_json},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Ok,
    Warning,
    Broken,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    level: Level,
    /// What was looked at.
    check: &'static str,
    /// Of which budget; of the engine if none.
    budget: Option<String>,
    found: String,
    change: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, found: impl fmt::Display) -> Self {
        Self::new(Level::Ok, check, found)
    }

    pub(crate) fn warning(check: &'static str, found: impl fmt::Display) -> Self {
        Self::new(Level::Warning, check, found)
    }

    pub(crate) fn broken(check: &'static str, found: impl fmt::Display) -> Self {
        Self::new(Level::Broken, check, found)
    }

    fn new(level: Level, check: &'static str, found: impl fmt::Display) -> Self {
        Self { level, check, budget: None, found: found.to_string(), change: None }
    }

    pub(crate) fn of(self, budget: &str) -> Self {
        Self { budget: Some(budget.to_owned()), ..self }
    }

    pub(crate) fn change(self, change: impl Into<String>) -> Self {
        Self { change: Some(change.into()), ..self }
    }
}

/// In the order in which they were found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    findings: Vec<Finding>,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn worst(&self) -> Outcome {
        match self.findings.iter().map(|finding| finding.level).max() {
            None | Some(Level::Ok) => Outcome::Fine,
            Some(Level::Warning) => Outcome::Warned,
            Some(Level::Broken) => Outcome::Broken,
        }
    }

    pub(crate) fn show(&self, json: bool) -> io::Result<()> {
        if json {
            return say_json(self);
        }
        for Finding { level, check, budget, found, change } in &self.findings {
            let of = budget.as_ref().map(|budget| format!("{budget}: ")).unwrap_or_default();
            say(format_args!("{:8} {check:18} {of}{found}", level.as_str()))?;
            if let Some(change) = change {
                say(format_args!("{:8} {:18} -> {change}", "", ""))?;
            }
        }
        Ok(())
    }
}

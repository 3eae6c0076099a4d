//! The figures of a suite, as a table and as JSON.

use std::{borrow::Cow, fs, path::Path};

use anyhow::Context;
use serde::Serialize;

/// What a suite measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    suite: &'static str,
    results: Vec<Figure>,
}

/// One figure and what it should be.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) id: Cow<'static, str>,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
    pub(crate) better: Better,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

impl Report {
    pub(crate) const fn new(suite: &'static str) -> Self {
        Self { suite, results: Vec::new() }
    }

    /// Adds a figure that should be at most `goal`, or that has none.
    pub(crate) fn lower(
        &mut self,
        id: impl Into<Cow<'static, str>>,
        value: f64,
        unit: &'static str,
        goal: Option<f64>,
    ) {
        self.results.push(Figure { id: id.into(), value, unit, goal, better: Better::Lower });
    }

    /// Adds a figure that should be at least `goal`, or that has none.
    pub(crate) fn higher(
        &mut self,
        id: impl Into<Cow<'static, str>>,
        value: f64,
        unit: &'static str,
        goal: Option<f64>,
    ) {
        self.results.push(Figure { id: id.into(), value, unit, goal, better: Better::Higher });
    }

    pub(crate) fn print(&self) {
        for Figure { id, value, unit, goal, better } in &self.results {
            let meets = |goal: &f64| match better {
                Better::Lower => value <= goal,
                Better::Higher => value >= goal,
            };
            let verdict = match goal {
                Some(goal) if meets(goal) => format!("goal {goal}, met"),
                Some(goal) => format!("goal {goal}, MISSED"),
                None => String::new(),
            };
            println!("{id:<66} {value:>9.3} {unit:<6} {verdict}");
        }
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(path, json + "\n")
            .with_context(|| format!("--json: cannot write {}", path.display()))
    }
}

//! `docs/reports/limits.md`, `chunks.md`, `batching.md` and `fleet.md`: what the simulations say, for people.

mod batches;
mod charts;
mod chunks;
mod fleet;
mod fleet_charts;
mod tables;

pub(crate) use batches::BatchReport;
pub(crate) use chunks::ChunkReport;
pub(crate) use fleet::FleetReport;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{goals::Figure, storm::Storm, study::Study};

/// All figures of a run, in the format that every suite of this workspace writes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Figures {
    pub(crate) suite: String,
    pub(crate) results: Vec<Figure>,
}

impl Figures {
    pub(crate) fn new(results: Vec<Figure>) -> Self {
        Self { suite: "sim".to_owned(), results }
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write(path, &(serde_json::to_string_pretty(self)? + "\n"))
    }
}

/// What the report is made of.
pub(crate) struct Report<'a> {
    /// The studies that the constants were chosen with.
    pub(crate) tuned: &'a [Study],
    pub(crate) untuned: &'a [Study],
    pub(crate) storms: &'a [Storm],
    pub(crate) figures: &'a Figures,
    pub(crate) seeds: u64,
    pub(crate) untuned_seeds: u64,
}

/// The folder of the reports of this workspace.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports")
}

impl Report<'_> {
    /// Writes the page, its charts and its figures.
    pub(crate) fn write(&self) -> Result<()> {
        let folder = folder();
        let pictures = folder.join("limits");
        fs::create_dir_all(&pictures)
            .with_context(|| format!("cannot create {}", pictures.display()))?;
        for study in self.tuned {
            for outcome in study.results.iter().filter(|outcome| !outcome.traces.is_empty()) {
                let name = format!("{}.svg", outcome.scenario.id.to_lowercase());
                write(&pictures.join(name), &charts::draw(outcome)?)?;
            }
        }
        write(&folder.join("limits.md"), &tables::page(self)?)?;
        self.figures.write(&folder.join("limits.json"))
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

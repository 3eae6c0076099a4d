//! `cargo xtask codegen`: files that are made from the metric catalogue.

mod dashboard;
mod grafana;
mod promql;
mod reference;
mod rules;
#[cfg(test)]
mod selectors;

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a file is not what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

/// A generated file.
struct Generated {
    /// Relative to the root.
    path: &'static str,
    text: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let stale = stale(&root)?;
    if args.check {
        let paths: Vec<_> = stale.iter().map(|file| file.path).collect();
        if !paths.is_empty() {
            bail!("stale: {}; run `cargo xtask codegen`", paths.join(", "));
        }
        return Ok(());
    }
    for file in stale {
        let path = root.join(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

/// The files that are missing from `root` or have another content there.
fn stale(root: &Path) -> Result<Vec<Generated>> {
    let mut files = generated()?;
    files.retain(|file| {
        fs::read_to_string(root.join(file.path)).map_or(true, |present| present != file.text)
    });
    Ok(files)
}

fn generated() -> Result<Vec<Generated>> {
    let mut files = vec![Generated { path: "docs/metrics.md", text: reference::markdown() }];
    for (path, dashboard) in dashboard::all() {
        let mut text = serde_json::to_string_pretty(&dashboard)
            .with_context(|| format!("cannot write {path} as JSON"))?;
        text.push('\n');
        files.push(Generated { path, text });
    }
    files.extend(rules::all().into_iter().map(|(path, text)| Generated { path, text }));
    Ok(files)
}

/// The name of a label, as a heading.
fn title(name: &str) -> String {
    let word = hyphenated(name);
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The name of a label, in a sentence.
fn hyphenated(name: &str) -> String {
    name.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_fresh() {
        run(&Args { check: true }).unwrap();
    }

    #[test]
    fn everything_is_stale_where_nothing_is() {
        let stale = stale(Path::new("no/such/folder")).unwrap();
        let paths: Vec<_> = stale.iter().map(|file| file.path).collect();
        assert_eq!(
            paths,
            [
                "docs/metrics.md",
                "dashboards/overview.json",
                "dashboards/limiter.json",
                "dashboards/pool.json",
                "dashboards/fleet.json",
                "dashboards/fan-out.json",
                "dashboards/batcher.json",
                "dashboards/exporter.json",
                "dashboards/prometheus/recording-rules.yml",
                "dashboards/prometheus/alerting-rules.yml",
                "dashboards/prometheus/tests/limiter.yml",
                "dashboards/prometheus/tests/pool.yml",
                "dashboards/prometheus/tests/fleet.yml",
                "dashboards/prometheus/tests/fan-out.yml",
                "dashboards/prometheus/tests/batcher.yml",
                "dashboards/prometheus/tests/exporter.yml",
                "dashboards/prometheus/tests/days.yml",
                "docs/runbooks/README.md",
            ]
        );
    }
}

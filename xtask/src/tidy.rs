//! `cargo xtask tidy`: the rules that neither the compiler nor clippy knows.

mod arrows;
mod manifest;
mod source;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

pub(crate) use arrows::published_crates;

use crate::workspace;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    /// Relative to the root.
    path: PathBuf,
    /// From 1.
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// A text file of the workspace.
struct TextFile {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl TextFile {
    fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, message: message.into() }
    }

    /// The lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().zip(1..).map(|(line, number)| (number, line))
    }
}

pub(crate) fn run() -> Result<()> {
    let violations = violations()?;
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => bail!("tidy found {count} violation(s)"),
    }
}

fn violations() -> Result<Vec<Violation>> {
    let root = workspace::root();
    let files = text_files(&root)?;
    let mut found: Vec<_> = files.iter().flat_map(source::check).collect();
    let metadata = workspace::metadata()?;
    found.extend(manifest::check(&metadata, &files));
    found.extend(arrows::check(&metadata));
    found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(found)
}

fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    for path in workspace::files(root)? {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let path = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        // What is not UTF-8 is an image or an archive; no rule is about those.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path, text });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let found = super::violations().unwrap();
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "run `cargo xtask tidy`:\n{}", lines.join("\n"));
    }
}

//! `cargo xtask dashboards render`: pictures of the dashboards and of the status page, from real data.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Draw dashboards/*.json with Grafana's own components, and take pictures of a status page.
    ///
    /// Fails where a panel shows no data or an error. Annotations are left out.
    Render(Render),
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true).multiple(true))]
struct Render {
    /// The Prometheus to ask, which scrapes a service under load.
    #[arg(long, value_name = "URL", group = "source")]
    prometheus: Option<String>,
    /// A status page to take pictures of: light, dark, and as a phone shows it.
    #[arg(long, value_name = "URL", group = "source")]
    status: Option<String>,
    /// The folder for the pictures.
    #[arg(long, value_name = "FOLDER", default_value = "docs/img")]
    out: PathBuf,
    /// Only this dashboard, such as `limiter`; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Of Grafana's.
    #[arg(long, default_value = "dark")]
    theme: Theme,
    /// Of the pictures of dashboards, in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 1600, value_parser = at_least(400))]
    width: u32,
    /// How far the dashboards look back.
    #[arg(long, default_value_t = 15, value_parser = at_least(1))]
    minutes: u32,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Theme {
    Dark,
    Light,
}

fn at_least(least: i64) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(least..)
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Action::Render(render) = &args.action;
    let chromium = programs()?;
    let root = workspace::root();
    let project = root.join("target/render");
    copy(&root.join("xtask/render"), &project)?;
    install(&project)?;
    process::forward(&mut command(render, &root, &project, &chromium))
}

/// What draws is written for a browser, so the work is done in Node.
fn command(render: &Render, root: &Path, project: &Path, chromium: &Path) -> Command {
    let mut command = Command::new("node");
    // The folder stays the caller's, so that a relative path means what the caller sees.
    command.arg(project.join("main.mjs"));
    command.arg("--chromium").arg(chromium).arg("--out").arg(&render.out);
    if let Some(url) = &render.prometheus {
        command.arg("--dashboards").arg(root.join("dashboards"));
        command.args(["--prometheus", url]);
        command.args(["--theme", render.theme.name()]);
        command.args(["--width", &render.width.to_string()]);
        command.args(["--minutes", &render.minutes.to_string()]);
        command.args(render.only.iter().flat_map(|name| ["--only", name]));
    }
    if let Some(url) = &render.status {
        command.args(["--status", url]);
    }
    command
}

impl Theme {
    fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

/// The first release of Node whose standard library has all that is used.
const NODE_MAJOR: u32 = 20;

/// What Debian and others call Chromium, best first.
const CHROMIUM: [&str; 4] =
    ["chromium", "chromium-browser", "chromium-headless-shell", "google-chrome"];

/// Makes sure that all programs are there; gives Chromium.
fn programs() -> Result<PathBuf> {
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if find(program).is_none() {
            bail!("there is no {program}; install the Debian package {package}");
        }
    }
    let version = process::output(Command::new("node").arg("--version"))?;
    if major(&version).is_none_or(|major| major < NODE_MAJOR) {
        bail!("node is {version}; version {NODE_MAJOR} or later is needed");
    }
    CHROMIUM
        .iter()
        .find_map(|name| find(name))
        .context("there is no Chromium; install the Debian package chromium")
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// npm installs beside the manifest, so the project is worked on as a copy below `target`.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let source = to.join("src");
    // What was deleted or renamed must not stay in the bundle.
    match fs::remove_dir_all(&source) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", source.display()));
        }
        _ => {}
    }
    for path in workspace::files(from)? {
        let target = to.join(path.strip_prefix(from)?);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::copy(&path, &target)
            .with_context(|| format!("cannot copy {} to {}", path.display(), target.display()))?;
    }
    Ok(())
}

/// Installs the packages of the lock file, if others or none are there.
fn install(project: &Path) -> Result<()> {
    let lock = project.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = project.join("node_modules/.floodway-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    // Without warnings: packages that Grafana uses ask for an older React than Grafana itself.
    let options = ["--omit=dev", "--loglevel=error"];
    process::run(Command::new("npm").arg("ci").args(options).current_dir(project))?;
    // Written last: an installation that was interrupted is done again.
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.19.2"), Some(20));
        assert_eq!(major("20.19.2"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn a_copy_has_the_sources_that_are_there_and_keeps_what_is_installed() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let write = |path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        write(from.join("package.json"));
        write(from.join("src/new.ts"));
        write(to.join("src/old.ts"));
        write(to.join("node_modules/react/index.js"));

        copy(&from, &to).unwrap();

        let mut found: Vec<_> = workspace::files(&to).unwrap();
        found.iter_mut().for_each(|path| *path = path.strip_prefix(&to).unwrap().to_path_buf());
        let expected = ["node_modules/react/index.js", "package.json", "src/new.ts"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn the_lock_file_pins_every_package_and_names_no_host() {
        let project = workspace::root().join("xtask/render");
        let read = |name: &str| -> serde_json::Value {
            serde_json::from_str(&fs::read_to_string(project.join(name)).unwrap()).unwrap()
        };
        let lock = read("package-lock.json");
        let packages = lock["packages"].as_object().unwrap();
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            assert!(package["integrity"].is_string(), "{name} has no checksum");
            assert!(package["resolved"].is_null(), "{name} names a host");
        }
        for part in ["dependencies", "devDependencies"] {
            for (name, version) in read("package.json")[part].as_object().unwrap() {
                let locked = &packages[&format!("node_modules/{name}")]["version"];
                assert_eq!(version, locked, "{name} is not an exact version");
            }
        }
    }
}

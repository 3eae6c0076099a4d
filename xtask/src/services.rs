//! Installing the real servers and tools that tests use.

pub(crate) mod python;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use crate::process;

/// A program that tests need.
struct Service {
    binary: &'static str,
    /// The Debian packages that have it, best first.
    packages: &'static [&'static str],
    /// What the packages start on their own account.
    daemon: Option<&'static str>,
}

const SERVICES: &[Service] = &[
    Service {
        binary: "amtool",
        packages: &["prometheus-alertmanager"],
        daemon: Some("prometheus-alertmanager"),
    },
    Service { binary: "chromium", packages: &["chromium"], daemon: None },
    // The plain name serves releases of Debian that carry another major version.
    Service {
        binary: "postgres",
        packages: &["postgresql-15", "postgresql"],
        daemon: Some("postgresql"),
    },
    Service { binary: "promtool", packages: &["prometheus"], daemon: Some("prometheus") },
    Service { binary: "redis-server", packages: &["redis-server"], daemon: Some("redis-server") },
];

/// Debian keeps each major version's server programs out of `PATH`, in a folder of its own.
const POSTGRES_ROOT: &str = "/usr/lib/postgresql";

/// Makes sure that all programs are there.
///
/// # Errors
///
/// If one is missing and cannot be installed with apt-get, or pip.
pub(crate) fn install() -> Result<()> {
    install_servers()?;
    python::install()
}

fn install_servers() -> Result<()> {
    let missing: Vec<_> =
        SERVICES.iter().filter(|service| find(service.binary).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if find("apt-get").is_none() {
        let names: Vec<_> = missing.iter().map(|service| service.binary).collect();
        bail!(
            "there is no apt-get to install {0}; install {0} by hand, where PATH or \
             {POSTGRES_ROOT}/*/bin finds it",
            names.join(" and ")
        );
    }
    process::run(apt_get()?.arg("update"))?;
    let packages = missing.iter().map(|service| package(service)).collect::<Result<Vec<_>>>()?;
    apt_get_install(&packages)?;
    for service in missing {
        if find(service.binary).is_none() {
            bail!("{} is still missing after apt-get installed {packages:?}", service.binary);
        }
        stop(service)?;
    }
    Ok(())
}

/// Stops what the package has just started, now and at the next boot: tests start servers of their
/// own, and nobody asked for another one.
fn stop(service: &Service) -> Result<()> {
    let Some(daemon) = service.daemon else {
        return Ok(());
    };
    for command in [["service", daemon, "stop"], ["update-rc.d", daemon, "disable"]] {
        // Where there is no init system, nothing was started and there may be nothing to call.
        if process::run(as_root()?.args(command)).is_err() {
            println!("`{}` failed; {daemon} may be running", command.join(" "));
        }
    }
    Ok(())
}

fn find(binary: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir(POSTGRES_ROOT).into_iter().flatten().flatten();
    env::split_paths(&path)
        .chain(versions.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(binary))
        .find(|file| file.is_file())
}

/// The first of the service's packages that this system can install.
fn package(service: &Service) -> Result<&'static str> {
    let known = |package: &&&str| {
        Command::new("apt-cache")
            .args(["show", package])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    match service.packages.iter().find(known) {
        Some(package) => Ok(package),
        None => bail!(
            "apt knows none of the packages {:?}; install {} by hand",
            service.packages,
            service.binary
        ),
    }
}

fn apt_get_install(packages: &[&str]) -> Result<()> {
    process::run(apt_get()?.args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// `apt-get`, as root and without questions.
fn apt_get() -> Result<Command> {
    let mut command = as_root()?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(command)
}

/// `env`, as root: because sudo drops the environment of its caller.
fn as_root() -> Result<Command> {
    let is_root = process::output(Command::new("id").arg("-u"))? == "0";
    if !is_root && find("sudo").is_none() {
        bail!("apt-get needs root and there is no sudo; run this as root once");
    }
    let mut command = Command::new(if is_root { "env" } else { "sudo" });
    if !is_root {
        command.arg("env");
    }
    command.stdin(Stdio::null()).current_dir(Path::new("/"));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_what_is_in_path_and_only_that() {
        assert!(find("sh").is_some_and(|file| file.is_absolute()));
        assert_eq!(find("no-such-program"), None);
    }
}

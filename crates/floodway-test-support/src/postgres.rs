//! A PostgreSQL server of one test's own.

mod owner;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use self::owner::Owner;
use crate::{binary, port, process::Server, requirement};

/// How often a port that was taken in the meantime is replaced by another.
const ATTEMPTS: u32 = 5;

/// A running server with an empty database, on a loopback port of its own.
///
/// It trusts every connection as user `postgres`, keeps nothing safe from a crash, and is stopped
/// and deleted on drop.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Postgres {
    // Declared before the folder, so that the server is gone when its files go.
    server: Server,
    port: u16,
    folder: TempDir,
}

impl Postgres {
    /// Starts a server; `None`, after saying so, if PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed and [`required`](crate::required), or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with settings such as `("max_connections", "50")`.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and if the server refuses a setting.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let Some(programs) = binary::postgres_folder() else {
            requirement::skip("PostgreSQL is not installed");
            return None;
        };
        let started = Self::launch(&programs, settings);
        Some(started.unwrap_or_else(|error| panic!("PostgreSQL does not start: {error:?}")))
    }

    /// Where to connect: `postgres://postgres@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process, whose children serve the connections.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What the server wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(&log_path(self.folder.path()))
    }

    fn launch(programs: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let owner = Owner::new()?;
        let folder = tempfile::Builder::new()
            .prefix("floodway-postgres-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        owner.give(folder.path())?;
        create_cluster(programs, &owner, folder.path())?;
        for _ in 0..ATTEMPTS {
            let port = port::free_port();
            let command = server_command(programs, &owner, folder.path(), port, settings)?;
            let mut server = Server::spawn(command)?;
            let data = data_path(folder.path());
            if server.wait_until(|server| says_ready(server, &data))? {
                return Ok(Self { server, port, folder });
            }
            let log = read_log(&log_path(folder.path()));
            // Messages are in English: the cluster's locale is C.
            if !log.contains("Address already in use") {
                bail!("the server ended or did not become ready; its log:\n{log}");
            }
        }
        bail!("{ATTEMPTS} free ports were taken before the server could listen on them");
    }
}

/// Reads the file by which the server tells its state, as `pg_ctl` does.
///
/// A connection would prove less: where another server took the port first, that one answers.
fn says_ready(server: &Server, data: &Path) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    // Line 1 is the process, line 8 its state.
    lines.first() == Some(&server.pid().to_string().as_str()) && lines.get(7) == Some(&"ready")
}

fn data_path(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn read_log(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn create_cluster(programs: &Path, owner: &Owner, folder: &Path) -> Result<()> {
    let mut initdb = Command::new(programs.join("initdb"));
    initdb
        .args(["--no-sync", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D"])
        .arg(data_path(folder))
        .current_dir(folder);
    owner.run_as(&mut initdb);
    let output = initdb.output().context("cannot start initdb")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("initdb failed: {}\n{}", output.status, String::from_utf8_lossy(&said));
    }
    Ok(())
}

fn server_command(
    programs: &Path,
    owner: &Owner,
    folder: &Path,
    port: u16,
    settings: &[(&str, &str)],
) -> Result<Command> {
    // A new log for each attempt: what an earlier one said must not count against this one.
    let log = File::create(log_path(folder)).context("cannot create the server's log")?;
    let same_log = log.try_clone().context("cannot share the server's log")?;
    let mut command = Command::new(programs.join("postgres"));
    command.arg("-D").arg(data_path(folder)).arg("-p").arg(port.to_string());
    // No socket file: its path could be too long, and clients connect by TCP anyway.
    let own =
        [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", ""), ("fsync", "off")];
    for (name, value) in own.iter().chain(settings) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(same_log);
    owner.run_as(&mut command);
    Ok(command)
}

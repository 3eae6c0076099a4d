//! The files of a PostgreSQL server, and the command that serves them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::owner::Owner;
use crate::process::Server;

/// What PostgreSQL calls a cluster: a folder of data that one server serves.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: PathBuf,
    owner: Owner,
    settings: Vec<String>,
    folder: TempDir,
}

impl Cluster {
    pub(super) fn create(programs: PathBuf, settings: &[(&str, &str)]) -> Result<Self> {
        // No socket file: its path could be too long, and clients connect by TCP anyway.
        let own =
            [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", ""), ("fsync", "off")];
        let settings =
            own.iter().chain(settings).map(|(name, value)| format!("{name}={value}")).collect();
        let owner = Owner::new()?;
        let folder = tempfile::Builder::new()
            .prefix("floodway-postgres-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        owner.give(folder.path())?;
        let cluster = Self { programs, owner, settings, folder };
        cluster.initialise()?;
        Ok(cluster)
    }

    fn initialise(&self) -> Result<()> {
        let mut initdb = Command::new(self.programs.join("initdb"));
        initdb
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D"])
            .arg(self.data())
            .current_dir(self.folder.path());
        self.owner.run_as(&mut initdb);
        let output = initdb.output().context("cannot start initdb")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("initdb failed: {}\n{}", output.status, String::from_utf8_lossy(&said));
        }
        Ok(())
    }

    /// A server that is ready; `None` if it ended or did not become ready, and the log says why.
    pub(super) fn serve(&self, port: u16) -> Result<Option<Server>> {
        let mut server = Server::spawn(self.command(port)?)?;
        let data = self.data();
        let ready = server.wait_until(|server| says_ready(server, &data))?;
        Ok(ready.then_some(server))
    }

    pub(super) fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn command(&self, port: u16) -> Result<Command> {
        // A new log for each attempt: what an earlier one said must not count against this one.
        let log = File::create(self.log_path()).context("cannot create the server's log")?;
        let same_log = log.try_clone().context("cannot share the server's log")?;
        let mut command = Command::new(self.programs.join("postgres"));
        command.arg("-D").arg(self.data()).arg("-p").arg(port.to_string());
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log).stderr(same_log);
        self.owner.run_as(&mut command);
        Ok(command)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
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

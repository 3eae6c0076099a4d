//! A Redis server of one test's own.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{Proxy, binary, port, process::Server, requirement};

/// How often a port that was taken in the meantime is replaced by another.
const ATTEMPTS: u32 = 5;

/// An idle server answers at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running, empty server, on a loopback port and a Unix socket of its own.
///
/// It trusts every connection, writes nothing to disk, and is stopped and deleted on drop.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Redis {
    /// `None` while stopped. Declared before the folder, so that the server is gone when its files go.
    server: Option<Server>,
    port: u16,
    folder: TempDir,
    program: PathBuf,
    settings: Vec<(String, String)>,
}

impl Redis {
    /// Starts a server; `None`, after saying so, if Redis is not installed.
    ///
    /// # Panics
    ///
    /// If Redis is not installed and [`required`](crate::required), or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with settings such as `("maxclients", "50")`.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and if the server refuses a setting.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let Some(programs) = binary::folder_in_path(&["redis-server"]) else {
            requirement::skip("Redis is not installed");
            return None;
        };
        let started = Self::launch(&programs.join("redis-server"), settings);
        Some(started.unwrap_or_else(|error| panic!("Redis does not start: {error:?}")))
    }

    /// Stops the server as an operator would: connections are closed, and what it kept is gone. Does
    /// nothing if it is stopped.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Stops the server, if it runs, and starts an empty one with the same settings and port.
    ///
    /// # Panics
    ///
    /// If the server does not start, for example because somebody took the port meanwhile.
    pub fn restart(&mut self) {
        self.stop();
        let server = serve(&self.program, &self.folder, self.port, &self.settings);
        let server = server.unwrap_or_else(|error| panic!("Redis does not start: {error:?}"));
        assert!(server.is_some(), "Redis does not start again; its log:\n{}", self.log());
        self.server = server;
    }

    /// Where to connect by TCP: `redis://127.0.0.1:PORT/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Where to connect to reach it through `proxy`: [`url`](Self::url) with the proxy's address.
    #[must_use]
    pub fn url_through(&self, proxy: &Proxy) -> String {
        format!("redis://{}/", proxy.address())
    }

    /// Where to connect by the Unix socket, which costs less: `redis+unix:///PATH`.
    #[must_use]
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket_path(self.folder.path())
    }

    /// The loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens, for a [`Proxy`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The server's process.
    ///
    /// # Panics
    ///
    /// If the server is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("the server runs").pid()
    }

    /// What the server wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(self.folder.path())
    }

    fn launch(program: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodway-redis-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for _ in 0..ATTEMPTS {
            let port = port::free_port();
            if let Some(server) = serve(program, &folder, port, &settings)? {
                let (server, program) = (Some(server), program.to_owned());
                return Ok(Self { server, port, folder, program, settings });
            }
            let log = read_log(folder.path());
            if !log.contains("Address already in use") {
                bail!("the server ended or did not become ready; its log:\n{log}");
            }
        }
        bail!("{ATTEMPTS} free ports were taken before the server could listen on them");
    }
}

/// `None` if it ended or did not become ready.
fn serve(
    program: &Path,
    folder: &TempDir,
    port: u16,
    settings: &[(String, String)],
) -> Result<Option<Server>> {
    let mut server = Server::spawn(server_command(program, folder.path(), port, settings)?)?;
    let socket = socket_path(folder.path());
    Ok(server.wait_until(|_| answers(&socket))?.then_some(server))
}

fn socket_path(folder: &Path) -> PathBuf {
    folder.join("socket")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn read_log(folder: &Path) -> String {
    let bytes = fs::read(log_path(folder)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the server serves, asked where no other one can answer. It listens there only once it
/// has the port.
fn answers(socket: &Path) -> bool {
    let ping = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ping().unwrap_or(false)
}

fn server_command(
    program: &Path,
    folder: &Path,
    port: u16,
    settings: &[(String, String)],
) -> Result<Command> {
    // A new log for each attempt: what an earlier one said must not count against this one.
    let log = File::create(log_path(folder)).context("cannot create the server's log")?;
    let same_log = log.try_clone().context("cannot share the server's log")?;
    let mut command = Command::new(program);
    command.arg("--unixsocket").arg(socket_path(folder)).arg("--dir").arg(folder);
    // The empty schedule of snapshots, and no log of writes: nothing goes to disk.
    let port = port.to_string();
    let own = [("port", &*port), ("bind", "127.0.0.1"), ("save", ""), ("appendonly", "no")];
    let given = settings.iter().map(|(name, value)| (&**name, &**value));
    for (name, value) in own.into_iter().chain(given) {
        command.arg(format!("--{name}")).arg(value);
    }
    command.stdin(Stdio::null()).stdout(log).stderr(same_log);
    Ok(command)
}

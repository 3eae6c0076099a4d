//! The service as a process, and requests to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// Stopped when the test ends, however it does.
pub(crate) struct Service {
    child: Child,
    /// Where orders are taken.
    pub(crate) app: String,
    /// Where the pages are.
    pub(crate) metrics: String,
    /// Of the database.
    _folder: TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-axum-service"));
    command.env("TMPDIR", folder.path());
    for variable in ["METRICS_TOKEN", "CONTROL_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        command.env_remove(variable);
    }
    command.env("ADDRESS", "127.0.0.1:0").env("METRICS_ADDRESS", "127.0.0.1:0");
    command
}

impl Service {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = command(&folder);
        command.envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = || {
            let line = lines.next().expect("prints where it listens").expect("readable");
            line.split('/').nth(2).expect("an address").to_owned()
        };
        let (app, metrics) = (address(), address());
        Self { child, app, metrics, _folder: folder }
    }

    /// What it says instead of starting.
    pub(crate) fn fails(variable: &str, value: &str) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = command(&folder).env(variable, value).output().expect("starts");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Asks it to end, as an orchestrator does.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("installed").success());
        self.child.wait().expect("ends").code()
    }
}

pub(crate) fn get(address: &str, path: &str, headers: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\n{headers}"), "")
}

pub(crate) fn post(address: &str, path: &str, token: Option<&str>, body: &str) -> String {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{token}"
    );
    ask(address, &head, body)
}

fn ask(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(stream, "{head}Host: test\r\nConnection: close\r\n\r\n{body}").expect("asks");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("answers");
    response
}

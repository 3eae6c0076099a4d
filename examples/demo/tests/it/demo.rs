//! A started demo, and what it said.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-demo"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the demo to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the demo starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A demo that runs in the background; killed on drop.
pub(crate) struct Running {
    child: Child,
    /// For its temporary files, which a demo that is killed leaves behind.
    _folder: TempDir,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = command(arguments)
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        Self { child, _folder: folder }
    }

    /// Where it serves, as it says in its first line.
    pub(crate) fn address(&mut self) -> String {
        let mut line = String::new();
        // Borrowed, because a demo whose output nobody takes would end with the next line.
        let mut lines = BufReader::new(self.child.stdout.as_mut().expect("piped"));
        lines.read_line(&mut line).expect("the first line");
        let address = line.trim().strip_prefix("http://").expect("the URL of the status page");
        address.strip_suffix("/floodway").expect("the URL of the status page").to_owned()
    }

    /// Reads standard error until a line contains `part`.
    pub(crate) fn wait_for(&mut self, part: &str) {
        let mut lines = BufReader::new(self.child.stderr.as_mut().expect("piped"));
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            let bytes = lines.read_line(&mut line).expect("text");
            assert!(bytes > 0, "the demo ended before it said {part:?}");
        }
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .expect("kill is installed");
        assert!(sent.success());
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end: exit code and the rest of standard output.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut said).expect("text");
        }
        let status = self.child.wait().expect("the demo ends");
        (status.code(), said)
    }
}

/// A failed test leaves no process behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

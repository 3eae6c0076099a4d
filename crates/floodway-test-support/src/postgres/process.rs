//! The server's process: waiting until it serves, and stopping it.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Between two looks at the process.
const PAUSE: Duration = Duration::from_millis(20);
/// 30 s: a busy machine takes a second or two.
const LOOKS_UNTIL_READY: u32 = 1_500;
/// 5 s until a server that should stop is killed.
const LOOKS_UNTIL_STOPPED: u32 = 250;

/// A server process, stopped and reaped on drop.
#[derive(Debug)]
pub(super) struct Server(Child);

impl Server {
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        command.spawn().map(Self).context("cannot start postgres")
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether the server accepts connections, rather than having ended or taken too long.
    pub(super) fn wait_until_ready(&mut self, data: &Path) -> Result<bool> {
        for _ in 0..LOOKS_UNTIL_READY {
            if self.0.try_wait().context("cannot look at postgres")?.is_some() {
                return Ok(false);
            }
            if self.says_ready(data) {
                return Ok(true);
            }
            pause();
        }
        Ok(false)
    }

    /// Reads the file by which the server tells its state, as `pg_ctl` does.
    ///
    /// A connection would prove less: where another server took the port first, that one answers.
    fn says_ready(&self, data: &Path) -> bool {
        let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
            return false;
        };
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        // Line 1 is the process, line 8 its state.
        lines.first() == Some(&self.pid().to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn stopped_in_time(&mut self) -> bool {
        for _ in 0..LOOKS_UNTIL_STOPPED {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return true;
            }
            pause();
        }
        false
    }
}

/// Asks the server to disconnect its clients and stop; kills it if it does not.
impl Drop for Server {
    fn drop(&mut self) {
        // The process is a child that was not waited for, so its number is still its own. Errors
        // mean that it has ended already.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.0), Signal::INT);
        }
        if !self.stopped_in_time() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process of another program is waited for, in a thread that serves nothing else"
)]
fn pause() {
    thread::sleep(PAUSE);
}

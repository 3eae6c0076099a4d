//! A server's process: waiting until it serves, and stopping it.

use std::{
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
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let child = command.spawn();
        child.map(Self).with_context(|| format!("cannot start {}", command.get_program().display()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether the server came to be `ready`, rather than having ended or taken too long.
    pub(crate) fn wait_until(&mut self, ready: impl Fn(&Self) -> bool) -> Result<bool> {
        for _ in 0..LOOKS_UNTIL_READY {
            if self.0.try_wait().context("cannot look at the server's process")?.is_some() {
                return Ok(false);
            }
            if ready(self) {
                return Ok(true);
            }
            pause();
        }
        Ok(false)
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
pub(crate) fn pause() {
    thread::sleep(PAUSE);
}

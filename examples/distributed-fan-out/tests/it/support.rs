//! A server, the program, and what a job looks like from outside.

use std::{
    collections::HashMap,
    fs,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use floodway_test_support::{Redis, eventually};
use redis::{Commands, Connection};
use rustix::process::{Pid, Signal, kill_process};

/// Where all jobs are that tests begin.
pub(crate) const JOB: &str = "tested";

/// A busy machine takes its time, and a budget that Redis does not know lets wait for some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-distributed-fan-out"));
    command.args(arguments).env_remove("REDIS_URL").stdin(Stdio::null());
    command
}

/// A server with one job.
pub(crate) struct World {
    redis: Redis,
    connection: Connection,
}

impl World {
    pub(crate) fn new() -> Option<Self> {
        let redis = Redis::start()?;
        let client = redis::Client::open(redis.url()).expect("a URL");
        let connection = client.get_connection().expect("it runs");
        Some(Self { redis, connection })
    }

    pub(crate) fn url(&self) -> String {
        self.redis.url()
    }

    /// The coordinator of the job.
    pub(crate) fn coordinator(&self, arguments: &[&str]) -> Command {
        let mut command = program(&["--redis-url", &self.url(), "--job", JOB]);
        command.args(arguments);
        command
    }

    /// A worker of its own.
    pub(crate) fn worker(&self, name: &str, concurrency: u32) -> Running {
        let (url, concurrency) = (self.url(), concurrency.to_string());
        let mut command = program(&["worker", "--redis-url", &url, "--job", JOB, "--name", name]);
        command.args(["--concurrency", &concurrency]);
        Running::spawn(command)
    }

    pub(crate) fn key(name: &str) -> String {
        format!("floodway-distributed-fan-out:{{{JOB}}}:{name}")
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// A count of the job; 0 if there is none.
    pub(crate) fn count(&mut self, field: &str) -> u64 {
        let fields: HashMap<String, String> =
            self.connection.hgetall(Self::key("job")).expect("a hash");
        fields.get(field).map_or(0, |value| value.parse().expect("a number"))
    }

    pub(crate) fn recorded(&mut self) -> u64 {
        self.count("succeeded") + self.count("failed")
    }

    /// How many of them by this worker.
    pub(crate) fn recorded_by(&mut self, worker: &str) -> u64 {
        let field = format!("{worker}:items");
        let items: Option<u64> = self.connection.hget(Self::key("workers"), field).expect("a hash");
        items.unwrap_or_default()
    }

    /// Waits until so many outcomes are recorded.
    pub(crate) fn until_recorded(&mut self, count: u64) {
        self.until(|world| world.recorded() >= count);
    }

    pub(crate) fn until(&mut self, is_so: impl Fn(&mut Self) -> bool) {
        eventually("what the test waits for", PATIENCE, || is_so(self));
    }

    /// Every item has one outcome: as many bits as items, and as many outcomes counted.
    #[track_caller]
    pub(crate) fn check_complete(&mut self, items: u64, failed: u64) {
        let bits = |world: &mut Self, name: &str| -> u64 {
            redis::cmd("BITCOUNT").arg(Self::key(name)).query(&mut world.connection).expect("bits")
        };
        assert_eq!(bits(self, "recorded"), items);
        assert_eq!(bits(self, "failed"), failed);
        assert_eq!((self.count("succeeded"), self.count("failed")), (items - failed, failed));
    }
}

/// A process that a failed test does not leave behind.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("starts")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.as_ref().expect("it was not waited for").id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.pid(), signal);
    }

    pub(crate) fn output(mut self) -> Output {
        self.0.take().expect("it was not waited for").wait_with_output().expect("ends")
    }

    /// The processes that it has started.
    pub(crate) fn children(&self) -> Vec<u32> {
        let pid = self.pid();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
        let children = |task: fs::DirEntry| {
            fs::read_to_string(task.path().join("children")).unwrap_or_default()
        };
        let all: Vec<_> = tasks.flatten().map(children).collect();
        all.join(" ").split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn signal_to(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a number of a process")).expect("not zero");
    kill_process(pid, signal).expect("it runs");
}

/// Waits until none of these processes does anything any more; one that nobody has waited for does not.
pub(crate) fn until_ended(pids: &[u32]) {
    eventually("the processes end", PATIENCE, || !pids.iter().any(|pid| runs(*pid)));
}

fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// What a successful program said.
#[track_caller]
pub(crate) fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn check_said(bytes: &[u8], parts: &[&str]) {
    let said = String::from_utf8_lossy(bytes);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
    assert!(!said.contains('\u{1b}'), "control sequences without a terminal");
}

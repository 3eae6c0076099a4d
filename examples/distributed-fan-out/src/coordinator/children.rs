//! Worker processes on this machine: started, started again when they die, and killed on purpose.

use std::{
    env,
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    arguments::RunArguments,
    server::{Server, VARIABLE},
    stop,
};

/// A worker that finds something wrong says so and ends; after so many in a row it will again.
const FAILURES: u32 = 5;

/// Before a worker that has ended is started again.
const PAUSE: Duration = Duration::from_millis(300);

/// What a worker that is told to stop may take for what it has in hand.
const GRACE: Duration = Duration::from_secs(10);

/// All worker processes. They end with this one, however it ends: by the end of their stdin if by
/// nothing else.
#[derive(Debug)]
pub(crate) struct Children {
    slots: Vec<Arc<Slot>>,
    keepers: JoinSet<Result<()>>,
    stop: watch::Sender<bool>,
}

/// The place of one worker, which one process after the other takes.
#[derive(Debug)]
struct Slot {
    command: Vec<String>,
    url: String,
    kill: Notify,
    killed: AtomicU64,
    died: AtomicU64,
}

impl Children {
    pub(crate) fn start(
        arguments: &RunArguments,
        server: &Server,
        job: &str,
        workers: u16,
    ) -> Self {
        let concurrency = arguments.concurrency.to_string();
        let slot = |number| {
            let name = format!("{job}-{number}");
            let command = [
                "worker",
                "--attached",
                "--job",
                job,
                "--concurrency",
                &concurrency,
                "--name",
                &name,
            ];
            Arc::new(Slot {
                command: command.map(str::to_owned).into(),
                url: server.url().to_owned(),
                kill: Notify::new(),
                killed: AtomicU64::new(0),
                died: AtomicU64::new(0),
            })
        };
        let slots: Vec<_> = (1..=workers).map(slot).collect();
        let stop = watch::Sender::new(false);
        let mut keepers = JoinSet::new();
        for slot in &slots {
            keepers.spawn(Arc::clone(slot).keep(stop.subscribe()));
        }
        Self { slots, keepers, stop }
    }

    /// Kills one after the other, for ever.
    pub(crate) async fn kill_every(slots: Vec<impl Fn()>, time: Duration) {
        for kill in slots.iter().cycle() {
            sleep(time).await;
            kill();
        }
    }

    /// What kills each of them.
    pub(crate) fn killers(&self) -> Vec<impl Fn() + use<>> {
        let slots = self.slots.iter().map(Arc::clone);
        slots.map(|slot| move || slot.kill.notify_one()).collect()
    }

    /// Waits for the first that cannot go on.
    pub(crate) async fn failed(&mut self) -> Result<()> {
        while let Some(ended) = self.keepers.join_next().await {
            ended??;
        }
        // There are no workers here.
        std::future::pending().await
    }

    /// Tells all to finish what they have in hand, and waits until they have ended.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.keepers.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// How many were killed on purpose.
    pub(crate) fn killed(&self) -> u64 {
        self.slots.iter().map(|slot| slot.killed.load(Ordering::Relaxed)).sum()
    }

    /// How many died otherwise.
    pub(crate) fn died(&self) -> u64 {
        self.slots.iter().map(|slot| slot.died.load(Ordering::Relaxed)).sum()
    }
}

impl Slot {
    /// Starts a process again and again, until `stop`.
    async fn keep(self: Arc<Self>, stop: watch::Receiver<bool>) -> Result<()> {
        let mut failures = 0;
        loop {
            let mut child = self.spawn()?;
            // Kept, because waiting for a child would close it, and the child ends with it.
            let tie = child.stdin.take();
            tokio::select! {
                status = child.wait() => {
                    let status = status.context("cannot wait for a worker")?;
                    match status.code() {
                        // The job is done, which who waits for that finds out meanwhile, or somebody
                        // has told this worker to stop.
                        Some(0) => sleep(PAUSE).await,
                        Some(_) => {
                            failures += 1;
                            self.check(failures, status)?;
                            sleep(PAUSE).await;
                        }
                        // By a signal.
                        None => {
                            failures = 0;
                            self.died.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                () = self.kill.notified() => {
                    child.kill().await.context("cannot kill a worker")?;
                    self.killed.fetch_add(1, Ordering::Relaxed);
                }
                () = stop::thrown(stop.clone()) => {
                    drop(tie);
                    if timeout(GRACE, child.wait()).await.is_err() {
                        child.kill().await.context("cannot kill a worker")?;
                    }
                    return Ok(());
                }
            }
        }
    }

    fn check(&self, failures: u32, status: ExitStatus) -> Result<()> {
        if failures >= FAILURES {
            bail!("{} failed {failures} times in a row, at last with {status}", self.name());
        }
        Ok(())
    }

    fn name(&self) -> &str {
        self.command.last().map_or("a worker", String::as_str)
    }

    fn spawn(&self) -> Result<Child> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(&self.command).env(VARIABLE, &self.url);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        command.spawn().with_context(|| format!("cannot start {}", self.name()))
    }
}

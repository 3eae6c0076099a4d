//! A database, a Redis behind a network that fails on demand, and processes that share a budget.

use std::{
    collections::VecDeque,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use floodway_fleet::{LeaseStore, RedisStore, Status};
use floodway_test_support::{Postgres, Proxy, Redis};
use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::worker::{BUDGET, Heartbeat, WORD};

/// How often the database's connections are counted.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);

/// What the workers are told.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) workers: usize,
    pub(super) budget: u32,
    pub(super) margin: u32,
    pub(super) floor: u32,
    /// Clients of each worker.
    pub(super) clients: u32,
    pub(super) query: Duration,
}

impl Setup {
    pub(super) const fn usable(&self) -> u32 {
        self.budget - self.margin
    }

    /// Connections that are 95 % of what may be used.
    pub(super) fn nearly_all(&self) -> u32 {
        (f64::from(self.usable()) * 0.95).ceil() as u32
    }
}

pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) redis: Redis,
    pub(super) proxy: Proxy,
    database: Postgres,
    workers: Vec<Worker>,
    samples: Arc<Mutex<Vec<Sample>>>,
    sampler: JoinHandle<()>,
    shift_clock: bool,
}

/// How many connections there were.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) connections: u32,
}

struct Worker {
    child: Child,
    beats: Arc<Mutex<Beats>>,
}

#[derive(Default)]
struct Beats {
    /// Of processes of this name that are gone.
    before: Heartbeat,
    now: Heartbeat,
    said: VecDeque<String>,
}

impl World {
    /// `None` if a server is not installed.
    pub(super) async fn start(setup: Setup, shift_clock: bool) -> anyhow::Result<Option<Self>> {
        let settings = [("max_connections", "120"), ("client_connection_check_interval", "1s")];
        let (Some(database), Some(redis)) = (Postgres::start_with(&settings), Redis::start())
        else {
            return Ok(None);
        };
        let mut admin = PgConnection::connect(&database.url()).await?;
        let roles = format!(
            "CREATE ROLE app LOGIN CONNECTION LIMIT {}; \
             CREATE ROLE fence LOGIN IN ROLE pg_signal_backend, pg_read_all_stats",
            setup.budget
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(roles)).execute(&mut admin).await?;
        let samples = Arc::new(Mutex::new(Vec::new()));
        let sampler = tokio::spawn(sample(admin, Arc::clone(&samples)));
        let proxy = Proxy::start(redis.address());
        let workers = Vec::new();
        let mut world =
            Self { setup, redis, proxy, database, workers, samples, sampler, shift_clock };
        for index in 0..world.setup.workers {
            let worker = world.spawn(index, Arc::default())?;
            world.workers.push(worker);
        }
        Ok(Some(world))
    }

    fn spawn(&self, index: usize, beats: Arc<Mutex<Beats>>) -> anyhow::Result<Worker> {
        let setup = &self.setup;
        let url = |role: &str| format!("postgres://{role}@{}/postgres", self.database.address());
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(WORD).arg("--replica").arg(format!("worker-{index}"));
        command.arg("--redis").arg(self.redis.url_through(&self.proxy));
        command.arg("--database").arg(url("app")).arg("--fence").arg(url("fence"));
        for (name, value) in [
            ("--budget", u64::from(setup.budget)),
            ("--margin", setup.margin.into()),
            ("--floor", setup.floor.into()),
            ("--clients", setup.clients.into()),
            ("--query-ms", setup.query.as_millis() as u64),
        ] {
            command.arg(name).arg(value.to_string());
        }
        if self.shift_clock {
            command.arg("--shift-clock");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().context("cannot start a worker")?;
        let output = child.stdout.take().context("its output is ours")?;
        let errors = child.stderr.take().context("its errors are ours")?;
        let listening = Arc::clone(&beats);
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(beat) = serde_json::from_str(&line) {
                    lock(&listening).now = beat;
                }
            }
        });
        let listening = Arc::clone(&beats);
        tokio::spawn(async move {
            let mut lines = BufReader::new(errors).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let said = &mut lock(&listening).said;
                said.push_back(line);
                said.truncate(20);
            }
        });
        Ok(Worker { child, beats })
    }

    /// Kills a worker without warning and starts another of its name.
    pub(super) async fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.workers[index].child.kill().await?;
        let beats = Arc::clone(&self.workers[index].beats);
        {
            let mut beats = lock(&beats);
            let (before, now) = (beats.before, beats.now);
            beats.before = sum([before, now].into_iter());
            beats.now = Heartbeat::default();
        }
        self.workers[index] = self.spawn(index, beats)?;
        Ok(())
    }

    /// Sends a signal to a worker.
    pub(super) fn signal(&self, index: usize, signal: rustix::process::Signal) {
        let id = self.workers[index].child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Sums over all workers, those that were killed included.
    pub(super) fn totals(&self) -> Heartbeat {
        sum(self.workers.iter().flat_map(|worker| {
            let beats = lock(&worker.beats);
            [beats.before, beats.now]
        }))
    }

    /// What workers have complained about.
    pub(super) fn complaints(&self) -> Vec<String> {
        let said = self
            .workers
            .iter()
            .flat_map(|worker| lock(&worker.beats).said.iter().cloned().collect::<Vec<_>>());
        let mut said: Vec<_> = said.collect();
        said.sort();
        said.dedup();
        said
    }

    /// The connections at every sample since `since`.
    pub(super) fn samples(&self, since: Instant) -> Vec<Sample> {
        lock(&self.samples).iter().filter(|sample| sample.at >= since).copied().collect()
    }

    /// How long it takes until nearly all of the budget is in use, at most `patience`.
    pub(super) async fn until_full(&self, patience: Duration) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            sleep(SAMPLE_EVERY).await;
            let last = lock(&self.samples).last().copied();
            if last
                .is_some_and(|last| last.at > begun && last.connections >= self.setup.nearly_all())
            {
                break;
            }
        }
        begun.elapsed()
    }

    /// What the engine knows.
    pub(super) async fn status(&self) -> anyhow::Result<Status> {
        let store = RedisStore::connect(&self.redis.url()).await?;
        store.status(BUDGET).await?.context("the budget is known")
    }

    /// When less than nearly all of the budget was in use the last time since `since`; that if never.
    pub(super) fn last_below(&self, since: Instant) -> Instant {
        let enough = self.setup.nearly_all();
        let mut below = self.samples(since).into_iter().filter(|one| one.connections < enough);
        below.next_back().map_or(since, |sample| sample.at)
    }

    /// Refusals of the server for having too many connections, as its log has them.
    pub(super) fn refused_by_server(&self) -> usize {
        self.database.log().lines().filter(|line| line.contains("too many connections")).count()
    }
}

/// The workers go first, then the servers.
impl Drop for World {
    fn drop(&mut self) {
        self.sampler.abort();
        for worker in &mut self.workers {
            // Reaped by tokio.
            let _ = worker.child.start_kill();
        }
    }
}

async fn sample(mut admin: PgConnection, samples: Arc<Mutex<Vec<Sample>>>) {
    let mut ticks = interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let count: Result<i64, _> =
            sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")
                .fetch_one(&mut admin)
                .await;
        let Ok(count) = count else { return };
        let connections = u32::try_from(count).unwrap_or(u32::MAX);
        lock(&samples).push(Sample { at: Instant::now(), connections });
    }
}

fn sum(beats: impl Iterator<Item = Heartbeat>) -> Heartbeat {
    beats.fold(Heartbeat::default(), |sum, beat| Heartbeat {
        done: sum.done + beat.done,
        refused: sum.refused + beat.refused,
        fenced: sum.fenced + beat.fenced,
        too_many: sum.too_many + beat.too_many,
        failed: sum.failed + beat.failed,
        grant: sum.grant + beat.grant,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Ten thousand replicas and one Redis.

use std::{fs, sync::Arc, time::Duration};

use floodway_control::fleet::{Demand, Fallback, LeaseHolder, Outage, Terms};
use floodway_fleet::{LeaseStore, RedisStore};
use floodway_test_support::Redis;
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    time::{Instant, sleep_until},
};

use crate::{measure::Effort, report::Report};

/// Connections by which the replicas reach Redis: ten thousand processes have as many, which this machine
/// could not simulate beside the server.
const LINKS: usize = 16;

const BUDGET: u32 = 40_000;

pub(super) fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let quick = effort.rounds < Effort::FULL.rounds;
    let (replicas, lasts) = if quick { (500, 6) } else { (10_000, 60) };
    let Some(redis) = Redis::start() else {
        anyhow::bail!("the fleet suite needs Redis");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scale = runtime.block_on(renew(&redis, replicas, Duration::from_secs(lasts)))?;
    println!(
        "{replicas} replicas: {:.0} renewals a second, {} failed, {} members in the end, outstanding {} \
         of {}; median {:.2} ms",
        scale.rate,
        scale.failed,
        scale.members,
        scale.outstanding,
        BUDGET,
        scale.median.as_secs_f64() * 1e3,
    );
    report.lower("fleet.renew_us", scale.server_us, "us", Some(60.0));
    report.lower("fleet.renew_p99_s.10k", scale.p99.as_secs_f64(), "s", Some(0.05));
    report.lower("fleet.redis_cpu_share.10k", scale.cpu_share, "cores", Some(0.5));
    report.lower("fleet.failed_renewals.10k", scale.failed as f64, "errors", Some(0.0));
    report.higher(
        "fleet.budget_leased.10k",
        f64::from(scale.outstanding) / f64::from(BUDGET),
        "ratio",
        Some(0.95),
    );
    Ok(())
}

struct Scale {
    rate: f64,
    failed: usize,
    server_us: f64,
    cpu_share: f64,
    median: Duration,
    p99: Duration,
    members: u32,
    outstanding: u32,
}

async fn renew(redis: &Redis, replicas: u32, lasts: Duration) -> anyhow::Result<Scale> {
    let mut stores = Vec::new();
    for _ in 0..LINKS {
        stores.push(Arc::new(RedisStore::connect(&redis.unix_url()).await?));
    }
    let origin = Instant::now();
    let (answers, mut answered) = mpsc::unbounded_channel();
    for index in 0..replicas {
        let store = Arc::clone(&stores[index as usize % LINKS]);
        tokio::spawn(replica(index, store, origin, answers.clone()));
    }
    drop(answers);
    // Learning, and until renewals have spread.
    sleep_until(origin + Duration::from_secs(20).min(lasts)).await;
    while answered.try_recv().is_ok() {}
    let (begun, cpu) = (Instant::now(), cpu_seconds(redis.pid())?);
    let calls = calls(redis).await?;
    let mut took = Vec::new();
    let (mut failed, mut members, mut outstanding) = (0, 0, 0);
    while begun.elapsed() < lasts {
        let Some(Answer { sent, after, said }) = answered.recv().await else { break };
        if sent < begun {
            continue;
        }
        match said {
            Some(said) => {
                took.push(after);
                (members, outstanding) = said;
            }
            None => failed += 1,
        }
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu_share = (cpu_seconds(redis.pid())? - cpu) / elapsed;
    let (count, micros) = self::calls(redis).await?;
    took.sort();
    Ok(Scale {
        rate: took.len() as f64 / elapsed,
        failed,
        server_us: (micros - calls.1) / (count - calls.0),
        cpu_share,
        median: took.get(took.len() / 2).copied().unwrap_or_default(),
        p99: took.get(took.len() * 99 / 100).copied().unwrap_or_default(),
        members,
        outstanding,
    })
}

struct Answer {
    sent: Instant,
    after: Duration,
    /// Members and outstanding permits, if it was answered.
    said: Option<(u32, u32)>,
}

/// Wants something else every few seconds, more than its share on average.
async fn replica(
    index: u32,
    store: Arc<RedisStore>,
    origin: Instant,
    answers: UnboundedSender<Answer>,
) {
    let now = || u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX);
    // They are deployed over two seconds.
    sleep_until(origin + Duration::from_millis(fastrand::u64(..2_000))).await;
    let mut lease = LeaseHolder::new(terms(index), now());
    loop {
        let granted = lease.cap(now()).permits;
        let demand = Demand { want: fastrand::u32(1..10), held: granted };
        let request = lease.request(now(), demand);
        let sent = Instant::now();
        let reply = store.renew("orders-db", request).await;
        let said = reply.as_ref().ok().map(|reply| (reply.members, reply.outstanding));
        match reply {
            Ok(reply) => {
                lease.reply(now(), reply, fastrand::f64());
            }
            Err(_) => lease.failed(now(), fastrand::f64()),
        }
        if answers.send(Answer { sent, after: sent.elapsed(), said }).is_err() {
            return;
        }
        sleep_until(origin + Duration::from_millis(lease.next())).await;
    }
}

fn terms(index: u32) -> Terms {
    Terms {
        replica: format!("orders-7f9c6d5b8-{index:05}"),
        incarnation: u64::from(index) + 1,
        budget: BUDGET,
        margin: 0,
        weight: 1,
        floor: 1,
        refresh: 1_000,
        ttl: 4_000,
        floor_ttl: 600_000,
        linger: 1_000,
        outage: Outage::Floor,
        fallback: Fallback::Nothing,
        fenced: false,
        fencer: false,
    }
}

/// Calls of scripts, and the microseconds that they took.
async fn calls(redis: &Redis) -> anyhow::Result<(f64, f64)> {
    let client = redis::Client::open(redis.unix_url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await?;
    let line = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:"));
    let field = |name: &str| {
        let fields = line.unwrap_or_default().split(',');
        let mut found = fields.filter_map(|field| field.strip_prefix(name));
        found.next().and_then(|value| value.parse().ok()).unwrap_or(0.0)
    };
    Ok((field("calls="), field("usec=")))
}

/// What a process has used of processors.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Behind the name, which may contain anything: user and system time are the 12th and 13th.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks: f64 = fields[12].parse::<f64>()? + fields[13].parse::<f64>()?;
    Ok(ticks / 100.0)
}

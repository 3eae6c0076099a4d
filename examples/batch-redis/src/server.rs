//! The server, and the keys that the commands are about.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use redis::{AsyncConnectionConfig, Client, Cmd, aio::MultiplexedConnection};

use crate::url;

/// Numbers that are counted up, and as many texts that are set and read.
const KEYS: u64 = 1_000;

/// A busy machine takes its time; the library's half a second is for services with a client waiting.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Shown where there is no URL.
const HOW_TO_GET_ONE: &str = "\
--redis-url is missing, and this example needs a Redis server. One that goes away with Ctrl-C:
  redis-server --port 6379 --save ''        (Debian: apt-get install redis-server)
  docker run --rm -p 6379:6379 redis:7
and then: --redis-url redis://127.0.0.1:6379/";

pub(crate) async fn connect(url: Option<&str>) -> Result<MultiplexedConnection> {
    let Some(url) = url else { bail!("{HOW_TO_GET_ONE}") };
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE_TIMEOUT));
    let connect = async {
        let expected = "not a URL as in redis://user:password@host:port/";
        let client = Client::open(url).context(expected)?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        // The library's errors say themselves what their sources say.
        connection.map_err(|error| anyhow!("cannot connect: {error}"))
    };
    connect.await.with_context(|| format!("--redis-url {}", url::shown(url)))
}

/// The same command every time for a number. A bad one counts up a text, which Redis refuses.
pub(crate) fn command(number: u64, bad: bool) -> Cmd {
    // A prime, so that all keys have their turn with each of the commands.
    let key = number * 7_919 % KEYS;
    match number % 3 {
        _ if bad => Cmd::incr(text(0), 1),
        0 => Cmd::set(text(key), format!("a text, set by command {number}")),
        1 => Cmd::get(text(key)),
        _ => Cmd::incr(count(key), 1),
    }
}

/// Whether [`command`] counts something up.
pub(crate) fn counts(number: u64, bad: bool) -> bool {
    number % 3 == 2 && !bad
}

/// Sets all keys, so that every run finds the same.
pub(crate) async fn prepare(connection: &mut MultiplexedConnection) -> Result<()> {
    let mut pipeline = redis::pipe();
    for key in 0..KEYS {
        pipeline.set(text(key), "a text").ignore().set(count(key), 0).ignore();
    }
    pipeline.exec_async(connection).await.context("cannot set the keys")
}

/// How often something was counted up, all keys together.
pub(crate) async fn counted(connection: &mut MultiplexedConnection) -> Result<u64> {
    let keys: Vec<_> = (0..KEYS).map(count).collect();
    let counts: Vec<u64> =
        Cmd::mget(keys).query_async(connection).await.context("cannot read the counts")?;
    Ok(counts.iter().sum())
}

/// Removes every trace.
pub(crate) async fn remove(connection: &mut MultiplexedConnection) -> Result<()> {
    let keys: Vec<_> = (0..KEYS).flat_map(|key| [text(key), count(key)]).collect();
    Cmd::unlink(keys).exec_async(connection).await.context("cannot remove the keys")
}

fn text(key: u64) -> String {
    format!("floodway-batch-redis:text:{key}")
}

fn count(key: u64) -> String {
    format!("floodway-batch-redis:count:{key}")
}

//! The server.

use std::{env, time::Duration};

use anyhow::{Context, Result, anyhow};
use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};

use crate::url;

/// What is read where there is no `--redis-url`, and how children are told, because arguments of a
/// process can be seen by everybody on the machine.
pub(crate) const VARIABLE: &str = "REDIS_URL";

/// A busy machine takes its time, and some commands wait for an entry; the library's half a second is
/// for services with a client waiting.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Shown where there is no URL.
const HOW_TO_GET_ONE: &str = "\
--redis-url is missing, and this example needs a Redis server. One that goes away with Ctrl-C:
  redis-server --port 6379 --save ''        (Debian: apt-get install redis-server)
  docker run --rm -p 6379:6379 redis:7
and then: --redis-url redis://127.0.0.1:6379/";

/// Where the server is.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    client: Client,
    url: String,
}

impl Server {
    /// Takes the URL of the command line, or that of the environment.
    pub(crate) fn new(url: Option<&str>) -> Result<Self> {
        let url = url.map(str::to_owned).or_else(|| env::var(VARIABLE).ok());
        let url = url.context(HOW_TO_GET_ONE)?;
        let expected = "not a URL as in redis://user:password@host:port/";
        let client = Client::open(&*url).context(expected);
        let client = client.with_context(|| format!("--redis-url {}", url::shown(&url)))?;
        Ok(Self { client, url })
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await;
        // The library's errors say themselves what their sources say.
        let connection = connection.map_err(|error| anyhow!("cannot connect: {error}"));
        connection.with_context(|| format!("--redis-url {}", url::shown(&self.url)))
    }

    /// With its password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

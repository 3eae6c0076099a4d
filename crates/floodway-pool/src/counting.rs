//! A client that is cloned instead of checked out, as a pool of uses.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use floodway::{Pool, PoolFailure, PoolSnapshot};

/// So many uses of a client at once, for clients that share what they have opened among all who
/// cloned them and have no maximum of their own.
///
/// What counts is what is handed out here: a use begins when a [`Counted`] is acquired and ends
/// when it is dropped. Clones of the client that are used elsewhere are not seen. Nothing is opened
/// here, so nothing can be trimmed, and a server that cannot be reached shows in the first
/// operation, not in the acquisition. Clones of this pool count together.
///
/// | client | one use is | the maximum is |
/// |---|---|---|
/// | redis `MultiplexedConnection`, `ConnectionManager` | a command or pipeline | what may wait for the server |
/// | reqwest, hyper over HTTP/1.1, one host | a connection | what the host allows |
/// | reqwest, hyper, tonic over HTTP/2, one host | a stream | see [`streams`](Self::streams) |
///
/// redis 1.x has a limit too, `set_concurrency_limit`, off by default; behind it, callers wait
/// without a bound and without being counted.
///
/// reqwest and hyper have no maximum of open connections. `pool_max_idle_per_host` bounds those
/// that are kept, not those that are opened, and should be as large as the maximum here, so that
/// connections last. A `ConcurrencyLimitLayer` on the connector bounds connects at one time,
/// because its permit comes back as soon as a connection stands
/// (<https://github.com/seanmonstar/reqwest/issues/2445>). Hold the use until the body was read:
/// only then is the connection free.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use floodway::PoolLimiter;
/// use floodway_pool::CountingPool;
/// use tokio::time::Instant;
///
/// # #[derive(Clone)]
/// # struct Client;
/// # impl Client { async fn get(&self, _: &str) {} }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let http = Client;
/// // `http` is a reqwest client, for example.
/// let partner = PoolLimiter::builder("partner-api", CountingPool::new(http, 16)).build()?;
/// let client = partner.connection(Instant::now() + Duration::from_millis(250)).await?;
/// client.get("https://partner.example/orders").await;
/// # Ok(())
/// # }
/// ```
///
/// With many hosts, a [`LimiterMap`](floodway::LimiterMap) has a limiter for each and no need of a
/// pool:
///
/// ```
/// use floodway::LimiterMap;
///
/// # #[derive(Clone)]
/// # struct Client;
/// # impl Client { async fn get(&self, _: &str) {} }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let http = Client;
/// let hosts = LimiterMap::<String>::builder("crawler", |_, limiter| limiter.limit(6)).build()?;
/// let permit = hosts.limiter("docs.example").acquire().await?;
/// http.get("https://docs.example/").await;
/// drop(permit);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CountingPool<C> {
    client: C,
    max: u32,
    uses: Arc<AtomicU32>,
}

impl<C> CountingPool<C> {
    /// At most `max` uses of `client` at once. A limiter cannot be built over a maximum of 0, nor
    /// over more than [`MAX_PERMITS`](floodway::MAX_PERMITS).
    #[must_use]
    pub fn new(client: C, max: u32) -> Self {
        Self { client, max, uses: Arc::default() }
    }

    /// As many as `connections` carry if each takes `streams` at once: what an HTTP/2 server says
    /// in `SETTINGS_MAX_CONCURRENT_STREAMS`, which hyper tells as `current_max_send_streams` and
    /// reqwest and tonic do not tell. Both open one connection to a host, however many streams wait
    /// for their turn on it.
    #[must_use]
    pub fn streams(client: C, connections: u32, streams: u32) -> Self {
        Self::new(client, connections.saturating_mul(streams))
    }

    /// The client itself. Operations on it are not counted.
    #[must_use]
    pub const fn inner(&self) -> &C {
        &self.client
    }
}

impl<C: Clone + Send + Sync + 'static> Pool for CountingPool<C> {
    type Connection = Counted<C>;
    type Error = Infallible;

    /// A use is a connection that exists while it lasts: then what is open is what is used, none is
    /// ever idle, and what another limiter takes from the same pool is foreign use.
    fn snapshot(&self) -> PoolSnapshot {
        let open = self.uses.load(Ordering::Acquire);
        PoolSnapshot { max: self.max, open, idle: 0, closed: false }
    }

    fn acquire(&self) -> impl Future<Output = Result<Counted<C>, Infallible>> + Send + 'static {
        ready(Ok(Counted { client: self.client.clone(), _use: Use::begin(&self.uses) }))
    }

    fn release(&self, connection: Counted<C>) -> Option<impl Future<Output = ()> + Send + 'static> {
        drop(connection);
        None::<Ready<()>>
    }

    fn failure(error: &Infallible) -> PoolFailure {
        match *error {}
    }
}

impl<C> fmt::Debug for CountingPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountingPool")
            .field("max", &self.max)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

/// A clone of the client, in use until it is dropped.
pub struct Counted<C> {
    client: C,
    _use: Use,
}

impl<C> Deref for Counted<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.client
    }
}

impl<C> DerefMut for Counted<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.client
    }
}

impl<C> fmt::Debug for Counted<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

struct Use(Arc<AtomicU32>);

impl Use {
    fn begin(uses: &Arc<AtomicU32>) -> Self {
        uses.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(uses))
    }
}

/// On every way out, so that an acquisition that nobody fetched is not counted for ever.
impl Drop for Use {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

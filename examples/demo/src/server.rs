//! The service: the same routes with and without Floodway.

mod access;
mod answer;
mod carrier;
mod checks;
mod inserts;
mod page;
mod routes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use axum::{Router, response::Redirect, routing::get, serve::ListenerExt};
use floodway::{BuildError, Limiter, PoolLimiter, Queue, fan_out::Name};
use floodway_exporter::{Controls, Exporter, Token};
use floodway_pool::SqlxPool;
use floodway_tower::{LimiterLayer, http};
use sqlx::{Any, AnyPool};
use tokio::{net::TcpListener, runtime::Handle, sync::oneshot, task::JoinHandle, time::timeout};

pub(crate) use self::{access::Access, inserts::batcher};
use self::{page::Pages, routes::Service};
use crate::{arm::Arm, database::POOL_SIZE, partners::Partners};

/// One round of the pool: enough to keep it busy between bursts, and so few that their turn comes
/// well before [`MAX_WAIT`]. Who is refused is then refused on arrival.
const QUEUE_CAPACITY: usize = POOL_SIZE as usize;

const MAX_WAIT: Duration = Duration::from_millis(250);

/// How long the last answers may take when the service stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// What the protected service has where it is not compared with another.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// With them there is the page of a customer.
    pub(crate) partners: Option<Partners>,
    /// Who has it may change limits.
    pub(crate) control_token: Option<Token>,
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    pool: AnyPool,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Serves on `listener`, on the threads of `runtime`, with connections from `pool`.
    /// `last_order` is the highest id in the table.
    pub(crate) async fn start(
        runtime: &Handle,
        listener: std::net::TcpListener,
        arm: Arm,
        pool: AnyPool,
        last_order: i64,
        exporter: Exporter,
        extras: Extras,
    ) -> Result<Self> {
        let start = async move {
            let listener = TcpListener::from_std(listener)?;
            let address = listener.local_addr()?;
            let router = match arm {
                Arm::Plain => {
                    let access = Arc::new(Access::Plain(pool.clone()));
                    routes::api(Service::new(access, None, None, last_order))
                        .merge(exporter.routes())
                }
                Arm::Protected => protected(pool.clone(), last_order, exporter, extras)?,
            };
            let router = router.route("/", get(async || Redirect::temporary("/floodway")));
            let (stop, stopped) = oneshot::channel();
            // Answers are small and must not wait for acknowledgements.
            let listener = listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            let task = tokio::spawn(async move {
                axum::serve(listener, router)
                    .with_graceful_shutdown(async {
                        let _ = stopped.await;
                    })
                    .await
            });
            Ok::<_, anyhow::Error>(Self { address, pool, stop, task })
        };
        runtime
            .spawn(start)
            .await
            .map_err(|error| anyhow!(error))?
            .with_context(|| format!("cannot start the {arm} service"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the last answers out and closes the pool.
    pub(crate) async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if let Ok(ended) = timeout(STOP_TIMEOUT, self.task).await {
            ended??;
        } else {
            abort.abort();
        }
        // Those that hold a connection give it back when they are done with it, not sooner.
        let _ = timeout(STOP_TIMEOUT, self.pool.close()).await;
        Ok(())
    }
}

/// Connections for who is admitted, and room for a few who wait.
pub(crate) fn connections(pool: AnyPool) -> Result<PoolLimiter<SqlxPool<Any>>, BuildError> {
    PoolLimiter::builder("orders-db", SqlxPool::new(pool)).reserved(1).build()
}

/// All that it takes: a limiter at the pool, and one under the same ceiling at the door, so that
/// what the pool cannot serve is refused before it has cost anything. Orders that are placed at the
/// same time go together: since somebody at the door waits for each batch, batches need no more
/// connections than the door has let in.
fn protected(
    pool: AnyPool,
    last_order: i64,
    mut exporter: Exporter,
    extras: Extras,
) -> Result<Router> {
    let connections = connections(pool)?;
    let requests = Limiter::builder("orders-http")
        .queue(Queue::fifo().capacity(QUEUE_CAPACITY).max_wait(MAX_WAIT))
        .ceiling(connections.ceiling())
        .build()?;
    if let Some(token) = extras.control_token {
        let controls =
            Controls::new(token).limiter(requests.handle()).limiter(connections.limiter().handle());
        exporter = exporter.with_controls(controls)?;
    }
    let access = Arc::new(Access::Protected(connections));
    let inserts = batcher(Arc::clone(&access))?;
    // Not behind the door: a page waits for partners most of its time, and would keep those out who
    // could use a connection meanwhile. Each of its pieces passes the limiter of what it needs.
    let pages = match extras.partners {
        Some(partners) => page::route(Pages::new(Arc::clone(&access), partners)?),
        None => Router::new(),
    };
    let service = Service::new(access, Some(inserts), Some(Name::new("bulk-checks")?), last_order);
    let layer = LimiterLayer::new(requests)
        .classify(http::HttpStatus::default())
        .respond(http::service_unavailable);
    Ok(routes::api(service).route_layer(layer).merge(pages).merge(exporter.routes()))
}

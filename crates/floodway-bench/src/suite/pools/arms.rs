//! The ways to ask a pool: alone, behind tower's concurrency limit, behind a semaphore with the best
//! static setting, through a pool limiter.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use floodway::{ConnectionError, Pool, PoolFailure, PoolLimiter};
use floodway_metrics::Registry;
use futures::future::BoxFuture;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use tower::{ServiceBuilder, ServiceExt, service_fn, timeout::error::Elapsed};

use super::{CONNECTIONS, DEADLINE, QUERY, drivers::Driver};

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    /// Its query took so long.
    Served(Duration),
    /// The pool gave up by its own patience.
    PoolTimedOut,
    /// Refused in front of the pool, or given up at the deadline.
    Refused,
    Failed,
    /// The caller went away.
    Left,
}

/// The name of the arm that has goals.
pub(super) const OURS: &str = "ours";

/// One way to make the same request.
pub(super) struct Arm {
    pub(super) name: &'static str,
    request: Request,
}

type Request = Box<dyn Fn() -> BoxFuture<'static, Ended>>;

impl Arm {
    fn new<F>(name: &'static str, request: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        Self { name, request: Box::new(move || Box::pin(request())) }
    }

    pub(super) fn request(&self) -> BoxFuture<'static, Ended> {
        (self.request)()
    }
}

/// The pool alone, whose patience bounds the wait.
pub(super) fn plain<D: Driver>(pool: D) -> Arm {
    Arm::new("plain", move || serve(pool.clone()))
}

/// One at a time for each connection, in a queue without bound that is left at the deadline: what
/// a request is at by then is dropped.
pub(super) fn tower<D: Driver>(pool: D) -> Arm {
    let serve = service_fn(move |()| {
        let pool = pool.clone();
        async move { Ok::<_, Infallible>(serve(pool).await) }
    });
    let limit = ServiceBuilder::new().concurrency_limit(CONNECTIONS as usize).service(serve);
    // Where the limit is waited for in `call`, the timeout includes the wait.
    let wait = service_fn(move |()| limit.clone().oneshot(()));
    let service = ServiceBuilder::new().timeout(DEADLINE).service(wait);
    Arm::new("tower", move || {
        let response = service.clone().oneshot(());
        async move {
            match response.await {
                Ok(ended) => ended,
                Err(error) if error.is::<Elapsed>() => Ended::Refused,
                Err(_) => Ended::Failed,
            }
        }
    })
}

/// A semaphore with a permit for each connection, and at most `queue` requests that wait for one
/// until their deadline.
pub(super) fn fixed<D: Driver>(pool: D, queue: u32) -> Arm {
    let permits = Semaphore::new(CONNECTIONS as usize);
    let gate = Arc::new(Gate { permits, queue, queued: AtomicU32::new(0) });
    Arm::new("static", move || {
        let (pool, gate) = (pool.clone(), Arc::clone(&gate));
        async move {
            match gate.enter(Instant::now() + DEADLINE).await {
                Some(_permit) => serve(pool).await,
                None => Ended::Refused,
            }
        }
    })
}

struct Gate {
    permits: Semaphore,
    queue: u32,
    queued: AtomicU32,
}

impl Gate {
    async fn enter(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Some(permit);
        }
        let queued = self.queued.fetch_add(1, Ordering::Relaxed);
        let permit = match queued < self.queue {
            true => timeout_at(deadline, self.permits.acquire()).await.ok(),
            false => None,
        };
        self.queued.fetch_sub(1, Ordering::Relaxed);
        permit?.ok()
    }
}

/// A pool limiter as it comes.
pub(super) fn ours<D: Driver>(pool: &D) -> anyhow::Result<Arm> {
    let limiter = limiter(pool)?;
    Ok(Arm::new(OURS, move || {
        let limiter = limiter.clone();
        async move {
            match limiter.connection(Instant::now() + DEADLINE).await {
                Ok(mut connection) => query::<D>(&mut connection).await,
                Err(ConnectionError::Pool(error)) => ended::<D>(&error),
                Err(_) => Ended::Refused,
            }
        }
    }))
}

/// Must be called in a runtime.
pub(super) fn limiter<D: Driver>(pool: &D) -> anyhow::Result<PoolLimiter<D::Adapter>> {
    Ok(PoolLimiter::builder("bench", pool.adapter()).registry(&Registry::new()).build()?)
}

pub(super) async fn serve<D: Driver>(pool: D) -> Ended {
    match pool.acquire().await {
        Ok(mut connection) => query::<D>(&mut connection).await,
        Err(error) => ended::<D>(&error),
    }
}

async fn query<D: Driver>(connection: &mut D::Connection) -> Ended {
    let began = Instant::now();
    match D::run(connection, QUERY).await {
        Ok(()) => Ended::Served(began.elapsed()),
        Err(_) => Ended::Failed,
    }
}

fn ended<D: Driver>(error: &D::Error) -> Ended {
    match D::Adapter::failure(error) {
        PoolFailure::TimedOut => Ended::PoolTimedOut,
        _ => Ended::Failed,
    }
}

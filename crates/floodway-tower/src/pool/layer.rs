//! Applies a pool limiter to services.

use std::{fmt, time::Duration};

use floodway::{Pool, PoolLimiter, Weight};
use tokio::time::Instant;
use tower_layer::Layer;

use super::PoolLimited;
use crate::{Fail, Respond};

/// Puts a [`PoolLimiter`] in front of a service: a request gets a [`Claim`](floodway::Claim) before
/// the inner service is called, and what that does runs inside the claim. All services made by one
/// layer, and all their clones, share the limiter.
///
/// Inside, [`PoolLimiter::connection`] takes the claim's connections, and one beyond the
/// [`weight`](Self::weight) is an error at once instead of a wait without end. With
/// [`Weight::Exact`], the default, a connection inside waits for the pool alone and never for a
/// permit; with [`Weight::UpTo`] it may wait, but not for ever.
///
/// Right for routes that need a connection nearly all the time or more than one of them. A claim is
/// held while the request computes, too, so where it does that for long, let handlers call
/// [`PoolLimiter::connection`] when they need one, and bound the requests by a
/// [`LimiterLayer`](crate::LimiterLayer) whose limiter has [`PoolLimiter::ceiling`].
///
/// By default a rejection is a [`BoxError`](crate::BoxError); [`respond`](Self::respond) makes a
/// response of it. Only one of these layers for the same pool may be on the way of a request: the
/// inner one would wait for the outer one, and is refused.
///
/// ```
/// use axum::{Router, body::Body, extract::State, http::Request, routing::get};
/// use floodway::{PoolLimiter, Weight};
/// use floodway_pool::SqlxPool;
/// # #[cfg(feature = "http")]
/// use floodway_tower::{PoolLimitLayer, http};
/// use sqlx::{Sqlite, sqlite::SqlitePoolOptions};
/// use tokio::time::{Duration, Instant};
/// # use tower::ServiceExt;
///
/// type Db = PoolLimiter<SqlxPool<Sqlite>>;
///
/// /// Reads in one connection and writes what it finds in another.
/// async fn copy(State(db): State<Db>) -> String {
///     let deadline = Instant::now() + Duration::from_millis(250);
///     let mut from = db.connection(deadline).await.expect("claimed");
///     let mut to = db.connection(deadline).await.expect("claimed");
///     let row: i64 = sqlx::query_scalar("SELECT 42").fetch_one(&mut **from).await.expect("a row");
///     sqlx::query("SELECT $1").bind(row).execute(&mut **to).await.expect("done");
///     row.to_string()
/// }
///
/// # #[cfg(feature = "http")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sqlite = SqlitePoolOptions::new().max_connections(4).connect("sqlite::memory:").await?;
/// let db = PoolLimiter::builder("shop-db", SqlxPool::new(sqlite)).build()?;
/// let layer = PoolLimitLayer::new(db.clone())
///     .weight(Weight::Exact(2))
///     .deadline_in(Duration::from_millis(100))
///     // 503 with `Retry-After` and the cause; the error type stays `Infallible`.
///     .respond(http::no_connection);
/// let app: Router = Router::new().route("/copy", get(copy)).layer(layer).with_state(db);
/// # let response = app.oneshot(Request::get("/copy").body(Body::empty())?).await?;
/// # assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "http"))]
/// # fn main() {}
/// ```
///
/// Under tonic, `respond(grpc::no_connection::<tonic::body::Body, _>)`.
///
/// There is no variant that reserves in `poll_ready`. For a load balancer, put
/// [`LimiterLayer::backpressure`](crate::LimiterLayer::backpressure), with a limiter that has
/// [`PoolLimiter::ceiling`], in front of each endpoint.
#[must_use]
pub struct PoolLimitLayer<P: Pool, R = Fail> {
    pub(super) pool: PoolLimiter<P>,
    pub(super) on_rejection: R,
    pub(super) weight: Weight,
    /// `None`: as long as the queue lets anybody wait.
    patience: Option<Duration>,
}

impl<P: Pool> PoolLimitLayer<P> {
    /// Each request passes with a claim to one connection of `pool`.
    pub fn new(pool: PoolLimiter<P>) -> Self {
        Self { pool, on_rejection: Fail, weight: Weight::default(), patience: None }
    }
}

impl<P: Pool, R> PoolLimitLayer<P, R> {
    /// How many connections a request may hold at a time; by default one. More than the pool will
    /// ever have is a rejection of every request, with
    /// [`PoolCause::Weight`](floodway::PoolCause::Weight).
    pub fn weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// How long a request waits for its claim; by default, and at most, as long as the queue of the
    /// limiter allows.
    pub fn deadline_in(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Answers rejections with the response that `response`, a
    /// `Fn(&ConnectionError<P::Error>) -> Response`, makes of them: `no_connection` in `http` and
    /// `grpc` (feature `http`), or a closure.
    pub fn respond<F>(self, response: F) -> PoolLimitLayer<P, Respond<F>> {
        let Self { pool, weight, patience, .. } = self;
        PoolLimitLayer { pool, on_rejection: Respond(response), weight, patience }
    }

    /// Until when a request that comes now waits for its claim.
    ///
    /// The queue would refuse it in time without that, but with a deadline far away it could not
    /// tell connections that are held for too long from a wait that is the caller's wish.
    pub(super) fn deadline(&self) -> Instant {
        let longest = self.pool.limiter().handle().max_wait();
        Instant::now() + self.patience.map_or(longest, |patience| patience.min(longest))
    }
}

impl<S, P: Pool, R: Clone> Layer<S> for PoolLimitLayer<P, R> {
    type Service = PoolLimited<S, P, R>;

    fn layer(&self, inner: S) -> Self::Service {
        PoolLimited::new(inner, self.clone())
    }
}

/// Derived, it would be `Clone` only for connections that are.
impl<P: Pool, R: Clone> Clone for PoolLimitLayer<P, R> {
    fn clone(&self) -> Self {
        let Self { pool, on_rejection, weight, patience } = self;
        Self {
            pool: pool.clone(),
            on_rejection: on_rejection.clone(),
            weight: *weight,
            patience: *patience,
        }
    }
}

impl<P: Pool, R> fmt::Debug for PoolLimitLayer<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolLimitLayer")
            .field("pool", &self.pool)
            .field("weight", &self.weight)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

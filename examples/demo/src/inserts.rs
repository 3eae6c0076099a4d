//! Orders from many callers: a statement for each, and together through the service's batcher.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use sqlx::AnyPool;
use tokio::{runtime::Handle, task::JoinSet, time::Instant};

use crate::{
    database::Database,
    latency,
    orders::{self, CUSTOMERS, MONTHS, NewOrder, Order, PRODUCTS},
    server::{self, Access},
    stop::Stop,
};

/// Who places orders at the same time.
pub(crate) const CALLERS: usize = 64;

/// How often each way is measured; an odd number, so that one is the median.
pub(crate) const ROUNDS: u32 = 3;

/// Both ways beside each other; of each figure the median over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) callers: usize,
    pub(crate) unbatched: Figures,
    pub(crate) batched: Figures,
}

#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) rows_per_s: f64,
    pub(crate) p50_s: f64,
    pub(crate) p99_s: f64,
}

/// Measures each way for `duration` in each round, on the threads of `runtime` and without HTTP,
/// which would cost more than an insert; `None` if interrupted.
pub(crate) async fn compare(
    database: &Database,
    runtime: &Handle,
    duration: Duration,
    stop: &Stop,
) -> Result<Option<Comparison>> {
    // A pool for each, because what one way takes from a pool is foreign to the limiter of the other.
    let pools = [database.pool(), database.pool()];
    let next = AtomicI64::new(database.last_order().await? + 1);
    let measured = runtime.spawn(rounds(pools.clone(), Arc::new(next), duration));
    let abort = measured.abort_handle();
    let outcome = tokio::select! {
        measured = measured => measured.map_err(|error| anyhow!(error))?.map(Some),
        () = stop.requested() => {
            abort.abort();
            Ok(None)
        }
    };
    for pool in pools {
        pool.close().await;
    }
    outcome.context("cannot measure inserts")
}

async fn rounds(
    [plain, protected]: [AnyPool; 2],
    next: Arc<AtomicI64>,
    duration: Duration,
) -> Result<Comparison> {
    let plain = Arc::new(Access::Plain(plain));
    let protected = Arc::new(Access::Protected(server::connections(protected)?));
    // One batcher for all rounds: it knows the costs from the second one on, as in a service.
    let inserts = server::batcher(protected)?;
    let (mut unbatched, mut batched) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let access = Arc::clone(&plain);
        let alone = move |order: Order| {
            let access = Arc::clone(&access);
            async move {
                let connection = access.connection().await;
                let mut connection = connection.map_err(|error| anyhow!("{error:?}"))?;
                Ok(orders::insert(&mut connection, order.id, &order.order).await?)
            }
        };
        unbatched.push(closed_loop(alone, &next, duration).await?);
        let inserts = inserts.clone();
        let together = move |order: Order| {
            let inserts = inserts.clone();
            async move { inserts.call(order).await.map_err(|error| anyhow!("{error:?}")) }
        };
        batched.push(closed_loop(together, &next, duration).await?);
    }
    let (unbatched, batched) = (Figures::median(&unbatched), Figures::median(&batched));
    Ok(Comparison { callers: CALLERS, unbatched, batched })
}

/// Every caller places its next order when it has the answer to the last.
async fn closed_loop<F, Fut>(
    insert: F,
    next: &Arc<AtomicI64>,
    duration: Duration,
) -> Result<Figures>
where
    F: Fn(Order) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (insert, next) = (insert.clone(), Arc::clone(next));
        callers.spawn(async move {
            let mut latencies = latency::histogram();
            while began.elapsed() < duration {
                let order = order(next.fetch_add(1, Ordering::Relaxed));
                let called = Instant::now();
                insert(order).await?;
                latency::record(&mut latencies, called.elapsed());
            }
            Ok::<_, anyhow::Error>(latencies)
        });
    }
    let mut latencies = latency::histogram();
    while let Some(ended) = callers.join_next().await {
        latencies.add(ended??).map_err(|error| anyhow!(error))?;
    }
    Figures::new(&latencies, began.elapsed())
}

fn order(id: i64) -> Order {
    let order = NewOrder {
        customer_id: id % CUSTOMERS + 1,
        product_id: id % PRODUCTS + 1,
        month: id % MONTHS + 1,
        quantity: 1,
        unit_price_cents: 100,
    };
    Order { id, order }
}

impl Figures {
    fn new(latencies: &Histogram<u64>, took: Duration) -> Result<Self> {
        let quantile = |share| latency::quantile(latencies, share);
        let (Some(p50_s), Some(p99_s)) = (quantile(0.5), quantile(0.99)) else {
            bail!("no order was stored");
        };
        Ok(Self { rows_per_s: latencies.len() as f64 / took.as_secs_f64(), p50_s, p99_s })
    }

    fn median(rounds: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| {
            let mut values: Vec<_> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            rows_per_s: median(|figures| figures.rows_per_s),
            p50_s: median(|figures| figures.p50_s),
            p99_s: median(|figures| figures.p99_s),
        }
    }
}

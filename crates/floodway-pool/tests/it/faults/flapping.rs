//! A limit from outside that goes up and down faster than connections come and go.

use std::{sync::Arc, time::Duration};

use floodway::{Ceiling, PoolLimiter, Queue, Registry};
use floodway_test_support::Postgres as Server;
use sqlx::{Connection, PgConnection, postgres::PgPoolOptions};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use super::subject::{Sqlx, Subject};
use crate::support::{at_rest, ms};

const LOW: u32 = 4;
const HIGH: u32 = 40;
/// How long each connection is held.
const HOLD: Duration = ms(20);
const QUERY: &str = "SELECT pg_sleep(0.02)";
/// Until a caller gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ten times a second, one way or the other.
const FLAP: Duration = ms(100);
const FLAPS: u32 = 20;
/// Between two looks.
const LOOK: Duration = ms(10);
/// How long it may take until no more are open than may be, after the last one was held: 100 ms
/// on a machine that has nothing else to do.
const SLACK: Duration = ms(1_500);

/// As many callers as the pool has connections, each of which comes again at once.
fn crowd(limiter: &PoolLimiter<Sqlx>, stop: &Arc<Notify>) -> JoinSet<u32> {
    let mut crowd = JoinSet::new();
    for _ in 0..HIGH {
        let (limiter, stop) = (limiter.clone(), Arc::clone(stop));
        crowd.spawn(async move {
            let mut served = 0;
            let mut stopped = std::pin::pin!(stop.notified());
            loop {
                let mut connection = tokio::select! {
                    biased;
                    () = &mut stopped => return served,
                    connection = limiter.connection(Instant::now() + PATIENCE) =>
                        connection.expect("everybody is served at last"),
                };
                Sqlx::query(&mut connection, QUERY).await.expect("the query is fine");
                served += 1;
            }
        });
    }
    crowd
}

/// A pool that takes its time: a server that is asked for dozens of connections many times a second
/// is busy with that.
async fn pool(server: &Server) -> Sqlx {
    let options = PgPoolOptions::new().max_connections(HIGH).acquire_timeout(PATIENCE);
    Sqlx::new(options.connect(&server.url()).await.expect("connects"))
}

/// Backends of the server that serve somebody else than `own`.
async fn backends(own: &mut PgConnection) -> u32 {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
    .fetch_one(own)
    .await
    .expect("the activity is readable");
    u32::try_from(count).expect("a few backends")
}

async fn until(condition: impl Fn() -> bool) {
    let mut looks = interval(LOOK);
    while !condition() {
        looks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flapping_ceiling_holds() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut own = PgConnection::connect(&server.url()).await.expect("connects");
    let ceiling = Ceiling::new(HIGH);
    let limiter = PoolLimiter::builder("db", pool(&server).await)
        .queue(Queue::fifo().max_wait(PATIENCE))
        .ceiling(ceiling.clone())
        .registry(&Registry::new())
        .build()
        .expect("a valid description");
    let stop = Arc::new(Notify::new());
    let crowd = crowd(&limiter, &stop);
    let open = || limiter.pool().inner().size();

    let mut looks = interval(LOOK);
    let mut most = (0, 0);
    for flap in 0..FLAPS {
        ceiling.set(if flap % 2 == 0 { LOW } else { HIGH });
        let until = Instant::now() + FLAP;
        while Instant::now() < until {
            looks.tick().await;
            most = (most.0.max(open()), most.1.max(backends(&mut own).await));
        }
    }
    // The server's own number may be higher for a moment: what was closed takes a while to end.
    assert!(most.0 <= HIGH, "{} open", most.0);

    let grown = timeout(PATIENCE, until(|| open() == HIGH)).await;
    grown.unwrap_or_else(|_| panic!("{} are open under a ceiling of {HIGH}", open()));
    let fell = Instant::now();
    ceiling.set(LOW);
    let settled = timeout(HOLD + SLACK, until(|| open() <= LOW)).await;
    settled.unwrap_or_else(|_| panic!("{} are open, {LOW} may be", open()));
    print(most, fell.elapsed());
    while backends(&mut own).await > LOW {
        assert!(fell.elapsed() < HOLD + 2 * SLACK, "the server still has more");
        looks.tick().await;
    }
    for _ in 0..50 {
        looks.tick().await;
        let now = (open(), backends(&mut own).await);
        assert!(now.0 <= LOW && now.1 <= LOW, "{now:?} open, and the ceiling never rose");
    }
    stop.notify_waiters();
    let served: u32 = crowd.join_all().await.into_iter().sum();
    assert!(served > HIGH * FLAPS / 2, "{served} were served");
    at_rest(&limiter).await;
}

#[expect(clippy::print_stdout, reason = "figures for who runs a test by hand")]
fn print(most: (u32, u32), took: Duration) {
    println!(
        "flapping, sqlx: at most {most:?} open; {LOW} are left {took:.0?} after the ceiling fell"
    );
}

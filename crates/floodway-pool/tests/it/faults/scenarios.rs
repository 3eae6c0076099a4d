//! The faults, one by one, over each kind of pool.

use floodway_test_support::Toxic;
use futures::future::try_join_all;
use tokio::{task::block_in_place, time::sleep};

use super::{
    Bench, Expected, POOL, check, fault_duration,
    load::SLOW,
    subject::{Bb8, Deadpool, Sqlx, Subject},
};

/// Somebody else takes half the connections.
async fn foreign_use<P: Subject>() {
    let expected = Expected { cause: "foreign", heals: true };
    check("half the pool used by others", expected, async |bench: &mut Bench<P>| {
        let pool = bench.limiter.pool();
        let taken = try_join_all((0..POOL / 2).map(|_| pool.acquire())).await;
        let taken = taken.expect("the pool gives");
        sleep(fault_duration()).await;
        for connection in taken {
            if let Some(release) = pool.release(connection) {
                release.await;
            }
        }
    })
    .await;
}

/// One query in a hundred takes two seconds.
async fn slow_queries<P: Subject>() {
    let expected = Expected { cause: "pool_held", heals: true };
    check("one query in 100 holds 2 s", expected, async |bench: &mut Bench<P>| {
        bench.load.set_some_slow(true);
        sleep(fault_duration()).await;
        bench.load.set_some_slow(false);
        // The fault is over with the last of them.
        sleep(SLOW).await;
    })
    .await;
}

/// The database is down for a while.
async fn restart<P: Subject>() {
    let expected = Expected { cause: "connect_failing", heals: true };
    check("PostgreSQL restarted", expected, async |bench: &mut Bench<P>| {
        block_in_place(|| bench.database.stop());
        sleep(fault_duration()).await;
        block_in_place(|| bench.database.restart());
    })
    .await;
}

/// The database goes away: what was connected is cut, and new connections are refused.
async fn refusal<P: Subject>() {
    let expected = Expected { cause: "connect_failing", heals: true };
    check("connections refused", expected, async |bench: &mut Bench<P>| {
        bench.proxy.set(Toxic::Refuse);
        bench.proxy.reset_connections();
        sleep(fault_duration()).await;
        bench.proxy.heal();
    })
    .await;
}

/// Nothing goes through any more, and nothing says so.
async fn black_hole<P: Subject>() {
    let expected = Expected { cause: "connect_failing", heals: true };
    check("blackholed", expected, async |bench: &mut Bench<P>| {
        bench.proxy.set(Toxic::Blackhole);
        sleep(fault_duration()).await;
        bench.proxy.heal();
    })
    .await;
}

/// A firewall forgets every connection: nothing ever comes back on them. New ones work.
async fn forgetting<P: Subject>() {
    let expected = Expected { cause: "connect_failing", heals: true };
    check("connections half open", expected, async |bench: &mut Bench<P>| {
        bench.proxy.half_open_connections();
        sleep(fault_duration()).await;
    })
    .await;
}

/// The pool is closed for good.
async fn closing<P: Subject>(close: impl AsyncFn(&P)) {
    let expected = Expected { cause: "closed", heals: false };
    check("pool closed", expected, async |bench: &mut Bench<P>| {
        close(bench.limiter.pool()).await;
        sleep(fault_duration()).await;
    })
    .await;
}

/// The tests of one kind of pool.
macro_rules! over {
    ($pool:ident, $subject:ty) => {
        mod $pool {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn others_use_half_the_pool() {
                foreign_use::<$subject>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn some_queries_take_long() {
                slow_queries::<$subject>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_restarts() {
                restart::<$subject>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn connections_are_refused() {
                refusal::<$subject>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_network_is_a_black_hole() {
                black_hole::<$subject>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn connections_are_forgotten() {
                forgetting::<$subject>().await;
            }
        }
    };
}

over!(sqlx, Sqlx);
over!(deadpool, Deadpool);
over!(bb8, Bb8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_sqlx_is_closed() {
    closing(async |pool: &Sqlx| pool.inner().close().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_deadpool_is_closed() {
    closing(async |pool: &Deadpool| pool.inner().close()).await;
}

//! What a fence closes at PostgreSQL, what it does not, and what it says when it may not.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use floodway_fleet::{Fence, FenceError, Left, MemoryStore, PostgresFence, name_connections};
use floodway_test_support::Postgres;
use sqlx::{
    ConnectOptions as _, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Replica, ms};

const NAME: &str = "fw/7/orders-db/orders-0";

fn left(keep: u32) -> Left {
    Left { application_name: NAME.to_owned(), keep }
}

fn options(postgres: &Postgres, role: &str) -> PgConnectOptions {
    let options: PgConnectOptions = postgres.url().parse().expect("a URL");
    options.username(role)
}

async fn connect(postgres: &Postgres, role: &str, name: &str) -> PgConnection {
    options(postgres, role).application_name(name).connect().await.expect("a connection")
}

async fn run(postgres: &Postgres, sql: &'static str) {
    let mut admin = connect(postgres, "postgres", "admin").await;
    sqlx::raw_sql(sql).execute(&mut admin).await.expect("runs");
}

/// Names and queries of all connections but the one that looks and that of a fence, which may be ending.
async fn open(postgres: &Postgres) -> Vec<(String, String)> {
    let mut all = activity(postgres).await;
    all.retain(|(name, _)| name != "floodway-fence");
    all
}

async fn activity(postgres: &Postgres) -> Vec<(String, String)> {
    let mut admin = connect(postgres, "postgres", "admin").await;
    let sql = "SELECT application_name, query FROM pg_stat_activity \
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY 1, 2";
    sqlx::query_as(sql).fetch_all(&mut admin).await.expect("the server's activity")
}

async fn count(postgres: &Postgres, name: &str) -> usize {
    activity(postgres).await.iter().filter(|(found, _)| found == name).count()
}

async fn until(postgres: &Postgres, name: &str, connections: usize) {
    let reached = async {
        while count(postgres, name).await != connections {
            sleep(ms(10)).await;
        }
    };
    timeout(Duration::from_secs(10), reached).await.expect("as many connections");
}

/// A client in a process of its own, in the middle of a query.
fn client(postgres: &Postgres, name: &str) -> Child {
    Command::new("psql")
        .args(["-X", "-d", &postgres.url(), "-c", "SELECT pg_sleep(600)"])
        .env("PGAPPNAME", name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("PostgreSQL comes with psql")
}

async fn close(fence: &PostgresFence, keep: u32) -> Result<u32, String> {
    let error = |error: Box<dyn std::error::Error + Send + Sync>| error.to_string();
    fence.close(&left(keep)).await.map_err(error)
}

#[tokio::test]
async fn a_killed_client_and_idle_ones_are_gone_and_others_untouched() {
    let Some(postgres) = Postgres::start() else { return };
    let mut killed = client(&postgres, NAME);
    until(&postgres, NAME, 1).await;
    // What the kernel does for it: no word of the protocol, only the end of the stream.
    killed.kill().expect("SIGKILL");
    killed.wait().expect("a dead process");
    let _idle = connect(&postgres, "postgres", NAME).await;
    let others = ["fw/7/orders-db/orders-01", "fw/7/orders-db/orders-", "fw/17/orders-db/orders-0"];
    let mut kept = Vec::new();
    for name in others {
        kept.push(connect(&postgres, "postgres", name).await);
    }
    sleep(ms(300)).await;
    assert_eq!(count(&postgres, NAME).await, 2, "the query of the dead client goes on");

    let fence = PostgresFence::from_url(&postgres.url()).expect("a URL");
    assert_eq!(close(&fence, 0).await, Ok(2));

    let names: Vec<_> = open(&postgres).await.into_iter().map(|(name, _)| name).collect();
    let mut expected = others.map(str::to_owned);
    expected.sort();
    assert_eq!(names, expected, "the others are open");
    until(&postgres, "floodway-fence", 0).await;
    assert_eq!(close(&fence, 0).await, Ok(0), "there is nothing left");
}

#[tokio::test]
async fn the_place_of_what_was_closed_is_free_at_once() {
    let Some(postgres) = Postgres::start() else { return };
    run(&postgres, "CREATE ROLE orders LOGIN CONNECTION LIMIT 8; CREATE ROLE fence LOGIN").await;
    run(&postgres, "GRANT pg_signal_backend TO fence").await;
    let fence = PostgresFence::with_options(options(&postgres, "fence"));
    for _ in 0..10 {
        let mut full = Vec::new();
        for _ in 0..8 {
            full.push(connect(&postgres, "orders", NAME).await);
        }
        assert_eq!(close(&fence, 0).await, Ok(8));
        for _ in 0..8 {
            full.push(connect(&postgres, "orders", "another").await);
        }
        // Again from an empty server.
        drop(full);
        until(&postgres, "another", 0).await;
    }
}

#[tokio::test]
async fn as_many_as_shall_be_kept_stay_open_those_at_work_first() {
    let Some(postgres) = Postgres::start() else { return };
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(connect(&postgres, "postgres", NAME).await);
    }
    let mut active = [client(&postgres, NAME), client(&postgres, NAME)];
    until(&postgres, NAME, 5).await;
    sleep(ms(300)).await;

    let fence = PostgresFence::from_url(&postgres.url()).expect("a URL");
    assert_eq!(close(&fence, 7).await, Ok(0));
    assert_eq!(close(&fence, 3).await, Ok(2));
    let queries = open(&postgres).await;
    let working = queries.iter().filter(|(_, query)| query.contains("pg_sleep")).count();
    assert_eq!((queries.len(), working), (3, 2), "{queries:?}");
    assert_eq!(close(&fence, 3).await, Ok(0));
    for client in &mut active {
        client.kill().expect("SIGKILL");
        client.wait().expect("a dead process");
    }
}

#[tokio::test]
async fn it_comes_back_when_they_are_gone_and_not_before() {
    let Some(postgres) = Postgres::start() else { return };
    let mut slow = connect(&postgres, "postgres", NAME).await;
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut slow).await.expect("a number");
    // A process that takes its time, as one that waits for a disk does.
    let signal = |signal: &str| {
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status();
        assert!(sent.expect("there is a kill").success());
    };
    signal("-STOP");
    let fence = PostgresFence::from_url(&postgres.url()).expect("a URL");
    let left = left(0);
    let mut closing = fence.close(&left);
    let early = timeout(Duration::from_secs(2), &mut closing).await;
    assert!(early.is_err(), "{early:?}");
    signal("-CONT");
    assert_eq!(closing.await.expect("closed"), 1);
    assert_eq!(count(&postgres, NAME).await, 0);
}

#[tokio::test]
async fn those_that_come_meanwhile_are_closed_too() {
    let Some(postgres) = Postgres::start() else { return };
    let again = options(&postgres, "postgres").application_name(NAME);
    let first = [connect(&postgres, "postgres", NAME).await];
    // Connects again whenever it is closed, for a while.
    let returning = tokio::spawn(async move {
        let mut times = 0;
        while times < 5 {
            let Ok(mut connection) = again.connect().await else { continue };
            let _ = sqlx::query("SELECT pg_sleep(600)").execute(&mut connection).await;
            times += 1;
        }
    });
    until(&postgres, NAME, 2).await;
    let fence = PostgresFence::from_url(&postgres.url()).expect("a URL");
    while !returning.is_finished() {
        close(&fence, 0).await.expect("closes what is there");
    }
    assert_eq!(count(&postgres, NAME).await, 0);
    drop(first);
}

#[tokio::test]
async fn a_role_that_may_not_is_told_what_to_do() {
    let Some(postgres) = Postgres::start() else { return };
    let roles = "CREATE ROLE orders LOGIN; CREATE ROLE other LOGIN; \
                 CREATE ROLE fence LOGIN IN ROLE pg_signal_backend";
    run(&postgres, roles).await;
    let mut used = connect(&postgres, "orders", NAME).await;

    let other = PostgresFence::with_options(options(&postgres, "other"));
    let error = close(&other, 0).await.unwrap_err();
    assert!(error.contains("GRANT pg_signal_backend TO \"other\""), "{error}");
    let raw = other.close(&left(0)).await.unwrap_err();
    let leaf = raw.downcast_ref::<FenceError>();
    assert!(matches!(leaf, Some(FenceError::Denied { .. })), "{raw:?}");
    sqlx::query("SELECT 1").execute(&mut used).await.expect("still open");

    // One that may close, but does not see what is done; and the replicas' own.
    for role in ["fence", "orders"] {
        let _used = connect(&postgres, "orders", NAME).await;
        until(&postgres, NAME, if role == "fence" { 2 } else { 1 }).await;
        let fence = PostgresFence::with_options(options(&postgres, role));
        let closed = close(&fence, 0).await;
        assert_eq!(closed, Ok(if role == "fence" { 2 } else { 1 }), "{role}");
    }
}

#[tokio::test]
async fn a_full_server_and_a_dead_one_are_told_apart() {
    let Some(mut postgres) = Postgres::start() else { return };
    run(&postgres, "CREATE ROLE orders LOGIN CONNECTION LIMIT 1").await;
    let _only = connect(&postgres, "orders", NAME).await;
    let fence = PostgresFence::with_options(options(&postgres, "orders").password("secret"));
    let error = close(&fence, 0).await.unwrap_err();
    assert!(error.contains("raise the margin"), "{error}");
    postgres.stop();
    let error = close(&fence, 0).await.unwrap_err();
    assert_eq!(error, format!("the server at 127.0.0.1:{} cannot be reached", postgres.port()));
    assert!(!format!("{fence:?}").contains("secret"));
    let error = PostgresFence::from_url("nowhere:secret").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn connections_have_the_name_of_the_lease_under_which_they_were_opened() {
    let Some(postgres) = Postgres::start() else { return };
    let pool =
        PgPoolOptions::new().max_connections(3).connect_lazy(&postgres.url()).expect("a URL");
    let name = name_connections(&pool);
    name(NAME);
    let held = [pool.acquire().await.expect("one"), pool.acquire().await.expect("another")];
    assert_eq!(count(&postgres, NAME).await, 2);
    name("fw/8/orders-db/orders-0");
    let _third = pool.acquire().await.expect("a third");
    assert_eq!((count(&postgres, NAME).await, open(&postgres).await.len()), (2, 3));

    let fence = PostgresFence::new(&pool);
    assert_eq!(close(&fence, 0).await, Ok(2));
    assert_eq!(count(&postgres, "fw/8/orders-db/orders-0").await, 1, "another lease is untouched");
    drop(held);
}

/// From a lease to the fence, with the real parts: the name, the death, the sweep and the grant.
#[tokio::test]
async fn others_get_what_a_dead_replica_had_when_its_connections_are_closed() {
    let Some(postgres) = Postgres::start() else { return };
    let store = MemoryStore::new();
    let pool = PgPoolOptions::new().connect_lazy(&postgres.url()).expect("a URL");
    let replica = |name: &str| {
        Replica::new(store.clone(), name, |budget| {
            let budget = budget.refresh(ms(100)).ttl(ms(600)).linger(ms(100)).floor(0);
            let budget = budget.on_lease(name_connections(&pool));
            budget.fence(PostgresFence::new(&pool))
        })
    };
    let soon = Instant::now() + Duration::from_secs(20);
    // A process of its own, as far as the others can tell: it ends without a word, in a query.
    let (died, died_at) = std::sync::mpsc::channel();
    let dying = std::thread::scope(|scope| {
        let replica = &replica;
        let postgres = &postgres;
        let pool = &pool;
        let process = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let dying = replica("dying");
                assert_eq!(dying.lease.granted(soon).await.expect("a grant"), 40);
                let name = dying.lease.application_name().expect("a lease");
                let _pooled = pool.acquire().await.expect("a connection");
                assert_eq!(count(postgres, &name).await, 1, "the pool has the lease's name");
                let mut client = client(postgres, &name);
                until(postgres, &name, 2).await;
                client.kill().expect("SIGKILL");
                client.wait().expect("a dead process");
                std::mem::forget(dying);
                died.send(name).expect("somebody waits");
            });
        });
        process.join().expect("no panic");
        died_at.recv().expect("the name")
    });
    assert_eq!(count(&postgres, &dying).await, 1, "the query goes on");

    let alive = replica("alive");
    let granted = alive.lease.granted(soon).await.expect("a grant");
    assert_eq!(count(&postgres, &dying).await, 0, "closed before anybody else has the permits");
    assert_eq!(granted, 40);
}

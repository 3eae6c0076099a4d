//! Servers that are gone or refuse, tables that are missing or others'.

use floodway_fleet::{LeaseStore, PostgresStore, StoreError};
use floodway_test_support::{Postgres, free_port};
use sqlx::{Connection, PgConnection};

use crate::conformance::Replica;

async fn run(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql(sql).execute(&mut connection).await.expect(sql);
}

async fn refused(url: &str) -> StoreError {
    let error = PostgresStore::connect(url).await.expect_err("a refusal");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
    error
}

fn of(server: &Postgres, user: &str) -> String {
    format!("postgres://{user}@{}/postgres", server.address())
}

#[tokio::test]
async fn urls_name_an_engine() {
    for url in ["", "host:5432", "http://me:sesame@host/", "postgres://me:ses/ame@host:x/"] {
        let error = refused(url).await;
        assert!(matches!(&error, StoreError::Url { .. }), "{url}: {error:?}");
    }
    let store = PostgresStore::connect_lazy("postgres://me:sesame@host/").expect("a URL");
    assert!(!format!("{store:?}").contains("sesame"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let url = format!("postgres://me@127.0.0.1:{}/", free_port());
    let error = refused(&url).await;
    assert!(matches!(&error, StoreError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn roles_and_tables() {
    let Some(server) = Postgres::start() else { return };
    let admin = server.url();
    let error = refused(&of(&server, "nobody")).await;
    assert!(matches!(&error, StoreError::Denied { .. }), "{error:?}");

    run(&admin, "CREATE ROLE weak LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    let error = refused(&of(&server, "weak")).await;
    assert!(matches!(&error, StoreError::Unprepared { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("floodway_fleet_account") && text.contains("grant CREATE"), "{text}");

    // With tables of somebody else, it does not need that right.
    run(&admin, PostgresStore::SCHEMA).await;
    run(
        &admin,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON floodway_fleet_account, \
                 floodway_fleet_member, floodway_fleet_remnant TO weak",
    )
    .await;
    let store = PostgresStore::connect(&of(&server, "weak")).await.expect("tables");
    store.renew("budget", Replica::new("a").ask(1)).await.expect("a renewal");

    run(&admin, "DROP TABLE floodway_fleet_member; CREATE TABLE floodway_fleet_member (x int)")
        .await;
    let error = refused(&admin).await;
    let text = error.to_string();
    assert!(matches!(&error, StoreError::Foreign { .. }), "{error:?}");
    assert!(text.starts_with("table floodway_fleet_member holds the columns x,"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_begin_and_renew_at_once() {
    let Some(server) = Postgres::start() else { return };
    let replicas = (0..12).map(|at| {
        let url = server.url();
        tokio::spawn(async move {
            let store = PostgresStore::connect(&url).await.expect("tables");
            let mut replica = Replica::new(&format!("replica-{at}"));
            let mut granted = 0;
            for now in 1..=20 {
                let reply = store.renew("budget", replica.ask(now)).await.expect("a renewal");
                assert!(reply.outstanding <= 40, "{reply:?}");
                replica.take(&reply);
                granted = reply.grant;
            }
            granted
        })
    });
    let replicas: Vec<_> = replicas.collect();
    for replica in replicas {
        replica.await.expect("no panic");
    }
    let store = PostgresStore::connect(&server.url()).await.expect("tables");
    let status = store.status("budget").await.expect("a status").expect("a budget");
    assert_eq!(status.replicas.len(), 12);
    let bound: u32 = status.replicas.iter().map(|one| one.bound).sum();
    assert_eq!(u64::from(bound), status.outstanding);
    let report = store.check().await.expect("a report");
    assert!(report.engine.starts_with("PostgreSQL "), "{report:?}");
    assert!(!report.durable, "test servers do without fsync");
    assert!(report.warnings[0].contains("fsync is off"), "{report:?}");
}

//! The same commands where PostgreSQL keeps the budgets.

use std::net::TcpListener;

use floodway_fleet::PostgresStore;
use floodway_test_support::Postgres;
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use super::{
    doctor::{finds, finds_nothing},
    run::{Asker, run},
};

#[tokio::test]
async fn budgets_in_postgres_are_shown_set_and_looked_at() {
    // The server of tests does not keep what it was told; one in production does.
    let settings = [("fsync", "on"), ("synchronous_commit", "on")];
    let Some(postgres) = Postgres::start_with(&settings) else { return };
    let url = postgres.url();
    assert_eq!(run(&url, &["status", "--json"]).ended(0).json(), json!({"budgets": []}));
    let store = PostgresStore::connect(&url).await.expect("a connection");
    let mut replica = Asker::new("orders-0");
    assert_eq!(replica.granted(&store).await.grant, 38);

    let status = run(&url, &["status", "--json"]).ended(0).json();
    let budget = &status["budgets"][0];
    assert_eq!((&budget["name"], &budget["usable"]), (&json!("orders-db"), &json!(38)));
    assert_eq!(budget["replicas"][0]["grant"], 38);

    let said = run(&url, &["set-budget", "orders-db", "20"]).ended(1);
    assert!(said.err.contains("38 permits are out, 18 may be"), "{said:?}");
    run(&url, &["set-budget", "orders-db", "20", "--yes"]).ended(0);
    assert_eq!(replica.ask(&store).await.grant, 18);
    run(&url, &["set-budget", "orders-db", "--clear"]).ended(0);

    let document = run(&url, &["doctor", "--json", "--database", &url]).ended(1).json();
    finds(&document, "engine", "ok", "PostgreSQL ", "");
    finds(&document, "durability", "ok", "across a restart", "");
    finds(&document, "renewals", "warning", "none of 1 replica has renewed", "");
    finds(&document, "role limit", "warning", "superuser", "");
    finds_nothing(&document, "learning");

    let said = run(&url, &["evict", "orders-db", "orders-0"]).ended(0);
    assert!(said.out.starts_with("orders-0: evicted, 38 of its permits count for "), "{said:?}");
    let said = run(&url, &["evict", "orders-db", "orders-1"]).ended(2);
    assert!(said.err.contains("there are: none"), "{said:?}");
}

#[tokio::test]
async fn servers_that_cannot_be_used_are_told_apart() {
    let Some(postgres) = Postgres::start() else { return };
    let options: PgConnectOptions = postgres.url().parse().expect("a URL");
    let mut admin: PgConnection = options.connect().await.expect("a connection");
    let role = "CREATE ROLE poor LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    sqlx::raw_sql(role).execute(&mut admin).await.expect("runs");
    let hba: (String,) =
        sqlx::query_as("SHOW hba_file").fetch_one(&mut admin).await.expect("shown");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("bound").port();
    let url = |role: &str, port| format!("postgres://{role}:s3cret@127.0.0.1:{port}/postgres");
    for (url, part) in [
        (url("orders", silent), "has not answered within 300 ms"),
        (url("nobody", postgres.port()), "role \"nobody\" does not exist"),
        (url("poor", postgres.port()), "permission denied"),
        (url("postgres", 1), "cannot be reached"),
        ("postgres://me:s3cret@host:port/db".to_owned(), "does not name an engine"),
    ] {
        let timeout = if part.contains("300 ms") { "300ms" } else { "5s" };
        let said = run(&url, &["--timeout", timeout, "status"]).ended(2);
        assert!(said.err.contains(part) && said.err.lines().count() == 1, "{part}: {said:?}");
        assert!(said.out.is_empty() && !said.err.contains("s3cret"), "{said:?}");
    }

    // From now on, a password is asked for.
    let rule = format!(
        "ALTER ROLE poor PASSWORD 'another'; \
         COPY (SELECT 'host all all 127.0.0.1/32 scram-sha-256') TO '{}'; SELECT pg_reload_conf()",
        hba.0
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rule)).execute(&mut admin).await.expect("runs");
    let refused = async || run(&url("poor", postgres.port()), &["status"]).ended(2);
    let mut said = refused().await;
    // The server reads its rules again when it comes to that.
    for _ in 0..100 {
        if !said.err.contains("permission denied") {
            break;
        }
        said = refused().await;
    }
    assert!(said.err.contains("refuses the credentials in its URL"), "{said:?}");
    assert!(said.err.lines().count() == 1 && !said.err.contains("s3cret"), "{said:?}");
}

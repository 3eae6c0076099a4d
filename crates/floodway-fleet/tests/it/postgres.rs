//! Budgets in PostgreSQL.

use floodway_fleet::PostgresStore;
use floodway_test_support::Postgres;

use crate::conformance;

#[tokio::test]
async fn postgres_conforms() {
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    conformance::check(async || PostgresStore::connect(&url).await.expect("a connection")).await;
}

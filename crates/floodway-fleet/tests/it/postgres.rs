//! Budgets in PostgreSQL.

mod trouble;

use floodway_fleet::{LeaseReply, LeaseRequest, PostgresStore, StoreError};
use floodway_test_support::Postgres;

use crate::{
    agreement::{self, Telling},
    conformance,
};

impl Telling for PostgresStore {
    async fn renew_and_tell(
        &self,
        budget: &str,
        request: LeaseRequest,
    ) -> Result<(LeaseReply, u64), StoreError> {
        self.renew_and_tell(budget, request).await
    }
}

#[tokio::test]
async fn postgres_conforms() {
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    conformance::check(async || PostgresStore::connect(&url).await.expect("a connection")).await;
}

#[test]
fn steps_on_a_part_agree_with_the_ledger() {
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    agreement::check(32, async || PostgresStore::connect(&url).await.expect("a connection"));
}

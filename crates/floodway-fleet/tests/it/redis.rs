//! Budgets in Redis.

mod scale;
mod trouble;

use floodway_fleet::{LeaseReply, LeaseRequest, RedisStore, StoreError};
use floodway_test_support::Redis;

use crate::{
    agreement::{self, Telling},
    conformance,
};

impl Telling for RedisStore {
    async fn renew_and_tell(
        &self,
        budget: &str,
        request: LeaseRequest,
    ) -> Result<(LeaseReply, u64), StoreError> {
        self.renew_and_tell(budget, request).await
    }
}

#[tokio::test]
async fn redis_conforms() {
    let Some(server) = Redis::start() else { return };
    let url = server.url();
    conformance::check(async || RedisStore::connect(&url).await.expect("a connection")).await;
}

#[test]
fn the_script_agrees_with_the_ledger() {
    let Some(server) = Redis::start() else { return };
    let url = server.url();
    agreement::check(96, async || RedisStore::connect(&url).await.expect("a connection"));
}

//! Budgets in Redis.

use floodway_fleet::RedisStore;
use floodway_test_support::Redis;

use crate::conformance;

#[tokio::test]
async fn redis_conforms() {
    let Some(server) = Redis::start() else { return };
    let url = server.url();
    conformance::check(async || RedisStore::connect(&url).await.expect("a connection")).await;
}

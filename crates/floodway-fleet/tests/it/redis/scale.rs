//! Ten thousand replicas on one server.

use floodway_fleet::{LeaseStore, RedisStore};
use floodway_test_support::Redis;

use crate::conformance::Replica;

const FLEET: usize = 10_000;

/// Everybody renews, a hundred at a time; `each` gives what one wants, and is told what it got.
async fn round(store: &RedisStore, fleet: &mut [Replica], now: u64, want: impl Fn(usize) -> u32) {
    for (hundred, some) in fleet.chunks_mut(100).enumerate() {
        let renewals = some.iter_mut().enumerate().map(|(at, replica)| {
            replica.request.want = want(hundred * 100 + at);
            let (store, request) = (store.clone(), replica.ask(now));
            tokio::spawn(async move { store.renew("large", request).await })
        });
        let renewals: Vec<_> = renewals.collect();
        for (replica, renewal) in some.iter_mut().zip(renewals) {
            let reply = renewal.await.expect("no panic").expect("a renewal");
            replica.take(&reply);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_replicas_share_what_there_is() {
    let Some(server) = Redis::start() else { return };
    let store = RedisStore::connect(&server.unix_url()).await.expect("a connection");
    let mut fleet: Vec<_> = (0..FLEET)
        .map(|at| {
            Replica::new(&format!("replica-{at}")).with(|one| {
                (one.budget, one.margin, one.floor) = (50_000, 500, 1);
                one.weight = 1 + u32::try_from(at % 3).expect("small");
            })
        })
        .collect();
    let mut now = 1_000_000_u64;
    for turn in 0..8_u32 {
        now += 2_000;
        store.shift_clock(now.cast_signed());
        let vary = move |at| 1 + (u32::try_from(at).expect("small") * 7 + turn) % 40;
        round(&store, &mut fleet, now, vary).await;
    }
    let status = store.status("large").await.expect("a status").expect("a budget");
    assert_eq!(status.replicas.len(), FLEET);
    let used: u64 = fleet.iter().map(|one| u64::from(one.request.applied)).sum();
    assert!((40_000..=49_500).contains(&used), "{used} of 49,500 are granted");
}

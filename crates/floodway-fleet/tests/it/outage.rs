//! Leases while the engine cannot be reached.

use floodway_fleet::{GrantError, OnOutage};
use tokio::time::{Instant, sleep};

use crate::support::{Cut, Replica, Way, go_on, memory, ms};

#[tokio::test(start_paused = true)]
async fn without_renewal_a_burst_ends_and_the_floor_stays() {
    for way in [Way::Refused, Way::Blackhole, Way::Deaf] {
        let cut = Cut::new(&memory());
        let one = Replica::new(cut.clone(), "one", |b| b.floor(3));
        go_on(ms(1_500), &[&one]).await;
        one.check(40, "leased");
        cut.set(way);
        go_on(ms(1_500), &[&one]).await;
        one.check(40, "leased");
        go_on(ms(2_000), &[&one]).await;
        one.check(3, "floor");
        sleep(ms(594_000)).await;
        one.check(3, "floor");
        sleep(ms(6_000)).await;
        one.check(0, "none");
        cut.set(Way::Open);
        sleep(ms(1_500)).await;
        one.check(40, "leased");
    }
}

#[tokio::test(start_paused = true)]
async fn others_get_what_a_replica_lost_that_was_cut_off_but_not_its_floor() {
    let store = memory();
    let cut = Cut::new(&store);
    let one = Replica::new(cut.clone(), "one", |b| b.floor(3));
    let two = Replica::new(store, "two", |b| b.floor(3));
    go_on(ms(3_000), &[&one, &two]).await;
    for way in [Way::Refused, Way::Blackhole, Way::Deaf] {
        one.check(20, "leased");
        cut.set(way);
        go_on(ms(8_000), &[&one, &two]).await;
        one.check(3, "floor");
        // An engine that is not answered goes on to count what it has granted.
        if way != Way::Deaf {
            two.check(37, "leased");
        }
        cut.set(Way::Open);
        go_on(ms(5_000), &[&one, &two]).await;
        two.check(20, "leased");
    }
}

#[tokio::test(start_paused = true)]
async fn strict_uses_nothing_and_reuse_goes_on_for_as_long_as_it_says() {
    let cut = Cut::new(&memory());
    let strict = Replica::new(cut.clone(), "one", |b| b.on_outage(OnOutage::Nothing));
    let other = Cut::new(&memory());
    let reuse = Replica::new(other.clone(), "one", |b| b.on_outage(OnOutage::Reuse(ms(10_000))));
    go_on(ms(1_000), &[]).await;
    cut.set(Way::Refused);
    other.set(Way::Refused);
    go_on(ms(4_000), &[]).await;
    strict.check(0, "none");
    reuse.check(40, "reused");
    go_on(ms(10_000), &[]).await;
    reuse.check(1, "floor");
}

#[tokio::test(start_paused = true)]
async fn without_any_lease_nothing_is_used_unless_a_share_was_declared() {
    let cut = Cut::new(&memory());
    cut.set(Way::Refused);
    let plain = Replica::new(cut.clone(), "plain", |b| b.max_replicas(4));
    let another = Cut::new(&memory());
    another.set(Way::Refused);
    let share = Replica::new(another.clone(), "share", |b| b.max_replicas(4).share_without_lease());
    go_on(ms(3_900), &[&plain, &share]).await;
    share.check(0, "none");
    go_on(ms(200), &[&plain, &share]).await;
    share.check(10, "unleased");
    plain.check(0, "none");
    let refused = plain.lease.granted(Instant::now() + ms(100)).await.unwrap_err();
    assert!(matches!(refused, GrantError::Store { .. }), "{refused}");
    assert_eq!(refused.to_string(), "no lease of the budget \"db\"");
    another.set(Way::Open);
    go_on(ms(1_000), &[&plain, &share]).await;
    share.check(40, "leased");
}

//! Requests, replies and engines that are lost.

use super::{Replica, Stage};

pub(super) async fn a_repetition_changes_nothing(stage: Stage) {
    let mut a = Replica::new("a");
    let mut b = Replica::new("b");
    stage.renew(&mut a).await;
    let request = b.ask(stage.now());
    let reply = stage.send(request.clone()).await;
    let before = stage.status().await;
    assert_eq!(stage.send(request).await, reply);
    let mut after = stage.status().await;
    after.time_ms = before.time_ms;
    for (after, before) in after.replicas.iter_mut().zip(&before.replicas) {
        // The engine's clock may go on meanwhile.
        (after.age_ms, after.remaining_ms) = (before.age_ms, before.remaining_ms);
    }
    assert_eq!(after, before);
}

pub(super) async fn a_lost_reply_is_not_granted_twice(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| a.want = 10);
    let lost = stage.send(a.ask(stage.now())).await;
    stage.pass(500);
    let reply = stage.renew(&mut a).await;
    assert_eq!((reply.epoch, reply.grant, reply.outstanding), (lost.epoch, 40, 40));
    assert_eq!(reply.members, 1);
    // What was promised in a reply that got lost may be in use: what the replica says counts.
    a.request.want = 0;
    let mut b = Replica::new("b");
    stage.renew(&mut b).await;
    let lost = stage.send(a.ask(stage.now())).await;
    assert!(lost.grant < 40);
    let mut said = a.ask(stage.now());
    said.applied = 40;
    let reply = stage.send(said).await;
    assert_eq!(reply.outstanding, 40);
    stage.balanced().await;
}

pub(super) async fn a_late_request_frees_nothing(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| (a.fenced, a.floor_ttl) = (true, 0));
    stage.renew(&mut a).await;
    let mut late = a.ask(stage.now());
    (late.applied, late.held) = (3, 3);
    stage.renew(&mut a).await;
    let mut b = Replica::new("b");
    stage.renew(&mut b).await;
    stage.pass(6_000);
    stage.renew(&mut b).await;
    assert_eq!(stage.left().await, [40]);
    let reply = stage.send(late).await;
    assert_eq!((reply.grant, reply.unfenced), (0, 40));
    assert_eq!(stage.left().await, [40]);
    stage.balanced().await;
}

pub(super) async fn an_engine_that_lost_what_it_knew_learns(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| a.floor = 2);
    let mut b = Replica::new("b").with(|b| b.floor = 2);
    stage.rounds(3, &mut [&mut a, &mut b]).await;
    assert_eq!([a.request.applied, b.request.applied], [20, 20]);
    let epochs = [a.request.epoch, b.request.epoch];
    // Another run of the engine, which knows nothing: a budget of another name does as well.
    stage.budget.push_str("_again");
    for one in [&mut a, &mut b] {
        "another".clone_into(&mut one.request.engine);
        one.request.seen_members = 2;
    }
    a.request.want = 30;
    stage.pass(1_000);
    let reply = stage.renew(&mut a).await;
    assert!(reply.learning);
    assert_eq!((reply.grant, reply.epoch, reply.outstanding), (20, epochs[0], 20));
    // A newcomer has to wait.
    let mut c = Replica::new("c");
    "another".clone_into(&mut c.request.engine);
    let reply = stage.renew(&mut c).await;
    assert!(reply.learning && reply.grant == 0 && reply.epoch > epochs[0], "{reply:?}");
    let reply = stage.renew(&mut b).await;
    assert_eq!((reply.grant, reply.epoch), (20, epochs[1]));
    stage.rounds(2, &mut [&mut a, &mut b, &mut c]).await;
    assert_eq!([a.request.applied, b.request.applied, c.request.applied], [20, 20, 0]);
    stage.rounds(6, &mut [&mut a, &mut b, &mut c]).await;
    let grants = [&a, &b, &c].map(|one| one.request.applied);
    assert_eq!(grants.iter().sum::<u32>(), 40);
    assert!(grants.iter().all(|grant| *grant >= 13), "{grants:?}");
}

//! Who gets what.

use super::{Replica, Stage};

pub(super) async fn one_replica_gets_all_but_the_margin(stage: Stage) {
    let mut a = Replica::new("a");
    let reply = stage.renew(&mut a).await;
    assert_eq!((reply.grant, reply.budget, reply.margin), (40, 42, 2));
    assert_eq!((reply.members, reply.outstanding, reply.hungry), (1, 40, 0));
    assert_eq!((reply.ttl, reply.refresh, reply.floor_ttl), (4_000, 1_000, 600_000));
    assert!(!reply.disagree && !reply.floors_exceed && !reply.superseded && !reply.sweep);
    stage.balanced().await;
}

pub(super) async fn shares_are_fair_by_weight(mut stage: Stage) {
    let mut a = Replica::new("a");
    let mut b = Replica::new("b");
    let mut c = Replica::new("c").with(|c| c.weight = 2);
    let mut d = Replica::new("d").with(|d| d.want = 4);
    stage.rounds(4, &mut [&mut a, &mut b, &mut c, &mut d]).await;
    let grants = [&a, &b, &c, &d].map(|one| one.request.applied);
    assert_eq!(grants, [9, 9, 18, 4]);
    // What one does not want any more goes to the others.
    a.request.want = 1;
    stage.rounds(4, &mut [&mut a, &mut b, &mut c, &mut d]).await;
    let grants = [&a, &b, &c, &d].map(|one| one.request.applied);
    // One permit is left over, and is somebody's.
    assert!([[1, 12, 23, 4], [1, 11, 24, 4]].contains(&grants), "{grants:?}");
}

pub(super) async fn a_shrink_counts_once_connections_are_closed(mut stage: Stage) {
    let mut a = Replica::new("a");
    let mut b = Replica::new("b");
    assert_eq!(stage.grant(&mut a).await, 40);
    let joined = stage.renew(&mut b).await;
    assert_eq!((joined.grant, joined.hungry), (0, 1));
    // Who lacks something asks again soon.
    assert_eq!(joined.refresh, 250);
    a.held = Some(40);
    stage.pass(1_000);
    assert_eq!(stage.grant(&mut a).await, 20);
    assert_eq!(stage.grant(&mut b).await, 0, "what a holds still counts");
    a.held = Some(25);
    assert_eq!(stage.grant(&mut a).await, 20);
    assert_eq!(stage.grant(&mut b).await, 15);
    a.held = None;
    assert_eq!(stage.grant(&mut a).await, 20);
    assert_eq!(stage.grant(&mut b).await, 20);
    stage.balanced().await;
}

pub(super) async fn more_replicas_than_permits_take_turns(mut stage: Stage) {
    let mut replicas = ["a", "b", "c"]
        .map(|name| Replica::new(name).with(|one| (one.budget, one.margin) = (2, 0)));
    let mut had = [0; 3];
    for _ in 0..60 {
        stage.pass(1_000);
        for (replica, had) in replicas.iter_mut().zip(&mut had) {
            *had += stage.grant(replica).await.min(1);
        }
        stage.balanced().await;
    }
    assert!(had.iter().all(|had| *had >= 20), "{had:?} of 60 rounds");
}
